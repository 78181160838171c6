"""ExSoftword: each character beside the tags it has in all words around it (Ma et al., ACL 2020, section 3.1).

B batch, L characters, M words of the largest set, E encoder size, H size of the states.
"""

from __future__ import annotations

import torch
from torch import Tensor

from config import Config
from data.word_sets import collate_word_sets
from model.layers.context import Context
from model.layers.encoder import CharacterEncoder
from model.layers.word_features import ExSoftwordFeatures
from model.model import Inventory, TaggingNetwork


class Network(TaggingNetwork):
    """Five switches for every character."""

    inputs = staticmethod(collate_word_sets)

    def __init__(self, config: Config, encoder: CharacterEncoder, inventory: Inventory) -> None:
        super().__init__(encoder)
        self.features = ExSoftwordFeatures()
        self.context = Context(config.context, encoder.size + self.features.size)
        self.size = self.context.size

    def states(self, characters: Tensor, character_mask: Tensor, word_sets: Tensor) -> Tensor:
        """(B, L, H) from the encoder's (B, L, E) and word_sets (B, L, 4, M)."""
        return self.context(torch.cat([characters, self.features(word_sets)], dim=2), character_mask)
