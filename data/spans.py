"""Spans of a text: labelled, doubtful, predicted or judged. All bounds are inclusive and count Python characters."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import NamedTuple, Protocol, TypeVar


class AnySpan(Protocol):
    """What all kinds of spans have in common: a category, and the stretch `text[begin : end + 1]`."""

    @property
    def category(self) -> str: ...

    @property
    def begin(self) -> int: ...

    @property
    def end(self) -> int: ...


class Span(NamedTuple):
    """A labelled stretch of text, `text[begin : end + 1]`."""

    category: str
    begin: int
    end: int


ANY_CATEGORY = "*"  # of a doubt


class Doubt(NamedTuple):
    """A stretch `text[begin : end + 1]` whose labels are doubtful, for one category or for `ANY_CATEGORY`.

    Training allows any tag there (partial likelihood). `belief` is the share of the loss that uses the labels as they
    are: 0 ignores them, and 1 trusts them fully.
    """

    category: str
    begin: int
    end: int
    belief: float = 0.0


SpanOrDoubt = TypeVar("SpanOrDoubt", Span, Doubt)


class ScoredSpan(NamedTuple):
    """A predicted span. `probability` is the model's confidence in exactly these bounds and this category.

    A CRF gives the posterior probability. Other heads give a score of their own (model/reading/tagger.py).
    """

    category: str
    begin: int
    end: int
    probability: float


class JudgedSpan(NamedTuple):
    """A span that a model has scored. `found` says whether the span is in the model's best prediction for the text."""

    category: str
    begin: int
    end: int
    probability: float
    found: bool


Asked = Sequence[Sequence["Span"]] | None  # spans of each document that are judged in any case


def with_asked(candidates: Sequence[JudgedSpan], asked: Sequence[Span]) -> list[JudgedSpan]:
    """The candidates of a document and, with probability 0, the spans that were asked for and are none."""
    judged = {one[:3] for one in candidates}
    return sorted([*candidates, *(JudgedSpan(*span, 0.0, False) for span in asked if tuple(span) not in judged)],
                  key=place_in_text)  # fmt: skip


def place_in_text(span: AnySpan) -> tuple[int, int, str]:
    """Begin, end and category: the order of spans."""
    return span.begin, span.end, span.category


def sorted_spans(spans: Iterable[SpanOrDoubt]) -> tuple[SpanOrDoubt, ...]:
    """The spans by begin, end, category, without repetitions."""
    return tuple(sorted(set(spans), key=lambda span: (span.begin, span.end, span)))


def overlap(one: AnySpan, other: AnySpan) -> bool:
    """Whether two spans of a text share a character."""
    return one.begin <= other.end and other.begin <= one.end


def clash(one: AnySpan, other: AnySpan) -> bool:
    """Whether two spans have the same category and share a character, so that no chain of tags can hold both."""
    return one.category == other.category and overlap(one, other)


def fit_in_chains(spans: Iterable[Span], chain_of: Callable[[Span], Hashable]) -> tuple[list[Span], list[Span]]:
    """Divide spans into those that chains of tags can hold, and those that overlap a longer one in their chain.

    Longer spans come first, and of equally long ones the first in the text. `TagScheme.encode` follows the same rule.

    Args:
        spans: of one text.
        chain_of: the chain of a span, such as its category.

    Returns:
        The spans that are held and those that are left out, longest first.
    """
    held, left_out = [], []
    taken: set[tuple[Hashable, int]] = set()
    for span in sorted(spans, key=lambda span: (span.begin - span.end, span.begin)):
        places = {(chain_of(span), place) for place in range(span.begin, span.end + 1)}
        if taken & places:
            left_out.append(span)
        else:
            taken |= places
            held.append(span)
    return held, left_out
