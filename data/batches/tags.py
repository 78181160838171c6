"""Spans to tags and back. Only the loss uses tags; everything else uses spans.

Emissions have the shape (B, K, L, T): K chains of T tags each.

`per_type`: one chain for each category, so that spans of different categories may overlap. T = 4:

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
from typing import NamedTuple

import numpy as np

from data.spans import Span

OUTSIDE = 0


class SpanTags(NamedTuple):
    """The chain of a category, and the tags of its spans' characters."""

    chain: int
    first: int
    inside: int
    last: int
    single: int


CHAIN, FIRST, INSIDE, LAST, SINGLE = range(5)  # columns of `TagScheme.codes`


class FoundSpans(NamedTuple):
    """Spans of many texts, (S,) integers each, sorted by text, begin, end and the name of the category.

    `category` counts the scheme's categories; `end` is inclusive.
    """

    text: np.ndarray
    category: np.ndarray
    begin: np.ndarray
    end: np.ndarray


class TagScheme:
    """Writes spans as tags, and reads them.

    Attributes:
        categories: in a fixed order, which is the order of the chains or of the tags.
        num_chains, num_tags: K and T.
        codes: int64 (categories, 5), the `SpanTags` of each.

    Raises:
        ValueError: the scheme is unknown, or there is no category.
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
        self.codes = np.array([self._code(index) for index in range(len(self.categories))])
        self._tags = {
            category: SpanTags(*map(int, code)) for category, code in zip(self.categories, self.codes, strict=True)
        }
        self._alphabetical = np.argsort(np.argsort(self.categories))

    def _code(self, index: int) -> tuple[int, ...]:
        if self.name == "per_type":
            return index, 1, 2, 3, 1
        return 0, 4 * index + 1, 4 * index + 2, 4 * index + 3, 4 * index + 4

    def tags_of(self, category: str) -> SpanTags:
        """The chain and tags of a category. Raises KeyError if the scheme does not have it."""
        return self._tags[category]

    def transitions(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Which tags may follow, start and end.

        Returns:
            Three bool arrays: allowed[from, to] (T, T), may start a text (T,), may end a text (T,).
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
        """bool (T,), the tags that may come where no span is open: at the start of a text and after a span's end."""
        opening = np.zeros(self.num_tags, dtype=bool)
        opening[OUTSIDE] = True
        for tags in self._tags.values():
            opening[[tags.first, tags.single]] = True
        return opening

    def encode(self, spans: Iterable[Span], length: int) -> tuple[np.ndarray, list[Span]]:
        """Write spans as tags, longer spans first.

        Returns:
            int64 (K, L) tags, and the spans that cannot be written because they overlap a longer one in their chain.
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
        """The spans of a text with tags (K, L), sorted by begin, end and category.

        Raises:
            ValueError: the tags have another shape.
        """
        if tags.ndim != 2 or tags.shape[0] != self.num_chains:
            raise ValueError(f"expected tags of shape ({self.num_chains}, length), got {tags.shape}")
        _, category, begin, end = (column.tolist() for column in self.find_spans(tags[None]))
        return [Span(self.categories[c], b, e) for c, b, e in zip(category, begin, end, strict=True)]

    def find_spans(self, tags: np.ndarray) -> FoundSpans:
        """The spans of many texts with tags (B, K, L).

        Only whole spans count: first, inside ..., last, or a single one. A model without a CRF may predict others.
        """
        opens = (tags == 1) if self.name == "per_type" else (tags > 0) & (tags % 4 <= 1)
        text, chain, begin = np.nonzero(opens)  # (S,) candidates
        tag = tags[text, chain, begin]
        category = chain if self.name == "per_type" else (tag - 1) // 4
        code = self.codes[category]  # (S, 5)

        # The first place after the run of `inside` tags that follows the first character; the run may be empty.
        next_tag = np.pad(tags, ((0, 0), (0, 0), (0, 2)), constant_values=-1)
        after = begin + 1
        inside = next_tag[text, chain, after] == code[:, INSIDE]
        end = np.where(inside, _run_ends(next_tag)[text, chain, after], after)
        closed = next_tag[text, chain, end] == code[:, LAST]
        alone = (tag == code[:, SINGLE]) & ((code[:, SINGLE] != code[:, FIRST]) | (~closed & (end == after)))
        end = np.where(alone, begin, end)

        found = np.flatnonzero(closed | alone)
        text, category, begin, end = text[found], category[found], begin[found], end[found]
        order = np.lexsort((self._alphabetical[category], end, begin, text))
        return FoundSpans(text[order], category[order], begin[order], end[order])


def _run_ends(tags: np.ndarray) -> np.ndarray:
    """For every place of the last dimension, the next place with another tag, or the last place if there is none."""
    last = tags.shape[-1] - 1
    changes = np.full(tags.shape, last)
    changes[..., :-1] = np.where(tags[..., 1:] != tags[..., :-1], np.arange(1, last + 1), last)
    return np.minimum.accumulate(changes[..., ::-1], axis=-1)[..., ::-1]
