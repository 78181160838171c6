"""The network, its training and its use. `from model import load_tagger` is the way in for other programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from model.reading.tagger import Tagger, load_tagger

__all__ = ["Tagger", "load_tagger"]


def __getattr__(name: str) -> Any:
    """Import the tagger when it is first used: PyTorch takes seconds, and preprocessing does without it."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from model.reading import tagger

    return getattr(tagger, name)
