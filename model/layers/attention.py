"""Self-attention with relative positions of lattice spans (FLAT, equation 8; Transformer-XL, equation 5).

    A*_ij = (W_q x_i + u)^T W_k x_j + (W_q x_i + v)^T W_R R_ij

B batch, N lattice nodes, H hidden, A heads, D head size, K distinct relative positions.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout

from model.layers.sampled import Pattern, sampled_product


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
        self.content_bias = nn.Parameter(torch.empty(hidden).normal_(std=0.02))
        self.position_bias = nn.Parameter(torch.empty(hidden).normal_(std=0.02))

    def forward(self, nodes: Tensor, mask: Tensor, rows: Tensor, pattern: Pattern) -> Tensor:
        """Attend.

        Args:
            nodes: (B, N, H).
            mask: (B, N) bool, true where there is a node; every row has one.
            rows: (K, H) the distinct relative positions R.
            pattern: which of the rows each pair of nodes uses.

        Returns:
            (B, N, H).
        """
        batch, count, _ = nodes.shape
        query, key, value = self.query(nodes), self.key(nodes), self.value(nodes)  # (B, N, H)
        logits = self.position_logits(query, rows, pattern).view(-1, count, count)  # (A B, N, N)
        asked, key = self._split(query + self.content_bias), self._split(key)  # (A B, N, D)
        logits = torch.baddbmm(logits.to(asked.dtype), asked, key.transpose(1, 2), alpha=self.scale)
        logits = logits.view(self.heads, batch, count, count).masked_fill_(~mask[:, None, :], float("-inf"))
        weights = dropout(logits.softmax(dim=-1), self.dropout, self.training).flatten(0, 1)
        attended = torch.bmm(weights, self._split(value))  # (A B, N, D)
        return self.output(attended.view(self.heads, batch, count, -1).permute(1, 2, 0, 3).flatten(2))

    def position_logits(self, query: Tensor, rows: Tensor, pattern: Pattern) -> Tensor:
        """(A, B N N): the product of each query (B, N, H) with the row of each of its pairs, head by head."""
        # In float32 also where the rest is in half precision: sparse products know no other.
        precise = torch.float64 if query.dtype == torch.float64 else torch.float32
        queries = ((query + self.position_bias) * self.scale).to(precise).view(-1, self.heads, self.head_size)
        projected = self.position(rows).to(precise).view(-1, self.heads, self.head_size)
        return sampled_product(queries.transpose(0, 1).contiguous(), projected.transpose(0, 1).contiguous(), pattern)

    def _split(self, projected: Tensor) -> Tensor:
        """(B, N, H) to (A B, N, D)."""
        return projected.unflatten(2, (self.heads, -1)).permute(2, 0, 1, 3).flatten(0, 1)
