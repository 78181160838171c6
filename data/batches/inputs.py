"""Lattices to the inputs of networks: arrays padded to common sizes. A network names the function that it needs.

B batch, L characters of the longest text, W words of the text with the most, K distinct relative positions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from data.batches.positions import relative_positions
from data.lattice.lattice import LatticeSlice
from data.lattice.tokenizer import Vocabulary

Batch = dict[str, Any]  # the keyword arguments of a network's forward
Inputs = Callable[[Sequence[LatticeSlice], Vocabulary], Batch]


def padded_tokens(texts: Sequence[np.ndarray], vocabulary: Vocabulary) -> np.ndarray:
    """int64 (B, L + 2), the tokens of each text between [CLS] and [SEP], and padding after them."""
    tokens = np.full((len(texts), max(map(len, texts)) + 2), vocabulary.pad, dtype=np.int64)
    tokens[:, 0] = vocabulary.begin
    for row, text in zip(tokens, texts, strict=True):
        row[1 : len(text) + 1] = text
        row[len(text) + 1] = vocabulary.end
    return tokens


def to_device(batch: Batch, device: torch.device) -> Batch:
    """The batch with its tensors on a device."""
    return {name: tensor.to(device, non_blocking=True) for name, tensor in batch.items()}


def collate_characters(slices: Sequence[LatticeSlice], vocabulary: Vocabulary) -> Batch:
    """Characters without words.

    Args:
        slices: of documents, each with at least one character.
        vocabulary: for [CLS], [SEP] and padding.

    Returns:
        token_ids int64 (B, L + 2) with [CLS] and [SEP], and character_mask (B, L) bool. With `lexicon.tags` also tags
        int64 (B, L), 0 on pads.
    """
    lengths = [len(part.tokens) for part in slices]
    batch = {
        "token_ids": torch.from_numpy(padded_tokens([part.tokens for part in slices], vocabulary)),
        "character_mask": torch.arange(max(lengths)) < torch.tensor(lengths)[:, None],
    }
    if of_texts := [part.tags for part in slices if part.tags is not None]:
        tags = np.zeros((len(slices), max(lengths)), dtype=np.int64)
        for row, own in zip(tags, of_texts, strict=True):
            row[: len(own)] = own
        batch["tags"] = torch.from_numpy(tags)
    return batch


def collate_words(slices: Sequence[LatticeSlice], vocabulary: Vocabulary) -> Batch:
    """Characters and the words among them.

    Returns:
        The entries of `collate_characters`; word_ids, word_heads and word_tails, int64 (B, W), sorted by head, then
        tail, with 0 for padding; and word_mask (B, W) bool.
    """
    batch = collate_characters(slices, vocabulary)
    counts = [len(part.words) for part in slices]
    ids, heads, tails = (np.zeros((len(slices), max(counts)), dtype=np.int64) for _ in range(3))
    for row, part in enumerate(slices):
        ids[row, : counts[row]] = part.words
        heads[row, : counts[row]] = part.heads
        tails[row, : counts[row]] = part.tails
    return batch | {
        "word_ids": torch.from_numpy(ids),
        "word_heads": torch.from_numpy(heads),
        "word_tails": torch.from_numpy(tails),
        "word_mask": torch.arange(max(counts)) < torch.tensor(counts)[:, None],
    }


def collate_lattices(slices: Sequence[LatticeSlice], vocabulary: Vocabulary) -> Batch:
    """Characters and words with their relative positions, as FLAT reads them.

    Returns:
        The entries of `collate_characters`; word_ids and word_mask (B, W); and the relative positions of all nodes:
        distances (K, 4) and positions (B, L + W, L + W), as `relative_positions` returns them.
    """
    batch = collate_words(slices, vocabulary)
    heads, tails = batch.pop("word_heads").numpy(), batch.pop("word_tails").numpy()
    distances, positions = relative_positions(batch["character_mask"].shape[1], heads, tails)
    return batch | {"distances": torch.from_numpy(distances), "positions": torch.from_numpy(positions)}
