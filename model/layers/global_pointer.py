"""A score for every span of every category from one pass (Su et al., "Global Pointer: Novel Efficient Span-based
Approach for Named Entity Recognition", 2022).

The score of the span from i to j in category c is the product of a query of i and a key of j. Both are rotated by
their positions (Su et al., "RoFormer", 2021), so the score depends on j - i:

    plain    s_c(i, j) = (R_i q_ci) . (R_j k_cj) / sqrt(D)
    shared   s_c(i, j) = (R_i q_i) . (R_j k_j) / sqrt(D)  +  a_c . [q_i k_i]  +  b_c . [q_j k_j]

The second form is the Efficient Global Pointer (section 2.3 of the paper). All categories share one query and key, and
terms of the two ends distinguish the categories.

B batch, C categories, L characters, H size of the states, D size of queries and keys.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import torch
from torch import Tensor, nn

NO_SPAN = -1e4  # the score of a span that ends before it begins, or that touches a pad
BASE = 10_000.0  # of the angles of rotary positions
KEY_SIZE = 64  # D, as in the paper


class GlobalPointer(nn.Module):
    """States (B, L, H) to scores (B, C, L, L).

    Args:
        size: H.
        categories: C.
        shared: use one query and key for all categories.
        key_size: D, an even number.
    """

    def __init__(self, size: int, categories: int, shared: bool, key_size: int = KEY_SIZE) -> None:
        super().__init__()
        if key_size % 2:
            raise ValueError(f"rotary positions rotate pairs of numbers, but the key size {key_size} is odd")
        self.key_size, self.shared = key_size, shared
        self.ends = nn.Linear(size, (1 if shared else categories) * 2 * key_size)
        if shared:
            self.kinds = nn.Linear(2 * key_size, 2 * categories)

    def start_at(self, score: float) -> None:
        """Set the initial score of all spans. The plain form has no bias for this and ignores it."""
        if self.shared:
            nn.init.constant_(self.kinds.bias, score / 2)  # half for the first character, half for the last

    def dimension_names(self, categories: Sequence[str]) -> dict[str, tuple[Sequence[Hashable], ...]]:
        """The names of rows that belong to a category, by the name of the tensor; see `Head.dimension_names`."""
        if self.shared:
            rows: list[Hashable] = [(end, category) for end in ("first", "last") for category in categories]
            return {"kinds.weight": (rows,), "kinds.bias": (rows,)}
        of_each = [(end, place) for end in ("query", "key") for place in range(self.key_size)]
        rows = [(category, *own) for category in categories for own in of_each]
        return {"ends.weight": (rows,), "ends.bias": (rows,)}

    def forward(self, states: Tensor, character_mask: Tensor) -> Tensor:
        """float32 (B, C, L, L) scores by first and last character, `NO_SPAN` where no span is possible."""
        ends = self.ends(states).float()  # (B, L, 2 D) or (B, L, C 2 D)
        # Without this, autocast would compute the products below in half precision.
        with torch.autocast(states.device.type, enabled=False):
            return self._scores(ends, character_mask)

    def _scores(self, ends: Tensor, character_mask: Tensor) -> Tensor:
        queries, keys = ends.unflatten(2, (-1, 2, self.key_size)).transpose(1, 2).unbind(3)  # (B, 1 or C, L, D)
        angles = rotary_angles(ends.shape[1], self.key_size, ends.device)  # (L, D / 2)
        products = rotated(queries, angles) @ rotated(keys, angles).transpose(2, 3)  # (B, 1 or C, L, L)
        scores = products / self.key_size**0.5
        if self.shared:
            first, last = self.kinds(ends).transpose(1, 2).chunk(2, dim=1)  # (B, C, L) each
            scores = scores + first.unsqueeze(3) + last.unsqueeze(2)  # (B, C, L, L)
        return scores.masked_fill(~possible_spans(character_mask), NO_SPAN)


def possible_spans(character_mask: Tensor) -> Tensor:
    """bool (B, 1, L, L): first and last are characters of the mask (B, L), and first is not after last."""
    both = character_mask.unsqueeze(2) & character_mask.unsqueeze(1)  # (B, L, L)
    return both.triu().unsqueeze(1)


def rotary_angles(length: int, size: int, device: torch.device) -> Tensor:
    """(length, size / 2): the angle of position p and pair m is p BASE^(-2 m / size)."""
    rates = BASE ** (-torch.arange(0, size, 2, device=device, dtype=torch.float32) / size)
    return torch.arange(length, device=device, dtype=torch.float32).unsqueeze(1) * rates


def rotated(vectors: Tensor, angles: Tensor) -> Tensor:
    """(..., L, D) the vectors with each pair of neighbouring numbers rotated by its angle (L, D / 2)."""
    even, odd = vectors[..., 0::2], vectors[..., 1::2]  # (..., L, D / 2) each
    cosine, sine = angles.cos(), angles.sin()
    return torch.stack([even * cosine - odd * sine, even * sine + odd * cosine], dim=-1).flatten(-2)
