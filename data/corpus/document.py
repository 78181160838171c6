"""Documents with labelled spans, and the JSON lines that hold them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from data.spans import AnySpan, Doubt, Span


@dataclass(frozen=True)
class Document:
    """A text with its labels.

    Attributes:
        id: unique within its corpus.
        text: exactly as stored, newlines included.
        spans: the labels, sorted by begin, end, category; they may overlap.
        doubtful: stretches whose labels are doubtful.
        weight: of its loss; 1 for an ordinary document.
    """

    id: str
    text: str
    spans: tuple[Span, ...] = ()
    doubtful: tuple[Doubt, ...] = ()
    weight: float = 1.0


def entity_record(text: str, span: AnySpan) -> dict[str, Any]:
    """A span as JSON lines have it: `category`, `pos_b`, `pos_e` and its text, `privacy`."""
    return {
        "category": span.category,
        "pos_b": span.begin,
        "pos_e": span.end,
        "privacy": text[span.begin : span.end + 1],
    }


def to_record(document: Document) -> dict[str, Any]:
    """A document as JSON lines have it; see `format_jsonl.read_jsonl`."""
    entities = [entity_record(document.text, span) for span in document.spans]
    record: dict[str, Any] = {"id": document.id, "text": document.text, "entities": entities}
    if document.doubtful:
        record["doubtful"] = [_doubt_record(document.text, doubt) for doubt in document.doubtful]
    if document.weight != 1:
        record["weight"] = document.weight
    return record


def _doubt_record(text: str, doubt: Doubt) -> dict[str, Any]:
    return entity_record(text, doubt) | ({"belief": doubt.belief} if doubt.belief else {})


def from_record(record: dict[str, Any]) -> Document:
    """The document of a record that `to_record` made; nothing is checked."""
    spans = (Span(one["category"], one["pos_b"], one["pos_e"]) for one in record["entities"])
    doubtful = (
        Doubt(one["category"], one["pos_b"], one["pos_e"], one.get("belief", 0.0)) for one in record.get("doubtful", [])
    )
    return Document(record["id"], record["text"], tuple(spans), tuple(doubtful), record.get("weight", 1.0))


def to_json(document: Document) -> str:
    """A document as one JSON line, without a newline."""
    return json.dumps(to_record(document), ensure_ascii=False)


def to_jsonl(documents: Iterable[Document]) -> str:
    """A corpus as JSON lines."""
    return "".join(to_json(document) + "\n" for document in documents)


def bare(text: str) -> str:
    """The text without white space."""
    return "".join(text.split())


def category_counts(documents: Iterable[Document]) -> Counter[str]:
    """How many spans each category has."""
    return Counter(span.category for document in documents for span in document.spans)
