"""Corpora of one JSON object a line: CLUENER and the house's own documents."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from config import CorpusConfig
from data.corpus.corpus_files import read_lines
from data.corpus.document import Document
from data.corpus.label_check import Located, check_label, expect_kind, writable_record
from data.problems import Problems
from data.spans import Doubt, Span, sorted_spans

Label = tuple[Any, Any, Any, Any]  # category, begin, end, own text: as read, so of any type


def read_cluener(corpus: CorpusConfig, problems: Problems) -> Iterator[Located]:
    """Sentences of a CLUENER file.

    | key     | value                                                             |
    |---------|-------------------------------------------------------------------|
    | `text`  | the sentence                                                      |
    | `label` | `{category: {text: [[begin, end], ...]}}`, end inclusive          |
    | `id`    | optional; otherwise the line's number, from 0                     |

    Raises:
        UserError: the file is missing or not UTF-8.
    """
    for where, document, record in _documents(corpus, problems):
        spans = _spans(document.text, _tree_labels(record.get("label"), where, problems), where, problems)
        yield Located(where, Document(document.id, document.text, spans))


def read_jsonl(corpus: CorpusConfig, problems: Problems) -> Iterator[Located]:
    """Documents of the house's own format, which `document.to_json` writes.

    | key        | value                                                                                    |
    |------------|------------------------------------------------------------------------------------------|
    | `text`     | the text                                                                                 |
    | `entities` | optional; list of `{"category", "pos_b", "pos_e", "privacy"}`, pos_e inclusive, privacy  |
    |            | (the text at that place, to compare) optional                                            |
    | `doubtful` | optional; a list like `entities`, each with an optional `belief` from 0 to 1, 0 if not   |
    |            | given; the category may be `*`                                                           |
    | `weight`   | optional; what the document's loss counts for; 1 if not given                            |
    | `id`       | optional; otherwise the line's number, from 0                                            |

    Raises:
        UserError: the file is missing or not UTF-8.
    """
    for where, document, record in _documents(corpus, problems):
        labels = _list_labels(record.get("entities"), "entities", where, problems)
        spans = _spans(document.text, labels, where, problems)
        doubtful = _doubts(document.text, record.get("doubtful"), where, problems)
        weight = _number(record, "weight", 1.0, where, problems)
        yield Located(where, Document(document.id, document.text, spans, doubtful, weight))


def parse_line(line: str) -> Any:
    """The JSON value of a line, or None where there is none."""
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _documents(corpus: CorpusConfig, problems: Problems) -> Iterator[tuple[str, Document, dict[str, Any]]]:
    """Place, id and text, and the whole record, of every line that has a text."""
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


def _tree_labels(tree: Any, where: str, problems: Problems) -> Iterator[Label]:
    """CLUENER's tree as a flat list."""
    for category, texts in expect_kind(dict, tree, "label", where, problems).items():
        for expected, places in expect_kind(dict, texts, "label", where, problems).items():
            for place in expect_kind(list, places, "label", where, problems):
                begin, end = place if isinstance(place, list) and len(place) == 2 else (place, None)
                yield category, begin, end, expected


def _list_labels(entities: Any, key: str, where: str, problems: Problems) -> Iterator[Label]:
    for entity in expect_kind(list, entities, key, where, problems):
        if entity := expect_kind(dict, entity, key, where, problems):
            yield entity.get("category"), entity.get("pos_b"), entity.get("pos_e"), entity.get("privacy")


def _doubts(text: str, records: Any, where: str, problems: Problems) -> tuple[Doubt, ...]:
    doubts = []
    for record in expect_kind(list, records, "doubtful", where, problems):
        for label in _list_labels([record], "doubtful", where, problems):
            if span := check_label(text, *label, where, problems):
                doubts.append(Doubt(*span, min(_number(record, "belief", 0.0, where, problems), 1.0)))
    return sorted_spans(doubts)


def _number(record: dict[str, Any], key: str, default: float, where: str, problems: Problems) -> float:
    """A number from 0 up; the default where there is none, reported unless nothing was there."""
    value = record.get(key, default)
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < math.inf:
        return float(value)
    problems.change(f"{key} is no number from 0 up, read as {default:g}", where, repr(value))
    return default


def _spans(text: str, labels: Iterable[Label], where: str, problems: Problems) -> tuple[Span, ...]:
    spans = (check_label(text, *label, where, problems) for label in labels)
    return sorted_spans(span for span in spans if span)
