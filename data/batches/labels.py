"""The labels of segments in the form that a head's loss wants, and batches of them.

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
    """What a head wants of the labels of its training texts."""

    def write(self, spans: Sequence[Span], doubts: Sequence[Doubt], length: int) -> tuple[Any, int]:
        """The labels of one text; and how many spans find no place in them.

        Args:
            spans: all inside the text.
            doubts: stretches that may reach beyond it, where nothing is known.
            length: characters of the text.
        """

    def collate(self, labels: Sequence[Any], length: int) -> Labels:
        """Those of a batch whose longest text has so many characters."""


class Chains(Protocol):
    """Spans written as tags, as `data.batches.tags.TagScheme` does."""

    def encode(self, spans: Iterable[Span], length: int) -> tuple[np.ndarray, list[Span]]:
        """(K, L) tags, and the spans that found no place."""

    def tags_of(self, category: str) -> SpanTags:
        """The chain and tags of a category."""


class ChainLabels(NamedTuple):
    """One text as chains of tags."""

    tags: np.ndarray  # (K, characters)
    unknown: np.ndarray  # (K, characters) bool, where any tag is allowed
    belief: np.ndarray  # (K,) share of the loss that takes the tags of a chain as they stand where they are unknown


class ChainLabeller:
    """Labels as chains of tags."""

    def __init__(self, scheme: Chains) -> None:
        self.scheme = scheme

    def write(self, spans: Sequence[Span], doubts: Sequence[Doubt], length: int) -> tuple[ChainLabels, int]:
        """The tags of a text; spans that its scheme cannot write beside a longer one they overlap are left out."""
        tags, left_out = self.scheme.encode(spans, length)
        unknown = np.zeros(tags.shape, dtype=bool)
        beliefs: list[list[float]] = [[] for _ in tags]
        for doubt in doubts:
            chains = range(len(tags)) if doubt.category == ANY_CATEGORY else [self.scheme.tags_of(doubt.category).chain]
            for chain in chains:
                unknown[chain, max(doubt.begin, 0) : doubt.end + 1] = True
                beliefs[chain].append(doubt.belief)
        return ChainLabels(tags, unknown, mean_beliefs(beliefs)), len(left_out)

    def collate(self, labels: Sequence[ChainLabels], length: int) -> Labels:
        """`tags` (B, K, L); where anything is in doubt also `unknown` (B, K, L), and `belief` (B, K) if not all 0."""
        shape = len(labels), len(labels[0].tags), length
        tags, unknown = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=bool)
        for row, own in enumerate(labels):
            tags[row, :, : own.tags.shape[1]] = own.tags
            unknown[row, :, : own.tags.shape[1]] = own.unknown
        return {"tags": torch.from_numpy(tags)} | what_is_in_doubt(unknown, [own.belief for own in labels])


def mean_beliefs(beliefs: Sequence[Sequence[float]]) -> np.ndarray:
    """float32 (K,) of each chain or category: its loss is one, whose doubts cannot be believed one by one."""
    return np.array([np.mean(own) if own else 0.0 for own in beliefs], dtype=np.float32)


def what_is_in_doubt(unknown: np.ndarray, beliefs: Sequence[np.ndarray]) -> Labels:
    """`unknown`, if anything is, and `belief`, if any is above 0."""
    belief = np.stack(beliefs)
    found = {"unknown": (unknown, unknown.any()), "belief": (belief, belief.any())}
    return {name: torch.from_numpy(array) for name, (array, counts) in found.items() if counts}
