"""JSON of doccano: a text and its labels as triples, or as entities beside relations.

    {"id": 1, "text": "...", "label": [[76, 79, "name"]]}
    {"id": 1, "text": "...", "entities": [{"id": 4, "label": "name", "start_offset": 76, "end_offset": 79}],
     "relations": [...]}

Ends are exclusive. Triples may also stand under `labels`, or under `entities` as in spaCy's training data.

Offsets are read as characters. doccano itself counts UTF-16 units, or visible characters, and has no copy of a label's
text to tell which (doccano issue 2290). The three differ after an emoji, so the report warns of labels that follow one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from config import CorpusConfig
from data.corpus.document import Document
from data.corpus.json_records import Label, check_labels, describe_records, read_records, unknown_labels
from data.corpus.label_check import expect_kind
from data.corpus.reader import Located, Reader
from data.corpus.writer import Writer
from data.problems import Problems

BEYOND_16_BITS = re.compile("[\U00010000-\U0010ffff]")
KEYS = ("label", "labels", "entities", "annotations")


def read_doccano(corpus: CorpusConfig, problems: Problems) -> Iterator[Located]:
    """Documents of an export. Relations are not read.

    Raises:
        UserError: the file is missing, is not UTF-8 or is not JSON.
    """
    relations = after_emoji = 0
    for where, document, record in read_records(corpus, problems):
        labels = [label for key in KEYS for label in _labels(record.get(key), key, where, problems)]
        relations += len(record["relations"]) if isinstance(record.get("relations"), list) else 0
        spans = check_labels(document.text, labels, where, problems)
        after_emoji += sum(bool(BEYOND_16_BITS.search(document.text, 0, span.end + 1)) for span in spans)
        lost = unknown_labels(record, KEYS, where)
        yield Located(where, Document(document.id, document.text, spans), lost)
    if after_emoji:
        problems.warnings.append(
            f"{corpus.path}: {after_emoji} labels follow an emoji or a rare character, which doccano may count as two; "
            "check them"
        )
    if relations:
        problems.notes.append(f"{corpus.path}: {relations} relations are not read")


def _labels(values: Any, key: str, where: str, problems: Problems) -> Iterator[Label]:
    for value in expect_kind(list, values, key, where, problems):
        if isinstance(value, list) and len(value) == 3:
            yield label_of(value[2], value[0], value[1])
        elif value := expect_kind(dict, value, key, where, problems):
            yield label_of(value.get("label"), value.get("start_offset"), value.get("end_offset"))


def label_of(category: Any, begin: Any, end: Any, expected: Any = None) -> Label:
    """A label whose end is exclusive. Values of a wrong type are left for `check_label`."""
    return Label(category, begin, end - 1 if type(end) is int else end, expected)


def _is_doccano(record: dict[str, Any]) -> bool:
    return any(isinstance(values := record.get(key), list) and values and all(map(_is_label, values)) for key in KEYS)


def _is_label(value: Any) -> bool:
    if isinstance(value, dict):
        return "start_offset" in value and "end_offset" in value
    return isinstance(value, list) and [type(part) for part in value] == [int, int, str]


def write_doccano(documents: Sequence[Document], output: Path, problems: Problems) -> None:
    """Write JSON lines that doccano imports as sequence labels. Nothing is left out."""
    with output.open("w", encoding="utf-8", newline="\n") as lines:
        for document in documents:
            labels = [[span.begin, span.end + 1, span.category] for span in document.spans]
            record = {"id": document.id, "text": document.text, "label": labels}
            lines.write(json.dumps(record, ensure_ascii=False) + "\n")


READER = Reader(
    labels="`label` or `labels`, a list of [begin, end, category], end exclusive, or `entities` with start_offset",
    read=read_doccano,
    recognises_record=_is_doccano,
    describe=describe_records,
)
WRITERS = {"doccano": Writer("JSON lines with label, for doccano", write_doccano)}
