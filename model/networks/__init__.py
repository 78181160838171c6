"""Networks by name: each is a file of this folder that defines a class `Network`."""

from __future__ import annotations

import importlib
import pkgutil
from typing import TYPE_CHECKING

from model import traditional
from utils.errors import UserError

if TYPE_CHECKING:
    from model.model import TaggingNetwork


def network_names() -> list[str]:
    """What `model.name` may be."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def network_class(name: str) -> type[TaggingNetwork]:
    """The network of a name.

    Raises:
        UserError: there is none.
    """
    if name not in network_names():
        known = ", ".join([*network_names(), *traditional.NAMES])
        raise UserError(f"model.name is {name!r}, but there are only {known} (model/networks/, model/traditional/)")
    return importlib.import_module(f"{__name__}.{name}").Network
