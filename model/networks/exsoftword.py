"""ExSoftword: each character beside its tags in all words around it (Ma et al., ACL 2020, section 3.1).

B batch, L characters, M words of the largest set, E encoder size, H size of the states.
"""

from __future__ import annotations

import torch
from torch import Tensor

from config import Config
from data.batches.word_sets import collate_word_sets
from model.layers.character_encoder import CharacterEncoder
from model.layers.context import Context
from model.layers.word_features import ExSoftwordFeatures
from model.model import DataShape, TaggingNetwork, Words


class Network(TaggingNetwork):
    """States and five zeros or ones, one for each tag, read by the layers of the section `context`."""

    inputs = staticmethod(collate_word_sets)

    def __init__(self, config: Config, encoder: CharacterEncoder, data: DataShape) -> None:
        super().__init__(config, encoder, data)
        self.features = ExSoftwordFeatures()
        self.context = Context(config.context, encoder.size + self.features.size)
        self.size = self.context.size

    def states(self, characters: Tensor, character_mask: Tensor, words: Words) -> Tensor:
        """(B, L, H) from the encoder's states (B, L, E) and `word_sets` (B, L, 4, M)."""
        features = self.features(words["word_sets"])  # (B, L, 5)
        return self.context(torch.cat([characters, features], dim=2), character_mask)
