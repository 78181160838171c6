"""Self-attention with relative positions of lattice spans (FLAT, equation 8; Transformer-XL, equation 5).

    A*_ij = (W_q x_i + u)^T W_k x_j + (W_q x_i + v)^T W_R R_ij

The rows R_ij are few (see position.py): they are projected once, and the position term of the logits is handed to the
fused attention as an additive bias. Two characters share a row whenever their distance is the same, so their bias is a
(query x distance) product read along its diagonals.

B batch, N = L + W lattice nodes (L characters first, then W words), H hidden, A heads, D head size.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding, scaled_dot_product_attention

from model.layers.position import PositionRows


class RelativeAttention(nn.Module):
    """Multi-head attention over a lattice."""

    def __init__(self, hidden: int, heads: int, scaled: bool = False, dropout: float = 0.0) -> None:
        super().__init__()
        if hidden % heads:
            raise ValueError(f"hidden size {hidden} cannot be divided among {heads} heads")
        self.heads = heads
        self.head_size = hidden // heads
        self.scale = self.head_size**-0.5 if scaled else 1.0
        self.dropout = dropout
        self.query = nn.Linear(hidden, hidden)
        self.key = nn.Linear(hidden, hidden)
        self.value = nn.Linear(hidden, hidden)
        self.position = nn.Linear(hidden, hidden, bias=False)
        self.output = nn.Linear(hidden, hidden)
        # Small, not of unit variance: at the start attention should follow the content.
        self.content_bias = nn.Parameter(torch.empty(heads, 1, self.head_size).normal_(std=0.02))
        self.position_bias = nn.Parameter(torch.empty(heads, 1, self.head_size).normal_(std=0.02))

    def forward(self, nodes: Tensor, mask: Tensor, rows: PositionRows) -> Tensor:
        """Attend.

        Args:
            nodes: (B, N, H).
            mask: (B, N) bool, true where there is a node; every row has one.
            rows: relative positions of the same batch.

        Returns:
            (B, N, H).
        """
        query, key, value = (self._split(layer(nodes)) for layer in (self.query, self.key, self.value))  # (B, A, N, D)
        bias = self.position_logits(query + self.position_bias.to(query.dtype), rows) * self.scale  # (B, A, N, N)
        bias = bias.masked_fill(~mask[:, None, None, :], float("-inf"))
        attended = scaled_dot_product_attention(
            query + self.content_bias.to(query.dtype),
            key,
            value,
            attn_mask=bias,
            dropout_p=self.dropout if self.training else 0.0,
            scale=self.scale,
        )  # (B, A, N, D)
        return self.output(attended.transpose(1, 2).flatten(2))

    def position_logits(self, query: Tensor, rows: PositionRows) -> Tensor:
        """(B, A, N, N): the products of queries (B, A, N, D), position bias included, with their projected rows."""
        length = (rows.characters.shape[0] + 1) // 2
        characters, words = query[:, :, :length], query[:, :, length:]
        by_distance = self.position(rows.characters).unflatten(1, (self.heads, -1)).permute(1, 2, 0)  # (A, D, 2L - 1)
        between_characters = diagonals(characters @ by_distance)  # (B, A, L, L)
        pairs = self.position(rows.pairs)  # (K, H)
        top = torch.cat([between_characters, self._gathered(characters, pairs, rows.character_word)], dim=3)
        bottom = torch.cat(
            [self._gathered(words, pairs, rows.word_character), self._gathered(words, pairs, rows.word_word)], dim=3
        )
        return torch.cat([top, bottom], dim=2)

    def _gathered(self, query: Tensor, pairs: Tensor, index: Tensor) -> Tensor:
        """Logits (B, A, I, J) of queries (B, A, I, D) with the rows that `index` (B, I, J) names."""
        chosen = embedding(index, pairs)  # (B, I, J, H)
        # One product for all heads: a head's query stands in its own part of H, zeros in the others'. That is A times
        # the arithmetic, but the rows are read as they lie; splitting them by head would copy the largest tensor here.
        own = torch.eye(self.heads, dtype=query.dtype, device=query.device).unsqueeze(2)  # (A, A, 1)
        spread = (query.transpose(1, 2).unsqueeze(3) * own).flatten(3)  # (B, I, A, H)
        return (spread @ chosen.transpose(2, 3)).transpose(1, 2)

    def _split(self, projected: Tensor) -> Tensor:
        return projected.unflatten(2, (self.heads, -1)).transpose(1, 2)


def diagonals(by_distance: Tensor) -> Tensor:
    """out[..., i, j] = by_distance[..., i, L - 1 - (i - j)], from (..., L, 2L - 1) to (..., L, L), by strides alone.

    One more column makes every row 2L long; read with rows of 2L - 1, each row then starts one column earlier.
    """
    length = by_distance.shape[-2]
    flat = torch.nn.functional.pad(by_distance, (0, 1)).flatten(-2)  # (..., 2 L L)
    skewed = flat[..., length - 1 : length - 1 + length * (2 * length - 1)]
    return skewed.unflatten(-1, (length, 2 * length - 1))[..., :length]
