"""Spans to tags and back. Tags exist only inside the loss; spans are the truth everywhere else.

Emissions have the shape (B, K, L, T): K chains of T tags each.

`per_type`: a chain for every category, so spans of different categories may overlap. T = 4:

    | tag | meaning                          | may be followed by |
    |-----|----------------------------------|--------------------|
    | 0 O | outside                          | O B                |
    | 1 B | first, or only, character        | O B I E            |
    | 2 I | inside                           | I E                |
    | 3 E | last of two or more characters   | O B                |

`bmes`: one chain over all categories, so spans cannot overlap. T = 1 + 4 x categories; for category c:

    | tag          | meaning   | may be followed by    |
    |--------------|-----------|-----------------------|
    | 0        O   | outside   | O, any B, any S       |
    | 4c + 1   B-c | first     | M-c E-c               |
    | 4c + 2   M-c | inside    | M-c E-c               |
    | 4c + 3   E-c | last      | O, any B, any S       |
    | 4c + 4   S-c | only      | O, any B, any S       |
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from utils.preprocess.document import Span

OUTSIDE = 0


@dataclass(frozen=True)
class SpanTags:
    """Where one category's spans are written: its chain, and the tags of their characters."""

    chain: int
    first: int
    inside: int
    last: int
    single: int


class TagScheme:
    """A way to write spans as tags.

    Attributes:
        categories: in a fixed order, which is the order of the chains or of the tags.
        num_chains, num_tags: K and T.
    """

    def __init__(self, name: str, categories: Sequence[str]) -> None:
        if name not in ("per_type", "bmes"):
            raise ValueError(f"unknown tag scheme {name!r}, expected per_type or bmes")
        if not categories:
            raise ValueError("a tag scheme needs at least one category")
        self.name = name
        self.categories = tuple(categories)
        self.num_chains = len(self.categories) if name == "per_type" else 1
        self.num_tags = 4 if name == "per_type" else 1 + 4 * len(self.categories)
        self._tags = {category: self._tags_of(index) for index, category in enumerate(self.categories)}

    def _tags_of(self, index: int) -> SpanTags:
        if self.name == "per_type":
            return SpanTags(chain=index, first=1, inside=2, last=3, single=1)
        return SpanTags(chain=0, first=4 * index + 1, inside=4 * index + 2, last=4 * index + 3, single=4 * index + 4)

    def tags_of(self, category: str) -> SpanTags:
        """The chain and tags of a category; KeyError where the scheme does not have it."""
        return self._tags[category]

    def transitions(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What may follow what.

        Returns:
            bool arrays: allowed[from, to] (T, T), may start a text (T,), may end a text (T,).
        """
        allowed = np.zeros((self.num_tags, self.num_tags), dtype=bool)
        opening = self.opening()
        closing = np.zeros(self.num_tags, dtype=bool)
        closing[OUTSIDE] = True
        for tags in self._tags.values():
            closing[[tags.last, tags.single]] = True
            for before in (tags.first, tags.inside):
                allowed[before, [tags.inside, tags.last]] = True
        allowed[np.ix_(closing, opening)] = True
        return allowed, opening, closing

    def opening(self) -> np.ndarray:
        """bool (T,): tags that may stand where no span is open, which are also those that may follow a span's end."""
        opening = np.zeros(self.num_tags, dtype=bool)
        opening[OUTSIDE] = True
        for tags in self._tags.values():
            opening[[tags.first, tags.single]] = True
        return opening

    def encode(self, spans: Iterable[Span], length: int) -> tuple[np.ndarray, list[Span]]:
        """Write spans as tags.

        Longer spans are written first; one that meets an already written span in its chain cannot be expressed.

        Returns:
            int64 (K, L) tags, and the spans that found no place.
        """
        tags = np.zeros((self.num_chains, length), dtype=np.int64)
        left_out = []
        for span in sorted(spans, key=lambda span: (span.begin - span.end, span.begin)):
            code = self._tags[span.category]
            here = tags[code.chain, span.begin : span.end + 1]
            if here.any():
                left_out.append(span)
            elif len(here) == 1:
                here[0] = code.single
            else:
                here[0], here[1:-1], here[-1] = code.first, code.inside, code.last
        return tags, left_out

    def decode(self, tags: np.ndarray) -> list[Span]:
        """Read spans from tags (K, L), sorted by begin.

        Only whole spans count: first, inside ..., last, or a single one. What breaks off, as a softmax without a CRF
        may have it, is no span.
        """
        if tags.ndim != 2 or tags.shape[0] != self.num_chains:
            raise ValueError(f"expected tags of shape ({self.num_chains}, length), got {tags.shape}")
        length = tags.shape[1]
        spans = []
        for chain, begin in zip(*np.nonzero(tags), strict=True):
            category = self._category_opened(int(chain), int(tags[chain, begin]))
            if category is None:
                continue
            code = self._tags[category]
            if tags[chain, begin] == code.single and code.single != code.first:
                spans.append(Span(category, int(begin), int(begin)))
                continue
            end = begin + 1
            while end < length and tags[chain, end] == code.inside:
                end += 1
            if end < length and tags[chain, end] == code.last:
                spans.append(Span(category, int(begin), int(end)))
            elif end == begin + 1 and code.single == code.first:
                spans.append(Span(category, int(begin), int(begin)))
        return sorted(spans, key=lambda span: (span.begin, span.end, span.category))

    def _category_opened(self, chain: int, tag: int) -> str | None:
        """The category whose span this tag opens, if it opens one."""
        if self.name == "per_type":
            return self.categories[chain] if tag == 1 else None
        return self.categories[(tag - 1) // 4] if tag % 4 in (0, 1) else None
