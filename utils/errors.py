"""The error for mistakes of the user, and helpers for its messages."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable
from pathlib import Path


class UserError(Exception):
    """Something that the user can mend. Each mistake is one line that says what is wrong, where, and what to do.

    Attributes:
        lines: one for each mistake. Line breaks within a mistake become spaces.
    """

    def __init__(self, *mistakes: str) -> None:
        self.lines = [" ".join(line.strip() for line in mistake.splitlines()) for mistake in mistakes]
        super().__init__(*self.lines)

    def __str__(self) -> str:
        return "\n".join(self.lines)


def looked_in(path: Path) -> str:
    """For messages about a missing path: the folder in which a relative one was looked for."""
    return "" if path.is_absolute() else f" in {Path.cwd()}"


def nearest(word: str, known: Collection[str]) -> str:
    """For messages about an unknown name: the most similar known one, or all of them."""
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f"; did you mean {close[0]}?" if close else f"; known here: {', '.join(known)}"


def refuse_unknown_categories(setting: str, named: Iterable[str], known: Collection[str]) -> None:
    """Raise UserError if a setting names an unknown category, which would silently change nothing."""
    if unknown := [category for category in named if category not in known]:
        raise UserError(f"{setting}: unknown category {unknown[0]}{nearest(unknown[0], known)}")
