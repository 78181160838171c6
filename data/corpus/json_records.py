"""Corpora of JSON objects, one on each line or all in one list: what their readers share."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from config import CorpusConfig
from data.corpus.corpus_files import read_lines, read_text
from data.corpus.document import Document
from data.corpus.label_check import check_label, writable_record
from data.corpus.reader import Lost
from data.problems import Problems
from data.spans import Span, sorted_spans
from utils.errors import UserError
from utils.json_values import parse_json

# Keys that labels of some format stand under.
LABEL_KEYS = ("label", "labels", "entities", "spans", "annotations", "ner", "ner_tags")
BEGIN_KEYS = ("start", "start_offset", "begin", "pos_b", "value")  # of a label, in some format
SPACE = re.compile(r"\s*")
SAMPLE = 100  # records that a message describes


class Label(NamedTuple):
    """A label as read, so that its values may have any type."""

    category: Any
    begin: Any
    end: Any
    expected: Any  # its own copy of its text


# ------------------------------------------------------------------------------------------------------------- values


def json_or_none(text: str) -> Any:
    """The JSON value of a text, or None if it is not JSON."""
    try:
        return parse_json(text)
    except ValueError:
        return None


def is_json(path: Path) -> bool:
    """Whether the first line that is not blank begins like a JSON object or list. Raises UserError as `read_lines`."""
    return _first_line(path).lstrip().startswith(("{", "["))


def _first_line(path: Path) -> str:
    return next((line for _, line in read_lines(path, surrogates=True) if line.strip()), "")


class NotJson(str):
    """The first characters of a line that is not JSON."""


class Value(NamedTuple):
    """A JSON value of a file, or `NotJson`.

    `number` counts lines, or the items of a list, from 0. `where` is the place for messages: `train.json:12`, or
    `train.json, item 3`.
    """

    number: int
    where: str
    value: Any


def read_values(path: Path) -> Iterator[Value]:
    """The values on the lines of a file, or those of the whole file if its values go over several lines.

    The items of a single list count, and so do those of the only list of objects in a single object.

    Raises:
        UserError: the file is missing or is not UTF-8, or its list is not valid JSON.
    """
    whole = _values_of_whole_file(path)
    if whole is not None:
        for number, value in enumerate(whole):
            yield Value(number, f"{path}, item {number}", value)
        return
    for number, line in read_lines(path, surrogates=True):
        if line.strip():
            value = json_or_none(line)
            yield Value(number - 1, f"{path}:{number}", NotJson(line[:80]) if value is None else value)


def _values_of_whole_file(path: Path) -> list[Any] | None:
    """The values of a file that is not one of JSON lines, or None if it is."""
    filled = (line for _, line in read_lines(path, surrogates=True) if line.strip())
    lines = list(itertools.islice(filled, 2))
    is_list = bool(lines) and lines[0].lstrip().startswith("[")
    if not lines or ((len(lines) == 2 or not is_list) and json_or_none(lines[0]) is not None):
        return None
    text = read_text(path, surrogates=True)
    try:
        values = list(_successive(text))
    except (ValueError, RecursionError) as error:
        if is_list:
            raise UserError(f"{path}: not valid JSON ({error}); write it again as one list or as JSON lines") from None
        return None  # the first line is damaged
    if len(values) == 1 and isinstance(values[0], dict):
        lists = [own for own in values[0].values() if isinstance(own, list) and own and isinstance(own[0], dict)]
        return lists[0] if len(lists) == 1 and "text" not in values[0] else values
    return values[0] if len(values) == 1 and isinstance(values[0], list) else values


def _successive(text: str) -> Iterator[Any]:
    """The JSON values that stand one after the other in a text. Raises ValueError for anything else."""
    decoder, place = json.JSONDecoder(), 0
    while rest := SPACE.match(text, place):
        place = rest.end()
        if place == len(text):
            return
        value, place = decoder.raw_decode(text, place)
        yield value


# ------------------------------------------------------------------------------------------------------------ records


def read_records(corpus: CorpusConfig, problems: Problems) -> Iterator[tuple[str, Document, dict[str, Any]]]:
    """Place, the document without labels, and the whole record, of every object that has a text.

    The text is under `corpus.text_key`, or `text`. The id is the record's `id`, or else its `Value.number`.

    Raises:
        UserError: the file is missing, is not UTF-8 or is not JSON.
    """
    key = corpus.text_key or "text"
    for number, where, record in read_objects(Path(corpus.path), problems):
        if isinstance(record.get(key), str):
            yield where, Document(identity_of(record, number), record[key]), record
        else:
            problems.add("record without a text", where, describe_missing(key, record))


def identity_of(record: dict[str, Any], number: Any) -> str:
    """The record's `id`, or its number if it has none."""
    return str(number if record.get("id") is None else record["id"])


def describe_missing(key: str, record: dict[str, Any]) -> str:
    """What a record has instead of a text under a key, for messages."""
    return f"it is {record[key]!r:.80}" if key in record else f"its keys are {', '.join(record) or 'none'}"


def read_objects(path: Path, problems: Problems) -> Iterator[Value]:
    """Every JSON object of a file, with surrogates mended. Other values are reported.

    Raises:
        UserError: as `read_values`.
    """
    for number, where, value in read_values(path):
        if isinstance(value, dict):
            yield Value(number, where, writable_record(value, where, problems))
        else:
            problems.add("not a JSON object", where, f"{value!r:.80}")


def check_labels(text: str, labels: Iterable[Label], where: str, problems: Problems) -> tuple[Span, ...]:
    """The spans of the labels that fit the text. The others are reported."""
    spans = (check_label(text, *label, where, problems) for label in labels)
    return sorted_spans(span for span in spans if span)


def unknown_labels(record: dict[str, Any], own: Sequence[str], where: str, optional: bool = False) -> Lost | None:
    """Why the labels of a record are unknown, or None if they are known.

    Args:
        record: of any format.
        own: the keys of the format that it is read in. They may hold an empty value, but one must be there.
        where: its place.
        optional: whether a record may have none of these keys, if it has no labels.
    """
    if any(record.get(key) is not None for key in own):
        return None
    others = [key for key in LABEL_KEYS if key not in own]
    elsewhere = [key for key in others if looks_like_labels(record.get(key)) or (key == "ner_tags" and record.get(key))]
    if elsewhere:
        return Lost("labels under another key", where, f"{', '.join(elsewhere)}, not {' or '.join(own)}")
    return None if optional else Lost("record without labels", where, f"it has no {' or '.join(own)}")


def looks_like_labels(value: Any) -> bool:
    """Whether a value is a list of labels, or a tree of them by category."""
    if isinstance(value, dict):
        return bool(value) and all(isinstance(own, dict) for own in value.values())
    return isinstance(value, list) and bool(value) and all(map(_looks_like_label, value))


def _looks_like_label(value: Any) -> bool:
    if isinstance(value, dict):
        return any(key in value for key in BEGIN_KEYS)
    return isinstance(value, list) and len(value) == 3


def describe_records(corpus: CorpusConfig) -> str:
    """The keys of the first records, for messages."""
    keys: dict[str, None] = {}
    for _, _, value in itertools.islice(read_values(Path(corpus.path)), SAMPLE):
        keys |= dict.fromkeys(value if isinstance(value, dict) else ())
    return f"its records have the keys {', '.join(keys)}" if keys else "it has no JSON object"
