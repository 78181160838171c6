"""The character encoder alone, the baseline of all that read words."""

from __future__ import annotations

from config import Config
from model.layers.character_encoder import CharacterEncoder
from model.model import DataShape, TaggingNetwork


class Network(TaggingNetwork):
    """The encoder's states are the states."""

    def __init__(self, config: Config, encoder: CharacterEncoder, data: DataShape) -> None:
        super().__init__(encoder)
