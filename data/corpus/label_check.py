"""Labels as files give them, against the text they claim to stand in. What does not fit is reported and dropped."""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

from data.corpus.document import Document
from data.problems import Problems
from data.spans import Span

WHOLE_NUMBER = re.compile("-?[0-9]+")
LONE_SURROGATE = re.compile("[\ud800-\udfff]")


class Lost(NamedTuple):
    """Why the labels of a document are not known where others of its corpus have theirs, as `Problems.add` takes it."""

    reason: str
    where: str
    detail: str


class Located(NamedTuple):
    """A document and where it was read, `train.json:12`, for messages."""

    where: str
    document: Document
    lost: Lost | None = None  # its labels


def check_label(
    text: str, category: Any, begin: Any, end: Any, expected: Any, where: str, problems: Problems
) -> Span | None:
    """The span that a label names, or None and a line in `problems`.

    Args:
        text: the document.
        category, begin, end: as read, so of any type; offsets may be digits in a string, `end` is inclusive.
        expected: the label's own copy of its text, compared with what stands there; None where the format has none.
        where: file and line.
        problems: gets what does not fit.
    """
    if not isinstance(category, str) or not category.strip():
        return problems.add("label without a category", where, repr(category))
    try:
        span = Span(category, _whole_number(begin), _whole_number(end))
    except ValueError:
        return problems.add("offsets are not numbers", where, f"{category} {begin!r} to {end!r}")
    place = f"{category} {span.begin} to {span.end}"
    if span.begin > span.end:
        return problems.add("begin is after end", where, place)
    if span.begin < 0 or span.end >= len(text):
        return problems.add("offsets outside the text", where, f"{place}, the text has {len(text)} characters")
    found = text[span.begin : span.end + 1]
    if expected is not None and expected != found:
        return problems.add("label text differs", where, f"{place}: label {expected!r}, text {found!r}")
    return span


def _whole_number(value: Any) -> int:
    """By way of text, so that true and 3.7 are none; `int` alone would read 1_0 as 10, and take １ and spaces too."""
    written = str(value)
    if not WHOLE_NUMBER.fullmatch(written):
        raise ValueError(f"{written!r} is no whole number")
    return int(written)


def writable_record(record: dict[str, Any], where: str, problems: Problems) -> dict[str, Any]:
    r"""JSON's `\ud800` makes a string that UTF-8 cannot hold; U+FFFD takes its place and keeps the offsets."""
    written = json.dumps(record, ensure_ascii=False)
    mended, count = LONE_SURROGATE.subn("\ufffd", written)
    if not count:
        return record
    problems.change("half a surrogate pair, replaced by U+FFFD", where, f"{count} characters")
    return json.loads(mended)


def expect_kind(kind: type, value: Any, key: str, where: str, problems: Problems) -> Any:
    """`value` if it is of that kind; otherwise an empty one, reported unless nothing was there."""
    if isinstance(value, kind):
        return value
    if value is not None:
        problems.add("labels of another shape", where, f"in {key}: expected a {kind.__name__}, found {value!r}")
    return kind()
