"""ExSoftword: each character beside the tags it has in all words around it (Ma et al., ACL 2020, section 3.1)."""

from __future__ import annotations

from torch import nn

from config import Config
from model.layers.word_features import ExSoftwordFeatures
from model.networks import softword


class Network(softword.Network):
    """Five switches for every character, in the place of softword's one tag."""

    @staticmethod
    def make_features(config: Config) -> nn.Module:
        """A switch for each tag."""
        return ExSoftwordFeatures()
