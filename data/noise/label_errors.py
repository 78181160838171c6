"""The errors of noisy labels, found by comparison with the true ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from data.corpus.document import Document
from data.spans import Span, sorted_spans

ErrorKind = Literal["missing", "type", "boundary", "spurious"]
ERROR_KINDS: tuple[ErrorKind, ...] = ("missing", "type", "boundary", "spurious")


class LabelError(NamedTuple):
    """A true span and the noisy span in its place.

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
    def kinds(self) -> tuple[ErrorKind, ...]:
        """One kind, or two at once."""
        if self.noisy is None:
            return ("missing",)
        if self.true is None:
            return ("spurious",)
        return _differences(self.true, self.noisy)

    @property
    def span(self) -> Span:
        """The true span, or the noisy one if it is spurious.

        Raises:
            ValueError: there is neither.
        """
        if (span := self.true or self.noisy) is None:
            raise ValueError("a label error needs a true or a noisy span")
        return span

    @property
    def category(self) -> str:
        """The category of `span`."""
        return self.span.category


def label_errors(true: Iterable[Span], noisy: Iterable[Span]) -> list[LabelError]:
    """All differences between the true and the noisy spans of a text, in order of their places.

    A true span is paired with a noisy span that overlaps it. The most similar spans are paired first. Spans that
    differ in one kind come before those that differ in two, then those that share more of their characters. No span is
    paired twice. True spans without a partner are missing, and noisy spans without one are spurious.
    """
    true, noisy = set(true), set(noisy)
    lost, wrong = true - noisy, noisy - true
    pairs = [(one, other) for one in lost for other in wrong if _common(one, other) > 0]
    errors = []
    for one, other in sorted(pairs, key=lambda pair: _unlikeness(*pair)):
        if one in lost and other in wrong:
            lost.remove(one)
            wrong.remove(other)
            errors.append(LabelError(one, other))
    errors += [LabelError(span, None) for span in lost] + [LabelError(None, span) for span in wrong]
    place = {span: number for number, span in enumerate(sorted_spans(true | noisy))}
    return sorted(errors, key=lambda error: place[error.span])


def count_errors(truth: Sequence[Document], noisy: Sequence[Document]) -> dict[str, Counter[ErrorKind]]:
    """Count the label errors of each kind in each category. A span with errors of two kinds counts for both.

    Args:
        truth: documents with their true labels.
        noisy: the same documents in the same order, with noisy labels.

    Raises:
        ValueError: they are not the same documents.
    """
    counts: dict[str, Counter[ErrorKind]] = {}
    for document, other in zip(truth, noisy, strict=True):
        if (document.id, document.text) != (other.id, other.text):
            raise ValueError(f"document {document.id!r} is compared with {other.id!r} or with another text")
        for error in label_errors(document.spans, other.spans):
            counts.setdefault(error.category, Counter()).update(error.kinds)
    return counts


def _differences(one: Span, other: Span) -> tuple[ErrorKind, ...]:
    differs: dict[ErrorKind, bool] = {"type": one.category != other.category, "boundary": one[1:] != other[1:]}
    return tuple(kind for kind, wrong in differs.items() if wrong)


def _common(one: Span, other: Span) -> int:
    """How many characters both have."""
    return max(min(one.end, other.end) - max(one.begin, other.begin) + 1, 0)


def _unlikeness(one: Span, other: Span) -> tuple[int, float, int, int, str, Span]:
    """Small for similar spans, and different for different pairs, so that the result does not depend on their order."""
    union = max(one.end, other.end) - min(one.begin, other.begin) + 1
    return len(_differences(one, other)), -_common(one, other) / union, one.begin, one.end, one.category, other
