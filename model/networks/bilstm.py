"""A BiLSTM over characters, without words. With a `scratch` encoder of depth 0 this is the classic BiLSTM-CRF (Huang
et al., "Bidirectional LSTM-CRF Models for Sequence Tagging", 2015; Lample et al., NAACL 2016).

B batch, L characters, E encoder size, H size of the states.
"""

from __future__ import annotations

from torch import Tensor

from config import Config
from model.layers.character_encoder import CharacterEncoder
from model.layers.context import Context
from model.model import DataShape, TaggingNetwork, Words


class Network(TaggingNetwork):
    """The layers of the section `context` on the encoder's states."""

    def __init__(self, config: Config, encoder: CharacterEncoder, data: DataShape) -> None:
        super().__init__(config, encoder, data)
        self.context = Context(config.context, encoder.size)
        self.size = self.context.size

    def states(self, characters: Tensor, character_mask: Tensor, words: Words) -> Tensor:
        """(B, L, H) from the encoder's states (B, L, E)."""
        return self.context(characters, character_mask)
