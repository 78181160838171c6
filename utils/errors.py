"""The error for mistakes of the user, and helpers for its messages."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable
from pathlib import Path


class UserError(Exception):
    """Something the user can mend. Its text is one line: what, where, what to do."""

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(line.strip() for line in message.splitlines()))  # others' messages may have several


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
