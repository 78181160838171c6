"""What a corpus is made of: documents with labelled spans, and the list of what could not be used as it is."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from data.spans import Doubt, ScoredSpan, Span


@dataclass(frozen=True)
class Document:
    """A text and what is known about it.

    Attributes:
        id: unique within its corpus.
        text: exactly as stored, newlines included.
        spans: the labels, sorted by begin, end, category; they may overlap.
        doubtful: stretches whose labels are not to be believed, or not wholly.
        weight: what its loss counts for, beside 1 of an ordinary document.
    """

    id: str
    text: str
    spans: tuple[Span, ...] = ()
    doubtful: tuple[Doubt, ...] = ()
    weight: float = 1.0


def entity_record(text: str, span: Span | Doubt | ScoredSpan) -> dict[str, Any]:
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
        record["doubtful"] = [_doubt_record(document.text, doubt) for doubt in document.doubtful]
    if document.weight != 1:
        record["weight"] = document.weight
    return record


def _doubt_record(text: str, doubt: Doubt) -> dict[str, Any]:
    return entity_record(text, doubt) | ({"belief": doubt.belief} if doubt.belief else {})


def from_record(record: dict[str, Any]) -> Document:
    """The inverse of `to_record`, for what this program wrote itself; nothing is checked."""

    spans = (Span(one["category"], one["pos_b"], one["pos_e"]) for one in record["entities"])
    doubtful = (
        Doubt(one["category"], one["pos_b"], one["pos_e"], one.get("belief", 0.0)) for one in record.get("doubtful", [])
    )
    return Document(record["id"], record["text"], tuple(spans), tuple(doubtful), record.get("weight", 1.0))


def to_json(document: Document) -> str:
    """One line of the house's own format."""
    return json.dumps(to_record(document), ensure_ascii=False)


def to_jsonl(documents: Iterable[Document]) -> str:
    """A corpus in the house's own format."""
    return "".join(to_json(document) + "\n" for document in documents)


@dataclass
class Problems:
    """What was dropped or changed on the way, and why. Readers add to it and go on; a run's last line counts it.

    Attributes:
        counts: what was dropped, by reason.
        changed: what was kept, but not as it stood, by reason.
        messages: a line for each, as far as they are kept.
        warnings: what is probably a mistake, though nothing was dropped or changed for it.
    """

    counts: Counter[str] = field(default_factory=Counter)
    changed: Counter[str] = field(default_factory=Counter)
    messages: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    keep: int = 200  # messages kept in full; the counts are always complete

    def add(self, reason: str, where: str, detail: str = "") -> None:
        """Something was dropped.

        `reason` is what gets counted ("label text differs"), `where` a file and line, `detail` what was found.
        """
        self._count(self.counts, reason, where, detail)

    def change(self, reason: str, where: str, detail: str = "") -> None:
        """Something was kept, but not as it stood ("unknown tag, read as O")."""
        self._count(self.changed, reason, where, detail)

    def _count(self, counts: Counter[str], reason: str, where: str, detail: str) -> None:
        counts[reason] += 1
        if len(self.messages) < self.keep:
            self.messages.append(f"{where}: {reason}" + (f": {detail}" if detail else ""))

    @property
    def found(self) -> bool:
        """Whether there is anything to tell."""
        return bool(self.messages or self.warnings)

    def summary(self) -> str:
        """`dropped 3: label text differs 2, empty text 1; changed 1: unknown tag, read as O 1`, `dropped nothing`."""
        dropped = _counted("dropped", self.counts) if self.counts else "dropped nothing"
        return dropped + (f"; {_counted('changed', self.changed)}" if self.changed else "")

    def report(self, shown: int = 20) -> str:
        """For a person: the warnings and the first messages in full, then how many more, last the summary."""
        lines = [f"  {message}" for message in (*self.warnings, *self.messages[:shown])]
        if (more := self.counts.total() + self.changed.total() - shown) > 0:
            lines.append(f"  ... and {more} more")
        return "\n".join([*lines, self.summary()])


def _counted(what: str, counts: Counter[str]) -> str:
    reasons = ", ".join(f"{reason} {count}" for reason, count in counts.most_common())
    return f"{what} {counts.total()}: {reasons}"


def category_counts(documents: Iterable[Document]) -> Counter[str]:
    """How many spans each category has."""
    return Counter(span.category for document in documents for span in document.spans)


def iterate_spans(documents: Iterable[Document]) -> Iterator[tuple[str, Span]]:
    """Every span with the id of its document."""
    return ((document.id, span) for document in documents for span in document.spans)
