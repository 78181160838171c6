"""Spans of a text: labelled, in doubt, predicted or judged. All bounds are inclusive and count Python characters."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, TypeVar


class Span(NamedTuple):
    """A labelled stretch of text: `text[begin : end + 1]`. `end` is inclusive, both count Python characters."""

    category: str
    begin: int
    end: int


ANY_CATEGORY = "*"  # of a doubt


class Doubt(NamedTuple):
    """A stretch `text[begin : end + 1]` whose labels are not to be believed, of one category or of `ANY_CATEGORY`.

    Training allows any tag there (partial likelihood). `belief` is the share of the loss that takes the labels as they
    stand all the same: 0 not at all, 1 as if there were no doubt.
    """

    category: str
    begin: int
    end: int
    belief: float = 0.0


Kind = TypeVar("Kind", Span, Doubt)


class ScoredSpan(NamedTuple):
    """A predicted span. `probability` is how sure its model is of exactly these bounds and this category: of a CRF the
    marginal, of other heads a score of theirs (model/reading/tagger.py)."""

    category: str
    begin: int
    end: int
    probability: float


class JudgedSpan(NamedTuple):
    """A span that a model has judged; `found` says that it stands in the model's best reading of the text."""

    category: str
    begin: int
    end: int
    probability: float
    found: bool


def place_in_text(span: Span | ScoredSpan | JudgedSpan) -> tuple[int, int, str]:
    """What spans of a text are sorted by: begin, end, category."""
    return span.begin, span.end, span.category


def sorted_spans(spans: Iterable[Kind]) -> tuple[Kind, ...]:
    """Without repetitions, by begin, end, category."""
    return tuple(sorted(set(spans), key=lambda span: (span.begin, span.end, span)))


def overlap(one: Span | ScoredSpan, other: Span | ScoredSpan) -> bool:
    """Whether two spans of a text share a character."""
    return one.begin <= other.end and other.begin <= one.end


def clash(one: Span | ScoredSpan, other: Span | ScoredSpan) -> bool:
    """Whether two spans are of one category and share a character: no chain of tags can hold both."""
    return one.category == other.category and overlap(one, other)
