"""The network, its training and its use. `from model import load_tagger` is the way in for other programs."""

from model.tagger import Tagger, load_tagger

__all__ = ["Tagger", "load_tagger"]
