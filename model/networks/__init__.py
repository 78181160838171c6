"""Networks by name. Each file of this folder defines a class `Network`."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from model.model import TaggingNetwork


def network_class(name: str) -> type[TaggingNetwork]:
    """The network of a name, which must be a file of this folder. The settings check `model.name`."""
    return importlib.import_module(f"{__name__}.{name}").Network
