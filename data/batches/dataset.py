"""Segments to batches. Arrays are sliced and padded; nothing is tokenized or matched here.

B batch.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.utils.data import Dataset, Sampler

from data.batches.inputs import Batch, Inputs
from data.batches.labels import Labeller
from data.lattice.lattice import Lattices, LatticeSlice
from data.lattice.tokenizer import Vocabulary
from data.processed import Processed
from data.spans import Doubt, SpanOrDoubt

LABELS = ("labels", "weights")  # entries of a batch that only the loss reads


class Sample(NamedTuple):
    """A segment to train on."""

    lattice: LatticeSlice
    labels: Any  # as the head's labeller writes them
    weight: float  # of its loss


class SegmentDataset(Dataset[Sample]):
    """The segments of some documents.

    Attributes:
        lengths: characters of each segment.
        left_out: how many labelled spans of each category the labeller cannot write.
    """

    def __init__(self, processed: Processed, documents: Sequence[int], labeller: Labeller) -> None:
        chosen = np.isin(processed.segments[:, 0], np.asarray(documents, dtype=np.int64))
        self.segments = processed.segments[chosen]
        self.lengths = self.segments[:, 2] - self.segments[:, 1]
        self.left_out: Counter[str] = Counter()
        self._samples = [self._sample(processed, labeller, *map(int, row)) for row in self.segments]

    def __len__(self) -> int:
        return len(self.segments)

    def __getitem__(self, index: int) -> Sample:
        return self._samples[index]

    def _sample(self, processed: Processed, labeller: Labeller, document: int, begin: int, end: int) -> Sample:
        source = processed.documents[document]
        whole = [_shift(span, begin) for span in source.spans if begin <= span.begin and span.end < end]
        # Part of a span that had to be cut is neither a span nor outside one, so any label is allowed there.
        cut = [Doubt(*span) for span in source.spans if span.begin < begin or span.end >= end]
        doubts = [_shift(doubt, begin) for doubt in (*cut, *source.doubtful)
                  if doubt.begin < end and doubt.end >= begin]  # fmt: skip
        labels, left_out = labeller.write(whole, doubts, end - begin)
        self.left_out.update(span.category for span in left_out)
        return Sample(processed.lattices.slice(document, begin, end), labels, source.weight)


def _shift(place: SpanOrDoubt, by: int) -> SpanOrDoubt:
    return place._replace(begin=place.begin - by, end=place.end - by)


class BucketSampler(Sampler[list[int]]):
    """Batches of segments of similar length, in a random order that depends only on seed and epoch.

    A bucket holds the segments whose lengths, rounded up to `STEP`, are equal. Segments are shuffled in each bucket,
    buckets are joined by length and cut into batches, and batches are shuffled. The cuts do not depend on the
    shuffling, so every epoch has the same number of batches, as a learning rate schedule needs.

    Args:
        lengths: characters of each segment.
        batch_size: segments in a batch, unless batch_tokens is given.
        seed: of the order.
        batch_tokens: padded characters in a batch at most. A longer segment is a batch of its own. 0 uses batch_size.
        processes: the number of batches is a multiple of it; the first batches are repeated if necessary.
    """

    STEP = 8

    def __init__(
        self, lengths: np.ndarray, batch_size: int, seed: int, batch_tokens: int = 0, processes: int = 1
    ) -> None:
        self.seed = seed
        self.processes = processes
        self.epoch = 0
        self._buckets = -(-np.asarray(lengths) // self.STEP)
        self._cuts = _cuts(np.sort(self._buckets)[::-1] * self.STEP, batch_size, batch_tokens)

    def set_epoch(self, epoch: int) -> None:
        """Use the order of an epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return -(-(len(self._cuts) + 1) // self.processes) * self.processes

    def __iter__(self) -> Iterator[list[int]]:
        random = np.random.default_rng((self.seed, self.epoch))
        order = random.permutation(len(self._buckets))
        order = order[np.argsort(-self._buckets[order], kind="stable")]
        batches = np.split(order, self._cuts)
        places = random.permutation(len(batches))
        for place in np.resize(places, len(self)):
            yield batches[place].tolist()


def _cuts(widths: np.ndarray, batch_size: int, batch_tokens: int) -> list[int]:
    """Where batches end, in segments sorted from wide to narrow."""
    cuts, end = [], 0
    while end < len(widths):
        end += max(1, batch_tokens // int(widths[end])) if batch_tokens else batch_size
        cuts.append(end)
    return cuts[:-1]


def padding_share(lengths: np.ndarray, batches: Iterable[Sequence[int]]) -> float:
    """The share of padding among the characters of some batches."""
    own = padded = 0
    for batch in batches:
        own += int(lengths[batch].sum())
        padded += int(lengths[batch].max()) * len(batch)
    return 1 - own / padded


def collate_samples(samples: Sequence[Sample], vocabulary: Vocabulary, inputs: Inputs, labeller: Labeller) -> Batch:
    """Make a training batch.

    Returns:
        The entries that `inputs` makes of the lattices; `labels` from `labeller.collate`; and `weights` (B,), if any
        is not 1.
    """
    batch = inputs([sample.lattice for sample in samples], vocabulary)
    batch["labels"] = labeller.collate([sample.labels for sample in samples], batch["character_mask"].shape[1])
    weights = torch.tensor([sample.weight for sample in samples])
    if (weights != 1).any():
        batch["weights"] = weights
    return batch


class Window(NamedTuple):
    """Characters begin to end (exclusive) of a document."""

    document: int
    begin: int
    end: int


def window_batches(windows: Sequence[Window], batch_tokens: int) -> Iterator[list[Window]]:
    """Batches of windows from long to short, with at most `batch_tokens` padded characters or a single window."""
    batch: list[Window] = []
    for window in sorted(windows, key=lambda window: window.begin - window.end):
        longest = batch[0].end - batch[0].begin if batch else 0
        if batch and longest * (len(batch) + 1) > batch_tokens:
            yield batch
            batch = []
        batch.append(window)
    if batch:
        yield batch


def collate_windows(lattices: Lattices, windows: Sequence[Window], vocabulary: Vocabulary, inputs: Inputs) -> Batch:
    """Make a batch for prediction."""
    return inputs([lattices.slice(*window) for window in windows], vocabulary)
