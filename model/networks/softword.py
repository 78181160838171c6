"""Softword: each character beside the embedding of its tag in a segmentation (Zhao and Kit, 2008; Peng and Dredze, ACL
2016). The settings require `lexicon.match: segment`.

B batch, L characters, M words of the largest set, E encoder size, F size of the features, H size of the states.
"""

from __future__ import annotations

import torch
from torch import Tensor

from config import Config
from data.batches.word_sets import collate_word_sets
from model.layers.character_encoder import CharacterEncoder
from model.layers.context import Context
from model.layers.word_features import SoftwordFeatures
from model.model import DataShape, TaggingNetwork, Words


class Network(TaggingNetwork):
    """States and tag embeddings, read by the layers of the section `context`."""

    inputs = staticmethod(collate_word_sets)

    def __init__(self, config: Config, encoder: CharacterEncoder, data: DataShape) -> None:
        super().__init__(config, encoder, data)
        self.features = SoftwordFeatures(config.lexicon.dimension)
        self.context = Context(config.context, encoder.size + self.features.size)
        self.size = self.context.size

    def states(self, characters: Tensor, character_mask: Tensor, words: Words) -> Tensor:
        """(B, L, H) from the encoder's states (B, L, E) and `word_sets` (B, L, 4, M)."""
        features = self.features(words["word_sets"])  # (B, L, F)
        return self.context(torch.cat([characters, features], dim=2), character_mask)
