"""Segments to batches: arrays are sliced and padded, nothing is tokenised or matched here.

B batch, K chains, L characters of the longest segment, W words of the segment that has most.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from data.positions import relative_positions
from utils.preprocess.document import ANY_CATEGORY, Doubt, Span
from utils.preprocess.lattice import Lattices, LatticeSlice
from utils.preprocess.processed import Processed
from utils.preprocess.tokenizer import Vocabulary
from utils.tags import TagScheme

Batch = dict[str, Tensor]  # the keyword arguments of the network's forward
LABELS = ("tags", "unknown", "belief", "weights")  # what of a batch the loss alone looks at


class Sample(NamedTuple):
    """A segment with what training needs of it."""

    lattice: LatticeSlice
    tags: np.ndarray  # (K, characters)
    unknown: np.ndarray  # (K, characters) bool, where any tag is allowed
    belief: np.ndarray  # (K,) share of the loss that takes the tags of a chain as they stand where they are unknown
    weight: float  # of its loss


class SegmentDataset(Dataset):
    """The segments of some documents.

    Attributes:
        lengths: characters of each segment.
        left_out: labelled spans that the tag scheme cannot write beside a longer one they overlap.
    """

    def __init__(self, processed: Processed, documents: Sequence[int], scheme: TagScheme) -> None:
        chosen = np.isin(processed.segments[:, 0], np.asarray(documents, dtype=np.int64))
        self.segments = processed.segments[chosen]
        self.lengths = self.segments[:, 2] - self.segments[:, 1]
        self.left_out = 0
        self._samples = [self._sample(processed, scheme, *map(int, row)) for row in self.segments]

    def __len__(self) -> int:
        return len(self.segments)

    def __getitem__(self, index: int) -> Sample:
        return self._samples[index]

    def _sample(self, processed: Processed, scheme: TagScheme, document: int, begin: int, end: int) -> Sample:
        source = processed.documents[document]
        whole = [_shift(span, begin) for span in source.spans if begin <= span.begin and span.end < end]
        tags, left_out = scheme.encode(whole, end - begin)
        self.left_out += len(left_out)
        unknown = np.zeros(tags.shape, dtype=bool)
        beliefs: list[list[float]] = [[] for _ in tags]
        # What is left of a span that had to be cut is neither that span nor outside of it.
        cut = [Doubt(*span) for span in source.spans if span.begin < begin or span.end >= end]
        for doubt in (doubt for doubt in (*cut, *source.doubtful) if doubt.begin < end and doubt.end >= begin):
            chains = range(len(tags)) if doubt.category == ANY_CATEGORY else [scheme.tags_of(doubt.category).chain]
            for chain in chains:
                unknown[chain, max(doubt.begin - begin, 0) : doubt.end + 1 - begin] = True
                beliefs[chain].append(doubt.belief)
        # A chain is one sequence, whose doubts cannot be believed one by one: their mean stands for all.
        belief = np.array([np.mean(own) if own else 0.0 for own in beliefs], dtype=np.float32)
        return Sample(processed.lattices.slice(document, begin, end), tags, unknown, belief, source.weight)


def _shift(span: Span, by: int) -> Span:
    return Span(span.category, span.begin - by, span.end - by)


class BucketSampler(Sampler[list[int]]):
    """Batches of segments of similar length, in a random order that follows from seed and epoch alone.

    Segments of one bucket (their lengths, rounded up to `STEP`, are equal) are shuffled; the buckets are joined by
    length and cut into batches, and the batches shuffled. Where the cuts fall does not depend on the shuffling, so
    every epoch has as many batches as the first, and a schedule can count on it.

    Args:
        lengths: characters of each segment.
        batch_size: segments in a batch, unless batch_tokens is given.
        seed: of the order.
        batch_tokens: padded characters in a batch at most, a longer segment being a batch of its own; 0: batch_size
            counts.
        processes: the number of batches is a multiple of it; the first batches are repeated if need be.
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
        """Choose the order of an epoch."""
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
    """Where batches end in segments of falling widths."""
    cuts, end = [], 0
    while end < len(widths):
        end += max(1, batch_tokens // int(widths[end])) if batch_tokens else batch_size
        cuts.append(end)
    return cuts[:-1]


def padding_share(lengths: np.ndarray, batches: Iterable[Sequence[int]]) -> float:
    """The part of the characters in some batches that only fills them up."""
    own = padded = 0
    for batch in batches:
        own += int(lengths[batch].sum())
        padded += int(lengths[batch].max()) * len(batch)
    return 1 - own / padded


def collate_samples(samples: Sequence[Sample], vocabulary: Vocabulary, words: bool = True) -> Batch:
    """A training batch.

    Returns:
        What `collate_lattices` does and `tags` (B, K, L); where any differs from the ordinary also `unknown` (B, K, L),
        `belief` (B, K) and `weights` (B,).
    """
    batch = collate_lattices([sample.lattice for sample in samples], vocabulary, words)
    chains, length = samples[0].tags.shape[0], batch["character_mask"].shape[1]
    tags = np.zeros((len(samples), chains, length), dtype=np.int64)
    unknown = np.zeros(tags.shape, dtype=bool)
    for row, sample in enumerate(samples):
        tags[row, :, : sample.tags.shape[1]] = sample.tags
        unknown[row, :, : sample.tags.shape[1]] = sample.unknown
    batch["tags"] = torch.from_numpy(tags)
    if unknown.any():
        batch["unknown"] = torch.from_numpy(unknown)
    belief = np.stack([sample.belief for sample in samples])
    if belief.any():
        batch["belief"] = torch.from_numpy(belief)
    weights = torch.tensor([sample.weight for sample in samples])
    if (weights != 1).any():
        batch["weights"] = weights
    return batch


def collate_lattices(slices: Sequence[LatticeSlice], vocabulary: Vocabulary, words: bool = True) -> Batch:
    """Pad lattices to common sizes.

    Args:
        slices: of documents, each with at least one character.
        vocabulary: for [CLS], [SEP] and pads.
        words: false leaves the words out, for a network that has no use for them.

    Returns:
        token_ids (B, L + 2) with [CLS] and [SEP], character_mask (B, L); with words also word_ids and word_mask (B, W),
        and the relative positions of all nodes: distances (K, 4) and positions (B, L + W, L + W).
    """
    lengths = [len(part.tokens) for part in slices]
    tokens = np.full((len(slices), max(lengths) + 2), vocabulary.pad, dtype=np.int64)
    tokens[:, 0] = vocabulary.begin
    for row, part in enumerate(slices):
        tokens[row, 1 : lengths[row] + 1] = part.tokens
        tokens[row, lengths[row] + 1] = vocabulary.end
    batch = {
        "token_ids": torch.from_numpy(tokens),
        "character_mask": torch.arange(max(lengths)) < torch.tensor(lengths)[:, None],
    }
    return batch | _collate_words(slices, max(lengths)) if words else batch


def _collate_words(slices: Sequence[LatticeSlice], length: int) -> Batch:
    counts = [len(part.words) for part in slices]
    ids, heads, tails = (np.zeros((len(slices), max(counts)), dtype=np.int64) for _ in range(3))
    for row, part in enumerate(slices):
        ids[row, : counts[row]] = part.words
        heads[row, : counts[row]] = part.heads
        tails[row, : counts[row]] = part.tails
    distances, positions = relative_positions(length, heads, tails)
    return {
        "word_ids": torch.from_numpy(ids),
        "word_mask": torch.arange(max(counts)) < torch.tensor(counts)[:, None],
        "distances": torch.from_numpy(distances),
        "positions": torch.from_numpy(positions),
    }


class Window(NamedTuple):
    """Characters begin to end (exclusive) of a document."""

    document: int
    begin: int
    end: int


def window_batches(windows: Sequence[Window], batch_tokens: int) -> Iterator[list[Window]]:
    """Windows from long to short, as many together as `batch_tokens` padded characters allow (at least one)."""
    batch: list[Window] = []
    for window in sorted(windows, key=lambda window: window.begin - window.end):
        longest = batch[0].end - batch[0].begin if batch else 0
        if batch and longest * (len(batch) + 1) > batch_tokens:
            yield batch
            batch = []
        batch.append(window)
    if batch:
        yield batch


def collate_windows(
    lattices: Lattices, windows: Sequence[Window], vocabulary: Vocabulary, words: bool = True
) -> Batch:
    """A batch for prediction."""
    return collate_lattices([lattices.slice(*window) for window in windows], vocabulary, words)
