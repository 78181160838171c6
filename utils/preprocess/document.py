"""What a corpus is made of: documents with labelled spans, and the list of what could not be used."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple


class Span(NamedTuple):
    """A labelled stretch of text: `text[begin : end + 1]`. `end` is inclusive, both count Python characters."""

    category: str
    begin: int
    end: int


class ScoredSpan(NamedTuple):
    """A predicted span. `probability` is the posterior of exactly these bounds and this category (its CRF marginal)."""

    category: str
    begin: int
    end: int
    probability: float


@dataclass(frozen=True)
class Document:
    """A text and what is known about it.

    Attributes:
        id: unique within its corpus.
        text: exactly as stored, newlines included.
        spans: the labels, sorted by begin, end, category; they may overlap.
        doubtful: stretches whose tags are not to be believed; training allows any tag of that category there, or of
            every category where the category is `*` (partial likelihood).
    """

    id: str
    text: str
    spans: tuple[Span, ...] = ()
    doubtful: tuple[Span, ...] = ()


def entity_record(text: str, span: Span | ScoredSpan) -> dict[str, Any]:
    """The values of one span in a JSON line."""
    return {
        "category": span.category,
        "pos_b": span.begin,
        "pos_e": span.end,
        "privacy": text[span.begin : span.end + 1],
    }


def to_record(document: Document) -> dict[str, Any]:
    """The values of a document's JSON line."""
    entities = [entity_record(document.text, span) for span in document.spans]
    record = {"id": document.id, "text": document.text, "entities": entities}
    if document.doubtful:
        record["doubtful"] = [entity_record(document.text, span) for span in document.doubtful]
    return record


def from_record(record: dict[str, Any]) -> Document:
    """The inverse of `to_record`, for what this program wrote itself; nothing is checked."""

    def spans(entities: list[dict[str, Any]]) -> tuple[Span, ...]:
        return tuple(Span(entity["category"], entity["pos_b"], entity["pos_e"]) for entity in entities)

    return Document(record["id"], record["text"], spans(record["entities"]), spans(record.get("doubtful", [])))


def to_json(document: Document) -> str:
    """One line of the house's own format."""
    return json.dumps(to_record(document), ensure_ascii=False)


@dataclass
class Problems:
    """What was dropped on the way, and why. Readers add to it and go on; the last line of a run counts it."""

    counts: Counter[str] = field(default_factory=Counter)
    messages: list[str] = field(default_factory=list)
    keep: int = 200  # messages kept in full; the counts are always complete

    def add(self, reason: str, where: str, detail: str = "") -> None:
        """`reason` is what gets counted ("label text differs"), `where` a file and line, `detail` what was found."""
        self.counts[reason] += 1
        if len(self.messages) < self.keep:
            self.messages.append(f"{where}: {reason}" + (f": {detail}" if detail else ""))

    def summary(self) -> str:
        """`dropped 3: label text differs 2, empty text 1`, or `dropped nothing`."""
        if not self.counts:
            return "dropped nothing"
        reasons = ", ".join(f"{reason} {count}" for reason, count in self.counts.most_common())
        return f"dropped {sum(self.counts.values())}: {reasons}"


def sorted_spans(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Without repetitions, by begin, end, category."""
    return tuple(sorted(set(spans), key=lambda span: (span.begin, span.end, span.category)))


def category_counts(documents: Iterable[Document]) -> Counter[str]:
    """How many spans each category has."""
    return Counter(span.category for document in documents for span in document.spans)


def iterate_spans(documents: Iterable[Document]) -> Iterator[tuple[str, Span]]:
    """Every span with the id of its document."""
    return ((document.id, span) for document in documents for span in document.spans)
