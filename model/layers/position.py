"""Relative positions of lattice spans (Li et al., "FLAT: Chinese NER Using Flat-Lattice Transformer", ACL 2020).

For spans i, j with heads h and tails t there are four distances. Each is an index into a table p of sinusoids:

    R_ij = ReLU(W_r [p(h_i - h_j); p(h_i - t_j); p(t_i - h_j); p(t_i - t_j)])

A batch has only a few thousand different combinations of four distances. R is computed once for each of them, and
attention selects from these by index. W_r [p; p; p; p] is a sum of four products. Each product is computed once for
every distance of the table, so that one R needs four look-ups.

H hidden, P distances of the table, K distinct relative positions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding

FUSIONS = ("ff", "ff_linear", "ff_two", "attn", "gate")
ALL_FOUR = (0, 1, 2, 3)
HEADS_AND_TAILS = (0, 3)  # h_i - h_j and t_i - t_j


def sinusoids(max_distance: int, hidden: int) -> Tensor:
    """(2 max_distance + 1, H): row d + max_distance is the sinusoidal vector of distance d.

    The first half of a vector are sines, the second half cosines of the same frequencies ("Attention Is All You Need").
    """
    half = hidden // 2
    frequency = torch.exp(torch.arange(half, dtype=torch.float64) * -(math.log(10_000) / max(half - 1, 1)))  # (H / 2,)
    angle = torch.arange(-max_distance, max_distance + 1, dtype=torch.float64)[:, None] * frequency  # (P, H / 2)
    return torch.cat([angle.sin(), angle.cos()], dim=1).float()


class FourFusion(nn.Module):
    """Fuses the position vectors of four distances into one vector.

    | fusion    | formula                                                                 |
    |-----------|-------------------------------------------------------------------------|
    | ff        | ReLU(W [p1; p2; p3; p4])                                                |
    | ff_linear | W [p1; p2; p3; p4]                                                      |
    | ff_two    | ReLU(W [p1; p4]), head-head and tail-tail only                          |
    | attn      | sum_k a_k W p_k, a = softmax of a two-layer perceptron on all four      |
    | gate      | sum_k g_k * W p_k, g a softmax over k for each feature, same perceptron |

    Raises:
        ValueError: there is no such fusion.
    """

    score: nn.Sequential  # of attn and gate

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

    def forward(self, table: Tensor, places: Tensor) -> Tensor:
        """Fuse.

        Args:
            table: (P, H) position vectors.
            places: (K, 4) indices into the table.

        Returns:
            (K, H).
        """
        if self.fusion == "ff":
            return torch.relu(linear_of_joined(self.project, table, places, ALL_FOUR))
        if self.fusion == "ff_linear":
            return linear_of_joined(self.project, table, places, ALL_FOUR)
        if self.fusion == "ff_two":
            return torch.relu(linear_of_joined(self.project, table, places, HEADS_AND_TAILS))
        return self._weighted(table, places)

    def _weighted(self, table: Tensor, places: Tensor) -> Tensor:
        """(K, H) of attn and gate."""
        first, activation, second = self.score
        assert isinstance(first, nn.Linear)
        score = second(activation(linear_of_joined(first, table, places, ALL_FOUR)))  # (K, 4) or (K, 4 H)
        weight = (score.unsqueeze(-1) if self.fusion == "attn" else score.unflatten(-1, (4, -1))).softmax(dim=1)
        projected = self.project(table)  # (P, H)
        return sum(weight[:, k] * embedding(places[:, k], projected) for k in ALL_FOUR)


def linear_of_joined(linear: nn.Linear, table: Tensor, places: Tensor, which: Sequence[int]) -> Tensor:
    """linear([p_k for k in which]) where p_k = table[places[:, k]], without joining the p_k: (K, out)."""
    parts = linear.weight.chunk(len(which), dim=1)  # of (out, H)
    return linear.bias + sum(embedding(places[:, k], table @ part.T) for k, part in zip(which, parts, strict=True))


class RelativePositions(nn.Module):
    """Computes R. The offset into the table is fixed, so a distance means the same in every batch."""

    table: Tensor  # (P, H); the four distances share it, and it does not train

    def __init__(self, hidden: int, max_distance: int, fusion: str = "ff") -> None:
        super().__init__()
        self.max_distance = max_distance
        self.fusion = FourFusion(fusion, hidden)
        self.register_buffer("table", sinusoids(max_distance, hidden), persistent=False)

    def forward(self, distances: Tensor) -> Tensor:
        """(K, H) R for the four distances (K, 4) of each relative position. None may exceed `max_distance`."""
        return self.fusion(self.table, distances + self.max_distance)
