"""Patterns for the categories mobile, email, QQ and vx (model/reading/patterns.py)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from data.corpus.document import Document
from data.lattice.lattice import Lattices
from data.processed import Processed
from data.spans import Asked, JudgedSpan, ScoredSpan, with_asked
from model.reading.patterns import PATTERNS, find_patterns
from model.run_folder import RunParts
from utils.errors import UserError
from utils.files import read_json, write_json


class System:
    """Patterns alone. Nothing is learned, and the file lists the categories to find."""

    filename = "rules.json"
    parameters = 0
    nests = False

    def __init__(self, categories: Sequence[str]) -> None:
        self.categories = list(categories)

    @classmethod
    def fit(cls, processed: Processed, documents: Sequence[int], path: Path) -> int:
        """Write the categories of the data that have a pattern. There are 0 passes over the documents.

        Raises:
            UserError: no category of the data has a pattern.
        """
        known = dict.fromkeys(pattern.category for pattern in PATTERNS)
        if not (own := [category for category in processed.categories if category in known]):
            raise UserError(f"model.name rules finds only {', '.join(known)}, but the data has none of these "
                            "categories; choose another model.name")  # fmt: skip
        write_json(path, {"categories": own})
        return 0

    @classmethod
    def load(cls, path: Path, parts: RunParts) -> System:
        """Load the file that `fit` wrote.

        Raises:
            UserError: the file is missing or damaged.
        """
        return cls(read_json(path, "train again")["categories"])

    def read(self, documents: Sequence[Document], lattices: Lattices) -> list[list[ScoredSpan]]:
        """All matches of the patterns, with probability 1."""
        return [[ScoredSpan(*span, 1.0) for span in find_patterns(one.text, self.categories)] for one in documents]

    def candidates(
        self, documents: Sequence[Document], lattices: Lattices, asked: Asked = None
    ) -> list[list[JudgedSpan]]:
        """The spans of `read`."""
        found = [[JudgedSpan(*span, found=True) for span in spans] for spans in self.read(documents, lattices)]
        return [with_asked(spans, own) for spans, own in zip(found, asked or [()] * len(found), strict=True)]
