"""What is wrong with labels, told by the true ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from data.corpus.document import Document
from data.spans import Span, sorted_spans

Kind = Literal["missing", "type", "boundary", "spurious"]
KINDS: tuple[Kind, ...] = ("missing", "type", "boundary", "spurious")


class LabelError(NamedTuple):
    """A true span and what the labels have in its place.

    | true   | noisy                                     | kinds          |
    |--------|-------------------------------------------|----------------|
    | a span | nothing                                   | missing        |
    | a span | the same place, another category          | type           |
    | a span | a place that overlaps, the same category  | boundary       |
    | a span | a place that overlaps, another category   | type, boundary |
    | none   | a span                                    | spurious       |
    """

    true: Span | None
    noisy: Span | None

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """What is wrong: one kind, or two at once."""
        if self.noisy is None:
            return ("missing",)
        if self.true is None:
            return ("spurious",)
        differs: dict[Kind, bool] = {
            "type": self.true.category != self.noisy.category,
            "boundary": self.true[1:] != self.noisy[1:],
        }
        return tuple(kind for kind, wrong in differs.items() if wrong)

    @property
    def category(self) -> str:
        """The true one; that of a spurious span is its own."""
        return (self.true or self.noisy).category


def label_errors(true: Iterable[Span], noisy: Iterable[Span]) -> list[LabelError]:
    """Every difference between the true and the noisy spans of a text, by place.

    A noisy span stands for a true one that it overlaps. Where several could, the likest are paired first: those that
    differ in one kind before those that differ in two, then by the share of their characters that both have; no span
    is paired twice. What is left over is missing or spurious.
    """
    true, noisy = set(true), set(noisy)
    lost, wrong = true - noisy, noisy - true
    pairs = [LabelError(one, other) for one in lost for other in wrong if _common(one, other) > 0]
    errors = []
    for pair in sorted(pairs, key=_unlikeness):
        if pair.true in lost and pair.noisy in wrong:
            lost.remove(pair.true)
            wrong.remove(pair.noisy)
            errors.append(pair)
    errors += [LabelError(span, None) for span in lost] + [LabelError(None, span) for span in wrong]
    place = {span: number for number, span in enumerate(sorted_spans(true | noisy))}
    return sorted(errors, key=lambda error: place[error.true or error.noisy])


def count_errors(truth: Sequence[Document], noisy: Sequence[Document]) -> dict[str, Counter[Kind]]:
    """How many label errors of each kind each category has; a span that is wrong in two ways counts for both.

    Args:
        truth: documents with their true labels.
        noisy: the same documents in the same order.

    Raises:
        ValueError: they are not the same documents.
    """
    counts: dict[str, Counter[Kind]] = {}
    for document, other in zip(truth, noisy, strict=True):
        if (document.id, document.text) != (other.id, other.text):
            raise ValueError(f"document {document.id!r} is compared with {other.id!r} or with another text")
        for error in label_errors(document.spans, other.spans):
            counts.setdefault(error.category, Counter()).update(error.kinds)
    return counts


def _common(one: Span, other: Span) -> int:
    """Characters that both have."""
    return max(min(one.end, other.end) - max(one.begin, other.begin) + 1, 0)


def _unlikeness(pair: LabelError) -> tuple:
    """Small for spans that are much alike; never equal for two pairs, so that their order means nothing."""
    one, other = pair.true, pair.noisy
    union = max(one.end, other.end) - min(one.begin, other.begin) + 1
    return len(pair.kinds), -_common(one, other) / union, one.begin, one.end, one.category, other
