"""The character encoder alone, the baseline for all networks that read words."""

from __future__ import annotations

from model.model import TaggingNetwork


class Network(TaggingNetwork):
    """The states are those of the encoder."""
