"""Features of characters from the words around them: Ma et al., "Simplify the Usage of Lexicon in Chinese NER" (ACL
2020), section 3. The paper compares two simple features, Softword and ExSoftword, with its own, SoftLexicon.

B batch, L characters, M words of the largest set, D size of word vectors, F size of the features.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

OUTSIDE = 4  # the tag of a character in no word, after those of begin, middle, end and single


class SoftwordFeatures(nn.Module):
    """The embedding of a character's tag in one segmentation."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size
        self.tags = nn.Embedding(5, size)

    def forward(self, word_sets: Tensor) -> Tensor:
        """(B, L, F) from word sets (B, L, 4, M). At most one of a character's four sets has a word."""
        within = word_sets[..., 0] > 0  # (B, L, 4)
        tag = torch.where(within.any(dim=2), within.int().argmax(dim=2), OUTSIDE)  # (B, L)
        return self.tags(tag)


class ExSoftwordFeatures(nn.Module):
    """All tags of a character in any word."""

    size = 5

    def forward(self, word_sets: Tensor) -> Tensor:
        """(B, L, 5) of zeros and ones from word sets (B, L, 4, M)."""
        within = word_sets[..., 0] > 0  # (B, L, 4)
        return torch.cat([within, ~within.any(dim=2, keepdim=True)], dim=2).float()


class SoftLexiconFeatures(nn.Module):
    """The four word sets of a character, each as the mean of its word vectors weighted by frequency.

        v(S) = 4 / Z  sum over w in S of z(w) e(w),     Z = sum of z over all four sets

    An empty set contains one special word with frequency 1. Words with a count of 0, which the corpora have only inside
    longer words, also get frequency 1. Otherwise they would not count in any set.

    The vectors should start with a length of about 1 (`lexicon.length`), as in the authors' code. Longer ones, times
    four, would dominate the states of the characters.
    """

    frequencies: Tensor  # (words,) by number

    def __init__(self, words: nn.Embedding) -> None:
        super().__init__()
        self.size = 4 * words.embedding_dim
        self.empty = nn.Parameter(torch.randn(words.embedding_dim) / math.sqrt(words.embedding_dim))
        self.register_buffer("frequencies", torch.zeros(words.num_embeddings))

    def forward(self, word_sets: Tensor, vectors: Tensor) -> Tensor:
        """(B, L, 4 D) from word sets (B, L, 4, M) and the vectors of their words (B, L, 4, M, D)."""
        here = word_sets > 0  # (B, L, 4, M)
        weights = self.frequencies[word_sets].clamp(min=1) * here  # (B, L, 4, M)
        empty = ~here.any(dim=3, keepdim=True)  # (B, L, 4, 1)
        summed = (weights.unsqueeze(4) * vectors).sum(dim=3) + empty * self.empty  # (B, L, 4, D)
        total = (weights.sum(dim=3, keepdim=True) + empty).sum(dim=2, keepdim=True)  # (B, L, 1, 1)
        return (4 / total * summed).flatten(2)
