"""Wrong labels on purpose, at known rates, so that what cleans labels can be measured against the truth."""

from __future__ import annotations

import random
import zlib
from bisect import bisect
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import accumulate

from data.corpus.document import Document, iterate_spans
from data.spans import Span, clash, sorted_spans
from utils.errors import UserError

MARKS = frozenset("\n\r。！？；，!?;,")  # a spurious span does not run across these
TRIES = 10  # draws of a spurious span's length before a crowded text is left as it is


@dataclass(frozen=True)
class NoiseRates:
    """How often labels go wrong; each rate is at least 0 and below 1.

    Attributes:
        missing: share of the true spans that are dropped.
        type: share of the remaining spans given another category of those present in the corpus.
        boundary: share of the remaining spans whose begin or end moves by one or two characters.
        spurious: spans added where nothing is labelled, per true span.

    Raises:
        UserError: for a rate outside [0, 1).
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
    """The documents with some labels wrong; the given ones are not changed.

    Args:
        documents: with their true labels.
        rates: of all categories that have none of their own.
        seed: of what is drawn.
        by_category: the rates of some categories. What becomes of a span, its true category decides; spurious spans
            are of a category as often as its rate says, per true span of it.

    What happens to a document depends on the seed, its id and the corpus as a whole, not on the order of documents.
    No two spans of one category are made to overlap; where a text has no room for a change, it is left out, so that
    spurious spans fall short of their rate in crowded texts.
    """
    shapes = sorted((span.category, span.end - span.begin + 1) for _, span in iterate_spans(documents))
    if not shapes:
        return list(documents)
    categories = sorted({category for category, _ in shapes})
    own = {category: (by_category or {}).get(category, rates) for category in categories}
    # Relative to the largest rate, so that equal rates count every shape as exactly 1 and draw what one rate would.
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


def _pick(options: Sequence, draw: random.Random):
    """One of the options. Only `random()` promises the same numbers in every Python version, so only it is used."""
    return options[int(draw.random() * len(options))]


def _weighted(options: Sequence, weights: Sequence[float], draw: random.Random):
    """One of the options, each as likely as its step in the running sum `weights`."""
    return options[bisect(weights, draw.random() * weights[-1], hi=len(options) - 1)]


def _replace(spans: list[Span], index: int, candidates: Iterable[Span], draw: random.Random) -> None:
    """Put one of the candidates at `index`, if any of them keeps clear of the other spans of its category."""
    others = spans[:index] + spans[index + 1 :]
    allowed = [span for span in candidates if not any(clash(span, other) for other in others)]
    if allowed:
        spans[index] = _pick(allowed, draw)


def _other_types(span: Span, categories: Iterable[str]) -> list[Span]:
    return [span._replace(category=category) for category in categories if category != span.category]


def _moved(span: Span, length: int) -> list[Span]:
    """Every way to move the begin or the end by one or two characters within the text, none of them empty."""
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
    """Up to `wanted` spans on text that no true and no other span touches.

    Their categories and lengths are those of `shapes`, each as likely as its step in the running sum `weights`. Where
    one has no room, other lengths of its category are tried.
    """
    taken = bytearray(character in MARKS for character in document.text)
    for span in (*document.spans, *spans):
        taken[span.begin : span.end + 1] = b"\1" * (span.end - span.begin + 1)
    added: list[Span] = []
    for _ in range(wanted):
        lengths: list[tuple[str, int]] = []
        for _ in range(TRIES):
            category, length = _pick(lengths, draw) if lengths else _weighted(shapes, weights, draw)
            room = bytes(length)
            begins = [begin for begin in range(len(taken) - length + 1) if taken.startswith(room, begin)]
            if begins:
                begin = _pick(begins, draw)
                taken[begin : begin + length] = b"\1" * length
                added.append(Span(category, begin, begin + length - 1))
                break
            # Of the same category: others that are short would else take the place of those that are long.
            lengths = lengths or [shape for shape in shapes if shape[0] == category]
    return added
