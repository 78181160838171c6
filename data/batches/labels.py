"""Labels of segments, and of batches of segments, in the form that a head's loss takes.

B batch, K chains, L characters.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from data.batches.tags import SpanTags
from data.spans import ANY_CATEGORY, Doubt, Span

Labels = dict[str, Tensor]  # keyword arguments of a head's loss


class Labeller(Protocol):
    """Writes the labels of training texts in the form that a head's loss takes."""

    @property
    def categories(self) -> Sequence[str]:
        """In the order of the head's scores."""

    def write(self, spans: Sequence[Span], doubts: Sequence[Doubt], length: int) -> tuple[Any, list[Span]]:
        """Write the labels of one text.

        Args:
            spans: inside the text, of `categories`.
            doubts: stretches with unknown labels, of `categories` or `ANY_CATEGORY`. They may reach beyond the text.
            length: characters of the text.

        Returns:
            The labels, as `collate` takes them, and the spans that cannot be written.
        """

    def collate(self, labels: Sequence[Any], length: int) -> Labels:
        """Pad the labels of a batch to `length`, the characters of its longest text.

        Returns:
            The keyword arguments of the head's loss, without the scores and the mask.
        """


class Chains(Protocol):
    """Writes spans as chains of tags; `data.batches.tags.TagScheme` is one."""

    @property
    def categories(self) -> Sequence[str]:
        """In a fixed order."""

    def encode(self, spans: Iterable[Span], length: int) -> tuple[np.ndarray, list[Span]]:
        """int64 (K, L) tags, and the spans that cannot be written."""

    def tags_of(self, category: str) -> SpanTags:
        """The chain and tags of a category."""


class ChainLabels(NamedTuple):
    """One text as chains of tags."""

    tags: np.ndarray  # (K, characters)
    unknown: np.ndarray  # (K, characters) bool, true where any tag is allowed
    belief: np.ndarray  # (K,) share of a chain's loss that uses the tags as written at unknown places too


class ChainLabeller:
    """Labels as chains of tags."""

    def __init__(self, scheme: Chains) -> None:
        self.scheme = scheme

    @property
    def categories(self) -> Sequence[str]:
        return self.scheme.categories

    def write(self, spans: Sequence[Span], doubts: Sequence[Doubt], length: int) -> tuple[ChainLabels, list[Span]]:
        """The tags of a text. A span that meets a longer one in its chain cannot be written."""
        tags, left_out = self.scheme.encode(spans, length)
        unknown = np.zeros(tags.shape, dtype=bool)
        beliefs: list[list[float]] = [[] for _ in tags]
        for doubt in doubts:
            chains = range(len(tags)) if doubt.category == ANY_CATEGORY else [self.scheme.tags_of(doubt.category).chain]
            for chain in chains:
                unknown[chain, max(doubt.begin, 0) : doubt.end + 1] = True
                beliefs[chain].append(doubt.belief)
        return ChainLabels(tags, unknown, mean_beliefs(beliefs)), left_out

    def collate(self, labels: Sequence[ChainLabels], length: int) -> Labels:
        """`tags` (B, K, L). Where anything is doubtful, also `unknown` (B, K, L), and `belief` (B, K) if not all 0."""
        shape = len(labels), len(labels[0].tags), length
        tags, unknown = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=bool)
        for row, own in enumerate(labels):
            tags[row, :, : own.tags.shape[1]] = own.tags
            unknown[row, :, : own.tags.shape[1]] = own.unknown
        return {"tags": torch.from_numpy(tags)} | doubtful_labels(unknown, [own.belief for own in labels])


def mean_beliefs(beliefs: Sequence[Sequence[float]]) -> np.ndarray:
    """float32 (K,), the mean of each chain or category, whose loss has one share for all its doubts."""
    return np.array([np.mean(own) if own else 0.0 for own in beliefs], dtype=np.float32)


def doubtful_labels(unknown: np.ndarray, beliefs: Sequence[np.ndarray]) -> Labels:
    """`unknown` if any of it is true, and `belief` if any is above 0."""
    belief = np.stack(beliefs)
    found = {"unknown": (unknown, unknown.any()), "belief": (belief, belief.any())}
    return {name: torch.from_numpy(array) for name, (array, counts) in found.items() if counts}
