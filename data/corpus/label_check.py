"""Checks of labels against their text. What does not fit is reported and dropped."""

from __future__ import annotations

import json
import re
from typing import Any

from data.problems import Problems
from data.spans import Span

WHOLE_NUMBER = re.compile("-?[0-9]+")
LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def check_label(
    text: str, category: Any, begin: Any, end: Any, expected: Any, where: str, problems: Problems
) -> Span | None:
    """The span of a label, or None with a line in `problems`.

    Args:
        text: of the document.
        category, begin, end: as read, of any type. Offsets may be digits in a string; `end` is inclusive.
        expected: the label's own copy of its text, which must equal the text at its offsets; None if there is none.
        where: file and line.
        problems: gets what does not fit.
    """
    try:
        span = _checked(text, category, begin, end, expected)
    except _MisfitError as error:
        reason, detail = error.args
        problems.add(reason, where, detail)
        return None
    return span


class _MisfitError(Exception):
    """Reason and detail, as `Problems.add` takes them."""


def _checked(text: str, category: Any, begin: Any, end: Any, expected: Any) -> Span:
    if not isinstance(category, str) or not category.strip():
        raise _MisfitError("label without a category", repr(category))
    try:
        span = Span(category, _whole_number(begin), _whole_number(end))
    except ValueError:
        raise _MisfitError("offsets are not numbers", f"{category} {begin!r} to {end!r}") from None
    place = f"{category} {span.begin} to {span.end}"
    if span.begin > span.end:
        raise _MisfitError("begin is after end", place)
    if span.begin < 0 or span.end >= len(text):
        raise _MisfitError("offsets outside the text", f"{place}, the text has {len(text)} characters")
    found = text[span.begin : span.end + 1]
    if expected is not None and expected != found:
        raise _MisfitError("label text differs", f"{place}: label {expected!r}, text {found!r}")
    return span


def _whole_number(value: Any) -> int:
    """Checked as text, because `int` would accept true, 3.7, 1_0, full-width digits and spaces."""
    written = str(value)
    if not WHOLE_NUMBER.fullmatch(written):
        raise ValueError(f"{written!r} is no whole number")
    return int(written)


def writable_record(record: dict[str, Any], where: str, problems: Problems) -> dict[str, Any]:
    r"""The record with U+FFFD for lone surrogates, which JSON can write as `\ud800` and UTF-8 cannot hold.

    Offsets stay as they are.
    """
    written = json.dumps(record, ensure_ascii=False)
    mended, count = LONE_SURROGATE.subn("\ufffd", written)
    if not count:
        return record
    problems.change("half a surrogate pair, replaced by U+FFFD", where, f"{count} characters")
    return json.loads(mended)


def expect_kind(kind: type, value: Any, key: str, where: str, problems: Problems) -> Any:
    """`value` if it is of this kind, else an empty one. A value of another kind is reported; None is not."""
    if isinstance(value, kind):
        return value
    if value is not None:
        problems.add("labels of another shape", where, f"in {key}: expected a {kind.__name__}, found {value!r}")
    return kind()
