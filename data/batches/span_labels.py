"""Labels as tables of all spans, for heads that score every span by itself.

B batch, C categories, L characters, S spans and D doubtful stretches of a text.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np
import torch

from data.batches.labels import Labels, doubtful_labels, mean_beliefs
from data.spans import ANY_CATEGORY, Doubt, Span


class SpanLabels(NamedTuple):
    """One text as numbers of category, begin and end."""

    spans: np.ndarray  # int64 (S, 3)
    unknown: np.ndarray  # int64 (D, 3), stretches in which any span may be present or not
    belief: np.ndarray  # float32 (C,)


class SpanLabeller:
    """Labels as tables of all spans."""

    def __init__(self, categories: Sequence[str]) -> None:
        self.categories = tuple(categories)
        self._numbers = {category: number for number, category in enumerate(self.categories)}

    def write(self, spans: Sequence[Span], doubts: Sequence[Doubt], length: int) -> tuple[SpanLabels, list[Span]]:
        """The numbers of a text. Every span can be written."""
        rows = [(self._numbers[span.category], span.begin, span.end) for span in spans]
        stretches = list(chain.from_iterable(self._stretches(doubt, length) for doubt in doubts))
        beliefs: list[list[float]] = [[] for _ in self.categories]
        for category, _, _, belief in stretches:
            beliefs[category].append(belief)
        return SpanLabels(
            np.array(rows, dtype=np.int64).reshape(-1, 3),
            np.array([stretch[:3] for stretch in stretches], dtype=np.int64).reshape(-1, 3),
            mean_beliefs(beliefs),
        ), []

    def _stretches(self, doubt: Doubt, length: int) -> list[tuple[int, int, int, float]]:
        everything = range(len(self.categories))
        numbers = everything if doubt.category == ANY_CATEGORY else [self._numbers[doubt.category]]
        begin, end = max(doubt.begin, 0), min(doubt.end, length - 1)
        return [(number, begin, end, doubt.belief) for number in numbers]

    def collate(self, labels: Sequence[SpanLabels], length: int) -> Labels:
        """`spans` (B, C, L, L). Where anything is doubtful, also `unknown` (B, C, L, L), true for all spans inside a
        stretch, and `belief` (B, C) if not all 0."""
        shape = len(labels), len(self.categories), length, length
        spans, unknown = np.zeros(shape, dtype=bool), np.zeros(shape, dtype=bool)
        for text, own in enumerate(labels):
            spans[text, own.spans[:, 0], own.spans[:, 1], own.spans[:, 2]] = True
            for category, begin, end in own.unknown.tolist():
                unknown[text, category, begin : end + 1, begin : end + 1] = True
        return {"spans": torch.from_numpy(spans)} | doubtful_labels(unknown, [own.belief for own in labels])
