"""The format of `document.to_json`: JSON objects with the labels as a list."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from config import CorpusConfig
from data.corpus.document import Document, to_jsonl
from data.corpus.json_records import Label, check_labels, describe_records, read_records, unknown_labels
from data.corpus.label_check import check_label, each_of_kind, expect_kind
from data.corpus.reader import Located, Reader
from data.corpus.writer import Writer
from data.problems import Problems
from data.spans import Doubt, sorted_spans


def read_jsonl(corpus: CorpusConfig, problems: Problems) -> Iterator[Located]:
    """Documents as `document.to_json` writes them.

    | key        | value                                                                                    |
    |------------|------------------------------------------------------------------------------------------|
    | `text`     | the text                                                                                 |
    | `entities` | optional; list of `{"category", "pos_b", "pos_e", "privacy"}`, pos_e inclusive, privacy  |
    |            | (the text at that place, to compare) optional                                            |
    | `doubtful` | optional; a list like `entities`, each with an optional `belief` from 0 to 1, 0 if not   |
    |            | given; the category may be `*`                                                           |
    | `weight`   | optional; what the document's loss counts for; 1 if not given                            |
    | `id`       | optional; otherwise the record's number, from 0                                          |

    Raises:
        UserError: the file is missing or is not UTF-8.
    """
    for where, document, record in read_records(corpus, problems):
        labels = _list_labels(record.get("entities"), "entities", where, problems)
        spans = check_labels(document.text, labels, where, problems)
        doubtful = _doubts(document.text, record.get("doubtful"), where, problems)
        weight = _number(record, "weight", 1.0, where, problems)
        lost = unknown_labels(record, ["entities"], where, optional=True)
        yield Located(where, Document(document.id, document.text, spans, doubtful, weight), lost)


def _list_labels(entities: Any, key: str, where: str, problems: Problems) -> Iterator[Label]:
    for entity in each_of_kind(dict, entities, key, where, problems):
        yield Label(entity.get("category"), entity.get("pos_b"), entity.get("pos_e"), entity.get("privacy"))


def _doubts(text: str, records: Any, where: str, problems: Problems) -> tuple[Doubt, ...]:
    doubts = []
    for record in expect_kind(list, records, "doubtful", where, problems):
        for label in _list_labels([record], "doubtful", where, problems):
            if span := check_label(text, *label, where, problems):
                doubts.append(Doubt(*span, min(_number(record, "belief", 0.0, where, problems), 1.0)))
    return sorted_spans(doubts)


def _number(record: dict[str, Any], key: str, default: float, where: str, problems: Problems) -> float:
    """A number from 0 up, or the default. A value that is not such a number is reported."""
    value = record.get(key, default)
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < math.inf:
        return float(value)
    problems.change(f"{key} is no number from 0 up, read as {default:g}", where, repr(value))
    return default


def _is_jsonl(record: dict[str, Any]) -> bool:
    entities = record.get("entities")
    return (
        isinstance(entities, list)
        and bool(entities)
        and all(isinstance(one, dict) and "pos_b" in one for one in entities)
    )


def write_jsonl(documents: Sequence[Document], output: Path, problems: Problems) -> None:
    """Write documents as `document.to_json` does. Nothing is left out."""
    output.write_text(to_jsonl(documents), encoding="utf-8", newline="\n")


READER = Reader(
    labels="`entities`, a list of {category, pos_b, pos_e}, pos_e inclusive",
    read=read_jsonl,
    recognises_record=_is_jsonl,
    describe=describe_records,
)
WRITERS = {"jsonl": Writer("JSON lines with text and entities", write_jsonl)}
