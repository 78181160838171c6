"""For each character the words that begin with it, contain it, end with it or are it; and how often words occur.

B batch, L characters of the longest text, M words of the largest set, W words of the lexicon.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import torch

from data.batches.inputs import Batch, collate_characters
from data.lattice.lattice import Lattices, LatticeSlice
from data.lattice.tokenizer import Vocabulary

BEGIN, MIDDLE, END, SINGLE = range(4)  # the place of a character in a word


def collate_word_sets(slices: Sequence[LatticeSlice], vocabulary: Vocabulary) -> Batch:
    """Characters and their word sets.

    Returns:
        The entries of `collate_characters`, and word_sets int64 (B, L, 4, M): numbers of words, 0 for padding. M is at
        least 1. The words of a set are sorted by head, then tail.
    """
    batch = collate_characters(slices, vocabulary)
    texts, length = batch["character_mask"].shape
    rows = np.concatenate([_memberships(text, part) for text, part in enumerate(slices)])  # (R, 4)
    order = np.lexsort((rows[:, 2], rows[:, 1], rows[:, 0]))  # by text, character and kind; the order of words is kept
    rows = rows[order]
    keys = rows[:, :3] @ np.array([length * 4, 4, 1])
    starts = np.flatnonzero(np.diff(keys, prepend=-1))
    place = np.arange(len(keys)) - np.repeat(starts, np.diff(starts, append=len(keys)))  # within its set
    sets = np.zeros((texts, length, 4, int(place.max(initial=0)) + 1), dtype=np.int64)
    sets[rows[:, 0], rows[:, 1], rows[:, 2], place] = rows[:, 3]
    return batch | {"word_sets": torch.from_numpy(sets)}


def _memberships(text: int, part: LatticeSlice) -> np.ndarray:
    """A row for every character of every word, int64 (R, 4): text, character, its place in the word, word."""
    lengths = part.tails - part.heads + 1
    word = np.repeat(np.arange(len(part.words)), lengths)
    character = np.arange(len(word)) - np.repeat(np.cumsum(lengths) - lengths, lengths) + part.heads[word]
    first, last = character == part.heads[word], character == part.tails[word]
    kind = np.select([first & last, first, last], [SINGLE, BEGIN, END], MIDDLE)
    return np.stack([np.full(len(word), text), character, kind, part.words[word]], axis=1).astype(np.int64)


def word_frequencies(lattices: Lattices, documents: Iterable[int], words: int) -> np.ndarray:
    """How often each word occurs in some documents.

    An occurrence inside a longer word is not counted (Ma et al., 2020, section 3.2). Otherwise the parts of a frequent
    word would seem as frequent as the word itself.

    Args:
        lattices: of all documents.
        documents: the numbers of those to count in.
        words: W, the size of the lexicon.

    Returns:
        int64 (W + 1,) by word number; 0 is the pad.
    """
    counts = np.zeros(words + 1, dtype=np.int64)
    for document in documents:
        found, heads, tails = words_of(lattices, document)
        counts += np.bincount(found[~covered(heads, tails)], minlength=len(counts))
    return counts


def words_of(lattices: Lattices, document: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Words, heads and tails of a document, sorted by head, then tail."""
    here = slice(lattices.word_offsets[document], lattices.word_offsets[document + 1])
    return lattices.words[here], lattices.heads[here], lattices.tails[here]


def covered(heads: np.ndarray, tails: np.ndarray) -> np.ndarray:
    """Which words are inside another one, bool. The words are distinct and sorted by head, then tail."""
    # A word is inside another if one that begins no later ends no earlier. With equal heads the longest comes first.
    order = np.lexsort((-tails, heads))
    reach = np.maximum.accumulate(tails[order])
    inside = np.zeros(len(heads), dtype=bool)
    inside[order[1:]] = reach[:-1] >= tails[order[1:]]
    return inside
