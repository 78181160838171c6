"""Systems that are no networks, by name: each is a file of this folder that defines a class `System`."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Protocol

from config import Config
from data.corpus.document import Document
from data.lattice.lattice import Lattices
from data.processed import Processed
from data.spans import ScoredSpan
from model.run_folder import RunParts

NAMES = ("feature_crf", "rules")


class TraditionalSystem(Protocol):
    """What is fitted to documents, kept in one file, and reads texts.

    Attributes:
        filename: of the file, under which a run keeps it.
        categories: that it can find.
        parameters: how many numbers were fitted.
        nests: whether spans of one category may overlap.
    """

    filename: ClassVar[str]
    categories: Sequence[str]
    parameters: int
    nests: ClassVar[bool]

    @classmethod
    def fit(cls, config: Config, processed: Processed, documents: Sequence[int], path: Path) -> int:
        """Learn from the labels of some documents of the processed data, and write the file.

        Returns:
            How many times all of them were gone through.
        """

    @classmethod
    def load(cls, path: Path, parts: RunParts) -> TraditionalSystem:
        """Read what `fit` wrote."""

    def read(self, documents: Sequence[Document], lattices: Lattices) -> list[list[ScoredSpan]]:
        """The spans of each document by begin, end and category; lattices are those of the documents, in order."""


def is_traditional(name: str) -> bool:
    """Whether `model.name` names a system that is no network."""
    return name in NAMES


def system_class(name: str) -> type[TraditionalSystem]:
    """The system of a name."""
    return importlib.import_module(f"{__name__}.{name}").System
