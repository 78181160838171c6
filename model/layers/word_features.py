"""What characters know of the words around them: Ma et al., "Simplify the Usage of Lexicon in Chinese NER" (ACL 2020),
section 3, from the two simple ways it begins with to its own.

B batch, L characters, M words of the largest set, D size of word vectors, F size of the features.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

OUTSIDE = 4  # after begin, middle, end and single: in no word at all


class SoftwordFeatures(nn.Module):
    """The embedding of the tag that a character has in one segmentation (B, L, F)."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size
        self.tags = nn.Embedding(5, size)

    def forward(self, word_sets: Tensor) -> Tensor:
        """From word_sets (B, L, 4, M), of which one at most has a word."""
        within = word_sets[..., 0] > 0  # (B, L, 4)
        tag = torch.where(within.any(dim=2), within.int().argmax(dim=2), OUTSIDE)  # (B, L)
        return self.tags(tag)


class ExSoftwordFeatures(nn.Module):
    """All tags that a character has in any word, (B, L, 5) of zeros and ones."""

    size = 5

    def forward(self, word_sets: Tensor) -> Tensor:
        """From word_sets (B, L, 4, M)."""
        within = word_sets[..., 0] > 0  # (B, L, 4)
        return torch.cat([within, ~within.any(dim=2, keepdim=True)], dim=2).float()


class SoftLexiconFeatures(nn.Module):
    """The four sets of a character, each as the mean of its words' vectors weighted by frequency, (B, L, 4 D).

        v(S) = 4 / Z  sum over w in S of z(w) e(w),     Z = sum of z over all four sets

    An empty set holds a word of its own that says so, of frequency 1. Words that the corpora only have inside longer
    ones count as frequent as that too: by their count of 0 they would be no part of any set.

    Vectors should begin with length 1 or so (`lexicon.length`), as the authors draw theirs: long ones, taken four
    times, would drown the characters' states beside them.
    """

    def __init__(self, words: nn.Embedding) -> None:
        super().__init__()
        self.size = 4 * words.embedding_dim
        self.empty = nn.Parameter(torch.randn(words.embedding_dim) / math.sqrt(words.embedding_dim))
        self.register_buffer("frequencies", torch.zeros(words.num_embeddings))

    def forward(self, word_sets: Tensor, vectors: Tensor) -> Tensor:
        """From word_sets (B, L, 4, M) and the vectors of these words (B, L, 4, M, D)."""
        here = word_sets > 0
        weights = self.frequencies[word_sets].clamp(min=1) * here  # (B, L, 4, M)
        empty = ~here.any(dim=3, keepdim=True)  # (B, L, 4, 1)
        summed = (weights.unsqueeze(4) * vectors).sum(dim=3) + empty * self.empty  # (B, L, 4, D)
        total = (weights.sum(dim=3, keepdim=True) + empty).sum(dim=2, keepdim=True)  # (B, L, 1, 1)
        return (4 / total * summed).flatten(2)
