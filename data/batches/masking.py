"""Whole-word masking of texts, for a masked language model.

Words are those of jieba's segmentation (Cui et al., "Pre-Training with Whole Word Masking for Chinese BERT", 2021). Of
the words drawn, 80% are replaced by [MASK], 10% by random characters of the corpus, and 10% are kept (Devlin et al.,
BERT, NAACL 2019, section 3.1).

B batch, L characters.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch.utils.data import Dataset

from data.batches.inputs import Batch, padded_tokens
from data.lattice.tokenizer import Vocabulary

MASKED, REPLACED = 0.8, 0.1
NOT_A_TARGET = -100  # what cross_entropy ignores


class Hidden(NamedTuple):
    """A segment with words hidden: tokens (characters,) to read, and targets, NOT_A_TARGET where nothing was drawn."""

    tokens: np.ndarray
    targets: np.ndarray


class MaskedSegments(Dataset[Hidden]):
    """Segments with other words hidden in every epoch. What is hidden depends only on seed, epoch and segment.

    Args:
        tokens: rows of the vocabulary, int (characters,) for each segment.
        words: the number of each character's word, int (characters,) for each segment.
        vocabulary: must have [MASK].
        share: of the characters to draw.
        seed: of what is drawn.
    """

    def __init__(
        self, tokens: Sequence[np.ndarray], words: Sequence[np.ndarray], vocabulary: Vocabulary, share: float, seed: int
    ) -> None:
        self.tokens, self.words = tokens, words
        self.vocabulary = vocabulary
        self.share = share
        self.seed = seed
        self.epoch = 0
        self.lengths = np.array([len(one) for one in tokens])
        self._common = np.concatenate(list(tokens))  # random characters are drawn as often as they occur

    def __len__(self) -> int:
        return len(self.tokens)

    def __getitem__(self, index: int) -> Hidden:
        random = np.random.default_rng((self.seed, self.epoch, index))
        return hide(self.tokens[index], self.words[index], self.vocabulary, self.share, self._common, random)


def hide(
    tokens: np.ndarray,
    words: np.ndarray,
    vocabulary: Vocabulary,
    share: float,
    common: np.ndarray,
    random: np.random.Generator,
) -> Hidden:
    """Draw whole words in random order until a share of the characters is reached, at least one, and hide them.

    Args:
        tokens, words: as in `MaskedSegments`, of one segment.
        vocabulary: must have [MASK].
        share: of the characters to draw.
        common: rows to draw random characters from.
        random: makes the draws.

    Raises:
        ValueError: the vocabulary has no [MASK].
    """
    if vocabulary.mask is None:
        raise ValueError("the vocabulary has no [MASK]")
    order = random.permutation(np.unique(words))
    sizes = np.bincount(words, minlength=int(words.max()) + 1)[order]
    before = np.cumsum(sizes) - sizes  # characters drawn before each word
    drawn = order[before < max(1.0, share * len(tokens))]
    fate = random.random(len(drawn))
    read, targets = tokens.astype(np.int64), np.full(len(tokens), NOT_A_TARGET, dtype=np.int64)
    for word, draw in zip(drawn, fate, strict=True):
        here = words == word
        targets[here] = tokens[here]
        if draw < MASKED:
            read[here] = vocabulary.mask
        elif draw < MASKED + REPLACED:
            read[here] = random.choice(common, int(here.sum()))
    return Hidden(read, targets)


def collate_hidden(segments: Sequence[Hidden], vocabulary: Vocabulary) -> Batch:
    """token_ids and targets int64 (B, L + 2) with [CLS], [SEP] and padding; seen int64 (B, L + 2), 0 for padding."""
    tokens = padded_tokens([one.tokens for one in segments], vocabulary)
    targets = np.full(tokens.shape, NOT_A_TARGET, dtype=np.int64)
    seen = np.zeros(tokens.shape, dtype=np.int64)
    for row, (read, wanted) in enumerate(segments):
        targets[row, 1 : len(read) + 1] = wanted
        seen[row, : len(read) + 2] = 1
    return {"token_ids": torch.from_numpy(tokens), "targets": torch.from_numpy(targets), "seen": torch.from_numpy(seen)}
