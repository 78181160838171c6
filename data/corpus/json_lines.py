"""Corpora with a JSON object on each line: what their readers share."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from config import CorpusConfig
from data.corpus.corpus_files import read_lines
from data.corpus.document import Document
from data.corpus.label_check import check_label, writable_record
from data.problems import Problems
from data.spans import Span, sorted_spans


class Label(NamedTuple):
    """A label as read, so that its values may have any type."""

    category: Any
    begin: Any
    end: Any
    expected: Any  # its own copy of its text


def parse_line(line: str) -> Any:
    """The JSON value of a line, or None if the line is not JSON."""
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def read_records(corpus: CorpusConfig, problems: Problems) -> Iterator[tuple[str, Document, dict[str, Any]]]:
    """File and line, the document without labels, and the whole record, of every line that has a text.

    The id is the record's `id`, or else the number of the line, from 0.

    Raises:
        UserError: the file is missing or is not UTF-8.
    """
    for number, line in read_lines(Path(corpus.path)):
        if not line.strip():
            continue
        where = f"{corpus.path}:{number}"
        record = parse_line(line)
        if not isinstance(record, dict):
            problems.add("line is not a JSON object", where, repr(line[:80]))
        elif not isinstance(record.get("text"), str):
            keys = ", ".join(record) or "none"
            found = f"it is {record['text']!r:.80}" if "text" in record else f"its keys are {keys}"
            problems.add("line without a text", where, found)
        else:
            record = writable_record(record, where, problems)
            identity = record.get("id")
            yield where, Document(str(number - 1 if identity is None else identity), record["text"]), record


def check_labels(text: str, labels: Iterable[Label], where: str, problems: Problems) -> tuple[Span, ...]:
    """The spans of the labels that fit the text. The others are reported."""
    spans = (check_label(text, *label, where, problems) for label in labels)
    return sorted_spans(span for span in spans if span)
