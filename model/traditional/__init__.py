"""Systems that are not networks, by name. Each module that `config.TRADITIONAL` names defines a class `System`."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Protocol

from config import TRADITIONAL
from data.corpus.document import Document
from data.lattice.lattice import Lattices
from data.processed import Processed
from data.spans import Asked, JudgedSpan, ScoredSpan
from model.run_folder import RunParts


class TraditionalSystem(Protocol):
    """A system that is fitted to documents, saved as one file, and finds spans in texts.

    Attributes:
        filename: the name of its file in a run folder.
        categories: the categories that it can find.
        parameters: the number of fitted parameters.
        nests: whether it may return spans of one category that overlap.
    """

    filename: ClassVar[str]
    categories: Sequence[str]
    nests: ClassVar[bool]

    @property
    def parameters(self) -> int: ...

    @classmethod
    def fit(cls, processed: Processed, documents: Sequence[int], path: Path) -> int:
        """Learn from the labels of some documents of the processed data, and write the file at a temporary path.

        Returns:
            The number of passes over the documents.
        """

    @classmethod
    def load(cls, path: Path, parts: RunParts) -> TraditionalSystem:
        """Load the file that `fit` wrote.

        Raises:
            UserError: the file is missing or damaged.
        """

    def read(self, documents: Sequence[Document], lattices: Lattices) -> list[list[ScoredSpan]]:
        """The spans of each document by begin, end and category. The lattices are those of the documents, in order."""

    def candidates(
        self, documents: Sequence[Document], lattices: Lattices, asked: Asked = None
    ) -> list[list[JudgedSpan]]:
        """The spans of `read`, those in `asked`, and others from `LEAST_PROBABILITY` up, with their probabilities."""


def is_traditional(name: str) -> bool:
    """Whether `model.name` is a traditional system."""
    return name in TRADITIONAL


def system_class(name: str) -> type[TraditionalSystem]:
    """The system of a name in `config.TRADITIONAL`."""
    return importlib.import_module(f"{__name__}.{name}").System
