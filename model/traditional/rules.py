"""Patterns alone, for the categories that have a form: mobile, email, QQ and vx (model/reading/patterns.py)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from config import Config
from data.corpus.document import Document
from data.lattice.lattice import Lattices
from data.processed import Processed
from data.spans import ScoredSpan
from model.reading.patterns import PATTERNS, find_patterns
from model.run_folder import RunParts
from utils.errors import UserError
from utils.files import read_json, write_json


class System:
    """Nothing is learned; the file says for which categories patterns are looked for."""

    filename = "rules.json"
    parameters = 0
    nests = False

    def __init__(self, categories: Sequence[str]) -> None:
        self.categories = list(categories)

    @classmethod
    def fit(cls, config: Config, processed: Processed, documents: Sequence[int], path: Path) -> int:
        """Write down the categories of the data that have a pattern; no text is gone through.

        Raises:
            UserError: none has.
        """
        known = dict.fromkeys(pattern.category for pattern in PATTERNS)
        if not (own := [category for category in processed.categories if category in known]):
            raise UserError(f"model.name rules finds {', '.join(known)}, and the data has none of them")
        write_json(path, {"categories": own})
        return 0

    @classmethod
    def load(cls, path: Path, parts: RunParts) -> System:
        """Read them again."""
        return cls(read_json(path, "train again")["categories"])

    def read(self, documents: Sequence[Document], lattices: Lattices) -> list[list[ScoredSpan]]:
        """What the patterns match, with probability 1."""
        return [[ScoredSpan(*span, 1.0) for span in find_patterns(one.text, self.categories)] for one in documents]
