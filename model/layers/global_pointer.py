"""A score for every span of every category from one pass (Su et al., "Global Pointer: Novel Efficient Span-based
Approach for Named Entity Recognition", 2022).

The score of the span from i to j in category c is the product of a query of i and a key of j, both turned by their
positions (Su et al., "RoFormer", 2021), so that it knows j - i:

    plain    s_c(i, j) = (R_i q_ci) . (R_j k_cj) / sqrt(D)
    shared   s_c(i, j) = (R_i q_i) . (R_j k_j) / sqrt(D)  +  a_c . [q_i k_i]  +  b_c . [q_j k_j]

The second is the paper's Efficient Global Pointer (its section 2.3): where a span stands is asked once for all
categories, and what it is by terms of its ends.

B batch, C categories, L characters, H size of the states, D size of queries and keys.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

NO_SPAN = -1e4  # of what ends before it begins, or on a pad
BASE = 10_000.0  # of the angles of rotary positions


class GlobalPointer(nn.Module):
    """States (B, L, H) to scores (B, C, L, L)."""

    def __init__(self, size: int, categories: int, key_size: int, shared: bool) -> None:
        super().__init__()
        if key_size % 2:
            raise ValueError(f"rotary positions turn pairs of numbers, and a key of size {key_size} is odd")
        self.key_size, self.shared = key_size, shared
        self.ends = nn.Linear(size, (1 if shared else categories) * 2 * key_size)
        if shared:
            self.kinds = nn.Linear(2 * key_size, 2 * categories)

    def start_at(self, score: float) -> None:
        """Have states of which nothing is known score this in all spans; the plain form has no bias to say so with."""
        if self.shared:
            nn.init.constant_(self.kinds.bias, score / 2)  # of the first character, and of the last

    def forward(self, states: Tensor, character_mask: Tensor) -> Tensor:
        """float32 (B, C, L, L) scores of spans from the first to the second L, `NO_SPAN` where none can be."""
        ends = self.ends(states).float()  # (B, L, 2 D) or (B, L, C 2 D)
        # Else autocast would take the products below to half precision again.
        with torch.autocast(states.device.type, enabled=False):
            return self._scores(ends, character_mask)

    def _scores(self, ends: Tensor, character_mask: Tensor) -> Tensor:
        queries, keys = ends.unflatten(2, (-1, 2, self.key_size)).transpose(1, 2).unbind(3)  # (B, 1 or C, L, D)
        angles = rotary_angles(ends.shape[1], self.key_size, ends.device)  # (L, D / 2)
        scores = rotated(queries, angles) @ rotated(keys, angles).transpose(2, 3) / self.key_size**0.5
        if self.shared:
            first, last = self.kinds(ends).transpose(1, 2).chunk(2, dim=1)  # (B, C, L) each
            scores = scores + first.unsqueeze(3) + last.unsqueeze(2)
        return scores.masked_fill(~possible_spans(character_mask), NO_SPAN)


def possible_spans(character_mask: Tensor) -> Tensor:
    """bool (B, 1, L, L): first and last stand on characters (B, L), in this order."""
    both = character_mask.unsqueeze(2) & character_mask.unsqueeze(1)
    return both.triu().unsqueeze(1)


def rotary_angles(length: int, size: int, device: torch.device) -> Tensor:
    """(length, size / 2): position p turns pair m by p BASE^(-2 m / size)."""
    rates = BASE ** (-torch.arange(0, size, 2, device=device, dtype=torch.float32) / size)
    return torch.arange(length, device=device, dtype=torch.float32).unsqueeze(1) * rates


def rotated(vectors: Tensor, angles: Tensor) -> Tensor:
    """Vectors (..., L, D), each pair of neighbouring numbers turned by its angle (L, D / 2)."""
    even, odd = vectors[..., 0::2], vectors[..., 1::2]
    cosine, sine = angles.cos(), angles.sin()
    return torch.stack([even * cosine - odd * sine, even * sine + odd * cosine], dim=-1).flatten(-2)
