"""Softword: each character beside the embedding of its place in a segmentation (Zhao and Kit, 2008; Peng and Dredze,
ACL 2016).

B batch, L characters, M words of the largest set, E encoder size, H size of the states.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from config import Config
from data.batches.word_sets import collate_word_sets
from model.layers.character_encoder import CharacterEncoder
from model.layers.context import Context
from model.layers.word_features import SoftwordFeatures
from model.model import DataShape, TaggingNetwork


class Network(TaggingNetwork):
    """The segmenter's tag of every character; needs `lexicon.match: segment`."""

    inputs = staticmethod(collate_word_sets)

    def __init__(self, config: Config, encoder: CharacterEncoder, data: DataShape) -> None:
        super().__init__(encoder)
        self.features = self.make_features(config)
        self.context = Context(config.context, encoder.size + self.features.size)
        self.size = self.context.size

    @staticmethod
    def make_features(config: Config) -> nn.Module:
        """What a character knows of the words around it, of a width `size`."""
        return SoftwordFeatures(config.lexicon.dimension)

    def states(self, characters: Tensor, character_mask: Tensor, word_sets: Tensor) -> Tensor:
        """(B, L, H) from the encoder's (B, L, E) and word_sets (B, L, 4, M)."""
        return self.context(torch.cat([characters, self.features(word_sets)], dim=2), character_mask)
