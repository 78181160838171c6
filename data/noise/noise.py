"""Adds label errors at known rates, so that methods that clean labels can be compared with the truth."""

from __future__ import annotations

import random
import zlib
from bisect import bisect
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import accumulate
from typing import TypeVar

from data.corpus.document import Document
from data.spans import Span, clash, sorted_spans
from utils.errors import UserError

MARKS = frozenset("\n\r。！？；，!?;,")  # not inside a spurious span
TRIES = 10  # draws of a spurious span's length, until a text counts as too crowded for it

Option = TypeVar("Option")


@dataclass(frozen=True)
class NoiseRates:
    """How often labels become wrong. Each rate is at least 0 and below 1.

    Attributes:
        missing: share of the true spans that are dropped.
        type: share of the remaining spans that get another category of the corpus.
        boundary: share of the remaining spans whose begin or end moves by one or two characters.
        spurious: spans added where nothing is labelled, per true span.

    Raises:
        UserError: a rate is outside [0, 1).
    """

    missing: float = 0.0
    type: float = 0.0
    boundary: float = 0.0
    spurious: float = 0.0

    def __post_init__(self) -> None:
        for rate in fields(self):
            if not 0 <= (value := getattr(self, rate.name)) < 1:
                raise UserError(f"noise rate {rate.name} is {value}; it must be at least 0 and below 1")


def add_noise(
    documents: Sequence[Document], rates: NoiseRates, seed: int, by_category: Mapping[str, NoiseRates] | None = None
) -> list[Document]:
    """Return copies of the documents with some labels wrong.

    The changes of a document depend on the seed, its id and the whole corpus, not on the order of documents. Spans of
    one category are not made to overlap. A change that does not fit into a text is left out. Crowded texts therefore
    have fewer spurious spans than their rate says.

    Args:
        documents: with their true labels.
        rates: of all categories that are not in `by_category`.
        seed: of what is drawn.
        by_category: the rates of some categories. The rates of a span are those of its true category. The spurious rate
            of a category is per true span of this category.
    """
    labels = [span for document in documents for span in document.spans]
    shapes = sorted((span.category, span.end - span.begin + 1) for span in labels)
    if not shapes:
        return list(documents)
    categories = sorted({category for category, _ in shapes})
    own = {category: (by_category or {}).get(category, rates) for category in categories}
    # Relative to the largest rate, so that equal rates give every shape weight 1 and the same draws as a single rate.
    most = max(rates.spurious for rates in own.values())
    weights = list(accumulate(own[category].spurious / (most or 1) for category, _ in shapes))
    density = most * weights[-1] / sum(len(document.text) for document in documents)
    noisy = []
    for document in documents:
        draw = random.Random(zlib.crc32(f"{seed}/{document.id}".encode()))
        spans = [span for span in document.spans if draw.random() >= own[span.category].missing]
        for index, true in enumerate(spans):
            if draw.random() < own[true.category].type:
                _replace(spans, index, _other_types(true, categories), draw)
            if draw.random() < own[true.category].boundary:
                _replace(spans, index, _moved(spans[index], len(document.text)), draw)
        expected = density * len(document.text)
        wanted = int(expected) + (draw.random() < expected % 1)
        spans += _spurious(document, spans, shapes, weights, wanted, draw)
        noisy.append(replace(document, spans=sorted_spans(spans)))
    return noisy


def _pick(options: Sequence[Option], draw: random.Random) -> Option:
    """One of the options. Only `random()` promises the same numbers in every version of Python."""
    return options[int(draw.random() * len(options))]


def _weighted(options: Sequence[Option], weights: Sequence[float], draw: random.Random) -> Option:
    """One of the options. `weights` is the running sum of their weights."""
    return options[bisect(weights, draw.random() * weights[-1], hi=len(options) - 1)]


def _replace(spans: list[Span], index: int, candidates: Iterable[Span], draw: random.Random) -> None:
    """Replace the span at `index` by a candidate that overlaps no other span of its category, if there is one."""
    others = spans[:index] + spans[index + 1 :]
    allowed = [span for span in candidates if not any(clash(span, other) for other in others)]
    if allowed:
        spans[index] = _pick(allowed, draw)


def _other_types(span: Span, categories: Iterable[str]) -> list[Span]:
    return [span._replace(category=category) for category in categories if category != span.category]


def _moved(span: Span, length: int) -> list[Span]:
    """All spans with the begin or the end moved by one or two characters, within the text and not empty."""
    steps = (-2, -1, 1, 2)
    moved = [span._replace(begin=span.begin + step) for step in steps]
    moved += [span._replace(end=span.end + step) for step in steps]
    return [moved_span for moved_span in moved if 0 <= moved_span.begin <= moved_span.end < length]


def _spurious(
    document: Document,
    spans: Sequence[Span],
    shapes: Sequence[tuple[str, int]],
    weights: Sequence[float],
    wanted: int,
    draw: random.Random,
) -> list[Span]:
    """Draw up to `wanted` spans that overlap no true and no other span.

    Their categories and lengths are drawn from `shapes`; `weights` is the running sum of the weights of these. If a
    shape fits nowhere, other lengths of its category are tried.
    """
    taken = bytearray(character in MARKS for character in document.text)
    for span in (*document.spans, *spans):
        taken[span.begin : span.end + 1] = b"\1" * (span.end - span.begin + 1)
    added: list[Span] = []
    for _ in range(wanted):
        lengths: list[tuple[str, int]] = []
        for _ in range(TRIES):
            category, length = _pick(lengths, draw) if lengths else _weighted(shapes, weights, draw)
            free = bytes(length)
            begins = [begin for begin in range(len(taken) - length + 1) if taken.startswith(free, begin)]
            if begins:
                begin = _pick(begins, draw)
                taken[begin : begin + length] = b"\1" * length
                added.append(Span(category, begin, begin + length - 1))
                break
            # Only of the same category: otherwise categories of short spans would replace those of long ones.
            lengths = lengths or [shape for shape in shapes if shape[0] == category]
    return added
