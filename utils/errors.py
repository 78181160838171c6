"""The error for mistakes of the user, and helpers for its messages."""

from __future__ import annotations

import difflib
import re
import reprlib
import unicodedata
from collections.abc import Collection, Iterable
from pathlib import Path

LONGEST_LINE = 300  # characters of a message, beside paths: a path that was cut could not be opened
PATHS, LONGEST_PATH = 3, 150
CUT = " ... "
HIDDEN = {"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"}  # Unicode categories of control, format and lone characters


class UserError(Exception):
    """Something that the user can mend. Each mistake is one line that says what is wrong, where, and what to do.

    Attributes:
        lines: one for each mistake; see `one_line`.
    """

    def __init__(self, *mistakes: str) -> None:
        self.lines = [one_line(mistake) for mistake in mistakes]
        super().__init__(*self.lines)

    def __str__(self) -> str:
        return "\n".join(self.lines)


def one_line(text: str) -> str:
    """Text that is safe and readable as one line of a terminal or a log.

    Line breaks become spaces. Characters that a terminal obeys instead of showing are escaped. A long text loses its
    middle, because it begins with what is wrong and ends with what to do.
    """
    if len(text) > 10 * LONGEST_LINE:  # before the work on single characters
        text = text[: 5 * LONGEST_LINE] + text[-5 * LONGEST_LINE :]
    joined = " ".join(line.strip() for line in re.split("[\r\n]+", text))
    shown = "".join(one if is_shown(one) else _escaped(one) for one in joined)
    paths = [word for word in shown.split(" ") if "/" in word][:PATHS]
    longest = LONGEST_LINE + sum(min(len(path), LONGEST_PATH) for path in paths)
    if len(shown) <= longest:
        return shown
    begin = longest * 3 // 5
    return shown[:begin] + CUT + shown[begin + len(CUT) - longest :]


def is_shown(text: str) -> bool:
    """Whether a terminal shows all characters of a text, and obeys none of them."""
    return not any(unicodedata.category(one) in HIDDEN for one in text)


def shown(value: object) -> str:
    """A value for a message: its `repr`, cut to a few words however large it is."""
    short = reprlib.Repr()
    short.maxstring = short.maxother = short.maxlong = 80
    return short.repr(value)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


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
