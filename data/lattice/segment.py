"""Cuts texts into segments for training, and into overlapping windows for prediction."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from data.spans import Span

SENTENCE_MARKS = frozenset("。！？!?；;…\n")
COMMAS = frozenset("，,、：:")
CLOSING = frozenset("”’」』）)】》\"'")  # stays in the sentence that it closes


def segment_bounds(text: str, spans: Iterable[Span], max_len: int) -> list[tuple[int, int]]:
    """Cut a text for training: after a sentence mark, else after a comma, else anywhere, but not inside a span.

    A span longer than `max_len`, or a chain of overlapping spans that is longer, must be cut all the same.

    Args:
        text: to cut.
        spans: labels to keep whole.
        max_len: characters in a segment at most.

    Returns:
        (begin, end) of each segment, end exclusive. The segments join to the text; an empty text has none.
    """
    if len(text) <= max_len:
        return [(0, len(text))] if text else []
    rank = _cut_ranks(text)
    for span in spans:
        rank[span.begin + 1 : span.end + 1] = 0  # a cut at c is between c - 1 and c
    bounds = []
    begin = 0
    while len(text) - begin > max_len:
        window = rank[begin + 1 : begin + max_len + 1]
        best = window.max()
        # The last of the best cuts gives the fewest segments.
        cut = begin + max_len if best == 0 else begin + 1 + int(np.flatnonzero(window == best)[-1])
        bounds.append((begin, cut))
        begin = cut
    bounds.append((begin, len(text)))
    return bounds


def _cut_ranks(text: str) -> np.ndarray:
    """int8 (characters + 1,), the rank of a cut before each character: 3 after a sentence mark, 2 a comma, else 1."""
    rank = np.ones(len(text) + 1, dtype=np.int8)
    for place, character in enumerate(text):
        if character in SENTENCE_MARKS:
            rank[place + 1] = 3
        elif character in COMMAS:
            rank[place + 1] = 2
        elif character in CLOSING and rank[place] == 3:
            rank[place], rank[place + 1] = 1, 3
    return rank


def cut_spans(spans: Iterable[Span], bounds: list[tuple[int, int]]) -> list[Span]:
    """The spans that are whole in no segment."""
    ends = np.array([end for _, end in bounds])
    return [span for span in spans if span.end >= ends[np.searchsorted(ends, span.begin, side="right")]]


def window_bounds(length: int, max_len: int, overlap: int) -> list[tuple[int, int]]:
    """Cut a text of `length` characters into overlapping windows, for prediction.

    Neighbours share at least `overlap` characters. The windows are spread evenly, so that all have the same length.

    Returns:
        (begin, end) of each window, end exclusive; none for an empty text.
    """
    if length == 0:
        return []
    if length <= max_len:
        return [(0, length)]
    count = -(-(length - overlap) // (max_len - overlap))
    begins = [round(index * (length - max_len) / (count - 1)) for index in range(count)]
    return [(begin, begin + max_len) for begin in begins]


def most_central(begin: int, end: int, windows: list[tuple[int, int]]) -> int | None:
    """Choose the window in which the span [begin, end] (inclusive) is most central.

    Returns:
        The number of the window, the first of equals; None if no window holds the whole span.
    """
    middle = begin + end + 1
    whole = (index for index, (first, last) in enumerate(windows) if first <= begin and end < last)
    return min(whole, key=lambda index: abs(middle - sum(windows[index])), default=None)
