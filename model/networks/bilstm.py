"""Characters read in their order, without words. With a `scratch` encoder of depth 0 the classic BiLSTM-CRF (Huang
et al., "Bidirectional LSTM-CRF Models for Sequence Tagging", 2015; Lample et al., NAACL 2016).

B batch, L characters, E encoder size, H size of the states.
"""

from __future__ import annotations

from torch import Tensor

from config import Config
from model.layers.character_encoder import CharacterEncoder
from model.layers.context import Context
from model.model import DataShape, TaggingNetwork


class Network(TaggingNetwork):
    """The layers of the section `context` over the encoder's states."""

    def __init__(self, config: Config, encoder: CharacterEncoder, data: DataShape) -> None:
        super().__init__(encoder)
        self.context = Context(config.context, encoder.size)
        self.size = self.context.size

    def states(self, characters: Tensor, character_mask: Tensor) -> Tensor:
        """(B, L, H) from the encoder's (B, L, E)."""
        return self.context(characters, character_mask)
