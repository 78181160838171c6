"""Relative positions of lattice spans (Li et al., "FLAT: Chinese NER Using Flat-Lattice Transformer", ACL 2020).

For spans i, j with heads h and tails t there are four distances, each an index into a table of sinusoids:

    R_ij = ReLU(W_r [p(h_i - h_j); p(h_i - t_j); p(t_i - h_j); p(t_i - t_j)])

With length = tail - head, all four follow from (h_i - h_j, length_i, length_j). So a batch has only a few thousand
different R, and for two characters (length 0) R depends on their distance alone. Only those rows are computed; the
attention picks them by index.

B batch, L characters, W words, H hidden, P table rows, K distinct pairs that have a word.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

FUSIONS = ("ff", "ff_linear", "ff_two", "attn", "gate")


class PositionRows(NamedTuple):
    """The distinct relative positions of a batch and where each is used.

    Attributes:
        characters: (2L - 1, H), one row for each distance of two characters, from L - 1 down to -(L - 1).
        pairs: (K, H), one row for each distinct pair with a word.
        character_word: (B, L, W) rows of `pairs` for character i seen with word j.
        word_character: (B, W, L), likewise for a word seen with a character.
        word_word: (B, W, W).
    """

    characters: Tensor
    pairs: Tensor
    character_word: Tensor
    word_character: Tensor
    word_word: Tensor


def sinusoids(max_distance: int, hidden: int) -> Tensor:
    """(2 max_distance + 1, H): row d + max_distance is the sinusoidal vector of distance d.

    The first half of a row are sines, the second half cosines, of the same frequencies ("Attention Is All You Need").
    """
    half = hidden // 2
    frequency = torch.exp(torch.arange(half, dtype=torch.float64) * -(math.log(10_000) / max(half - 1, 1)))
    angle = torch.arange(-max_distance, max_distance + 1, dtype=torch.float64)[:, None] * frequency[None, :]
    return torch.cat([angle.sin(), angle.cos()], dim=1).float()


class FourFusion(nn.Module):
    """Four position vectors (..., 4, H) into one (..., H).

    | fusion    | formula                                                                 |
    |-----------|-------------------------------------------------------------------------|
    | ff        | ReLU(W [p1; p2; p3; p4])                                                |
    | ff_linear | W [p1; p2; p3; p4]                                                      |
    | ff_two    | ReLU(W [p1; p4]), head-head and tail-tail only                          |
    | attn      | sum_k a_k W p_k, a = softmax of a two-layer perceptron on all four      |
    | gate      | sum_k g_k * W p_k, g a softmax over k for each feature, same perceptron |
    """

    def __init__(self, fusion: str, hidden: int) -> None:
        super().__init__()
        if fusion not in FUSIONS:
            raise ValueError(f"unknown fusion {fusion!r}, expected one of {', '.join(FUSIONS)}")
        self.fusion = fusion
        width = {"ff": 4, "ff_linear": 4, "ff_two": 2, "attn": 1, "gate": 1}[fusion] * hidden
        self.project = nn.Linear(width, hidden)
        if fusion == "attn":
            self.score = nn.Sequential(nn.Linear(4 * hidden, 4 * hidden), nn.ReLU(), nn.Linear(4 * hidden, 4))
        elif fusion == "gate":
            self.score = nn.Sequential(nn.Linear(4 * hidden, 2 * hidden), nn.ReLU(), nn.Linear(2 * hidden, 4 * hidden))

    def forward(self, four: Tensor) -> Tensor:
        if self.fusion == "ff":
            return torch.relu(self.project(four.flatten(-2)))
        if self.fusion == "ff_linear":
            return self.project(four.flatten(-2))
        if self.fusion == "ff_two":
            return torch.relu(self.project(four[..., [0, 3], :].flatten(-2)))
        score = self.score(four.flatten(-2))  # (..., 4) or (..., 4 H)
        weight = score.unsqueeze(-1) if self.fusion == "attn" else score.unflatten(-1, (4, -1))
        return (weight.softmax(dim=-2) * self.project(four)).sum(dim=-2)


class RelativePositions(nn.Module):
    """Rows of R for a batch of lattices. The table's offset is fixed: a distance means the same in every batch."""

    def __init__(
        self, hidden: int, max_distance: int, fusion: str = "ff", shared_tables: bool = True, learned: bool = False
    ) -> None:
        super().__init__()
        self.max_distance = max_distance
        self.fusion = FourFusion(fusion, hidden)
        tables = sinusoids(max_distance, hidden).repeat(1 if shared_tables else 4, 1, 1)  # (1 or 4, P, H)
        if learned:
            self.tables = nn.Parameter(tables)
        else:
            self.register_buffer("tables", tables, persistent=False)

    def forward(self, length: int, word_heads: Tensor, word_tails: Tensor) -> PositionRows:
        """Distinct rows and their places.

        Args:
            length: L, characters in the longest text of the batch.
            word_heads, word_tails: (B, W) first and last character of each word; pads are 0.

        Raises:
            ValueError: a text longer than the table.
        """
        if length - 1 > self.max_distance:
            raise ValueError(f"distances up to {length - 1} asked of a table that ends at {self.max_distance}")
        distance = torch.arange(length - 1, -length, -1, device=word_heads.device)  # (2L - 1,)
        characters = self._rows(distance, torch.zeros_like(distance), torch.zeros_like(distance))

        heads = torch.arange(length, device=word_heads.device).expand(word_heads.shape[0], length)  # (B, L)
        word_lengths = word_tails - word_heads  # (B, W)
        lengths = torch.zeros_like(heads)
        codes = [
            self._code(heads, lengths, word_heads, word_lengths),  # (B, L, W)
            self._code(word_heads, word_lengths, heads, lengths),  # (B, W, L)
            self._code(word_heads, word_lengths, word_heads, word_lengths),  # (B, W, W)
        ]
        distinct, index = torch.unique(torch.cat([code.flatten() for code in codes]), return_inverse=True)
        pairs = self._rows(*self._decode(distinct))
        places = zip(index.split([code.numel() for code in codes]), codes, strict=True)
        return PositionRows(characters, pairs, *(place.view_as(code) for place, code in places))

    def _code(self, heads: Tensor, lengths: Tensor, other_heads: Tensor, other_lengths: Tensor) -> Tensor:
        """One number for (distance, length, other length). No length passes max_distance: spans lie in the text."""
        base = self.max_distance + 1
        distance = heads.unsqueeze(2) - other_heads.unsqueeze(1) + self.max_distance
        return (distance * base + lengths.unsqueeze(2)) * base + other_lengths.unsqueeze(1)

    def _decode(self, code: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        base = self.max_distance + 1
        return code // (base * base) - self.max_distance, code // base % base, code % base

    def _rows(self, distance: Tensor, length: Tensor, other_length: Tensor) -> Tensor:
        """(K, H) rows R for head distances and the lengths of both spans, each (K,)."""
        four = torch.stack(
            [distance, distance - other_length, distance + length, distance + length - other_length], dim=1
        )  # (K, 4)
        which = torch.arange(4, device=four.device) if self.tables.shape[0] == 4 else torch.zeros_like(four[:1])
        return self.fusion(self.tables[which, four + self.max_distance])
