"""Checks of labels against their text. What does not fit is reported and dropped."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from data.corpus.document import bare
from data.problems import Problems
from data.spans import Span
from utils.json_values import parse_json

WHOLE_NUMBER = re.compile("-?[0-9]+")
LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def check_label(
    text: str, category: Any, begin: Any, end: Any, expected: Any, where: str, problems: Problems
) -> Span | None:
    """The span of a label, or None with a line in `problems`.

    A label whose own text differs from the text at its offsets in white space only is kept. A label whose text stands
    where its offsets point if white space is counted in another way is placed there; see `white_space_counts`. Both
    get a line in `problems`.

    Args:
        text: of the document.
        category, begin, end: as read, of any type. Offsets may be digits in a string; `end` is inclusive.
        expected: the label's own copy of its text; None if there is none.
        where: file and line.
        problems: gets what does not fit.
    """
    try:
        checked = _checked(text, category, begin, end, expected)
    except _MisfitError as error:
        reason, detail = error.args
        problems.add(reason, where, detail, labels=1)
        return None
    if checked.change:
        problems.change(checked.change, where, checked.detail)
    return checked.span


class _MisfitError(Exception):
    """Reason and detail, as `Problems.add` takes them."""


class _Checked(NamedTuple):
    """A span, and what was changed to make it fit, as `Problems.change` takes it."""

    span: Span
    change: str = ""
    detail: str = ""


def _checked(text: str, category: Any, begin: Any, end: Any, expected: Any) -> _Checked:
    if not isinstance(category, str) or not category.strip():
        raise _MisfitError("label without a category", repr(category))
    try:
        span = Span(category, _whole_number(begin), _whole_number(end))
    except ValueError:
        raise _MisfitError("offsets are not numbers", f"{category} {begin!r} to {end!r}") from None
    place = f"{category} {span.begin} to {span.end}"
    if span.begin > span.end:
        raise _MisfitError("begin is after end", place)
    if span.begin < 0:
        raise _MisfitError("offsets outside the text", f"{place}, the text has {len(text)} characters")
    if expected is None or expected == text[span.begin : span.end + 1]:
        if span.end >= len(text):
            raise _MisfitError("offsets outside the text", f"{place}, the text has {len(text)} characters")
        return _Checked(span)
    return _placed_by_text(text, span, expected, place)


def _placed_by_text(text: str, span: Span, expected: Any, place: str) -> _Checked:
    """The span of a label whose text is not exactly what stands at its offsets."""
    wanted = bare(expected) if isinstance(expected, str) else ""
    found = text[span.begin : span.end + 1]
    only_blanks = isinstance(expected, str) and not wanted and len(expected) == len(found)
    if span.end < len(text) and bare(found) == wanted and (wanted or only_blanks):
        return _Checked(span, "label text differs in white space only, kept", place)
    for counted, positions in white_space_counts(text) if wanted else ():
        if span.end < len(positions):
            begin, end = positions[span.begin], positions[span.end]
            if bare(text[begin : end + 1]) == wanted:
                moved = Span(span.category, begin, end)
                return _Checked(moved, "label placed by its text", f"{place} is {begin} to {end} here; {counted}")
    if span.end >= len(text):
        raise _MisfitError("offsets outside the text", f"{place}, the text has {len(text)} characters")
    raise _MisfitError("label text differs", f"{place}: label {expected!r}, text {found!r}")


@functools.lru_cache(maxsize=1)  # the labels of a document come one after the other
def white_space_counts(text: str) -> list[tuple[str, list[int]]]:
    """Ways to count white space other than as it stands, as other programs do before they store offsets.

    Returns:
        For each way a description, and for each character counted its position in `text`.
    """
    line_ends_as_one = [match.start() for match in re.finditer("\r\n|.", text, re.DOTALL)]
    as_two = [place for place, character in enumerate(text) for _ in range(2 if character == "\n" else 1)]
    runs_as_one = [match.start() for match in re.finditer(r"\s+|\S", text)]
    stripped = list(range(len(text) - len(text.lstrip()), len(text)))
    stripped_runs = runs_as_one[1:] if text[:1].isspace() else runs_as_one
    none = [place for place, character in enumerate(text) if not character.isspace()]
    return [
        ("the offsets count a line end as one character", line_ends_as_one),
        ("the offsets count a line end as two characters", as_two),
        ("the offsets leave out white space at the begin", stripped),
        ("the offsets count a run of white space as one character", runs_as_one),
        ("the offsets count a run of white space as one character, and none at the begin", stripped_runs),
        ("the offsets leave out white space", none),
    ]


def _whole_number(value: Any) -> int:
    """Checked as text, because `int` would accept true, 3.7, 1_0, full-width digits and spaces."""
    written = str(value)
    if not WHOLE_NUMBER.fullmatch(written):
        raise ValueError(f"{written!r} is no whole number")
    return int(written)


def mended(text: str, where: str, problems: Problems) -> str:
    """The text with U+FFFD for lone surrogates, which UTF-8 cannot hold. Offsets stay as they are."""
    text, count = LONE_SURROGATE.subn("\ufffd", text)
    if count:
        problems.change("half a surrogate pair, replaced by U+FFFD", where, f"{count} characters")
    return text


def writable_record(record: dict[str, Any], where: str, problems: Problems) -> dict[str, Any]:
    r"""The record with U+FFFD for lone surrogates, which JSON can write as `\ud800`; see `mended`."""
    written = json.dumps(record, ensure_ascii=False)
    replaced = mended(written, where, problems)
    return record if replaced is written else parse_json(replaced)


def expect_kind(kind: type, value: Any, key: str, where: str, problems: Problems) -> Any:
    """`value` if it is of this kind, else an empty one. A value of another kind is reported, unless it is empty."""
    if isinstance(value, kind):
        return value
    if value not in (None, [], {}):
        found = f"in {key}: expected a {kind.__name__}, found {value!r:.80}"
        problems.add("labels of another shape", where, found, labels=_count(value))
    return kind()


def _count(value: Any) -> int:
    return len(value) if isinstance(value, (list, dict)) else 1


def each_of_kind(kind: type, values: Any, key: str, where: str, problems: Problems) -> Iterator[Any]:
    """The items of a list that are of this kind. Other values are reported."""
    for value in expect_kind(list, values, key, where, problems):
        if found := expect_kind(kind, value, key, where, problems):
            yield found
