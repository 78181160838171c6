"""Self-attention with relative positions of lattice spans (FLAT, equation 8; Transformer-XL, equation 5).

    A*_ij = (W_q x_i + u)^T W_k x_j + (W_q x_i + v)^T W_R R_ij

As in FLAT, the logits are not divided by sqrt(D).

B batch, N lattice nodes, H hidden, A heads, D head size, K distinct relative positions.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from model.layers.sampled import Pattern, sampled_product


class RelativeAttention(nn.Module):
    """Multi-head attention over a lattice.

    Raises:
        ValueError: the hidden size is not a multiple of the number of heads.
    """

    def __init__(self, hidden: int, heads: int) -> None:
        super().__init__()
        if hidden % heads:
            raise ValueError(f"hidden size {hidden} cannot be divided among {heads} heads")
        self.heads = heads
        self.head_size = hidden // heads
        self.query = nn.Linear(hidden, hidden)
        self.key = nn.Linear(hidden, hidden)
        self.value = nn.Linear(hidden, hidden)
        self.position = nn.Linear(hidden, hidden, bias=False)
        self.output = nn.Linear(hidden, hidden)
        # Not of unit variance: with small biases, attention depends on the content when training starts.
        self.content_bias = nn.Parameter(torch.empty(hidden).normal_(std=0.02))
        self.position_bias = nn.Parameter(torch.empty(hidden).normal_(std=0.02))

    def forward(self, nodes: Tensor, mask: Tensor, relative: Tensor, pattern: Pattern) -> Tensor:
        """Attend.

        Args:
            nodes: (B, N, H).
            mask: (B, N) bool, true where there is a node. Every text has at least one.
            relative: (K, H) the distinct relative positions R.
            pattern: which of them each pair of nodes has.

        Returns:
            (B, N, H).
        """
        batch, count, _ = nodes.shape
        query, key, value = self.query(nodes), self.key(nodes), self.value(nodes)  # (B, N, H) each
        of_position = self.position_logits(query, relative, pattern).view(-1, count, count)  # (A B, N, N)
        asked, keys = self._split(query + self.content_bias), self._split(key)  # (A B, N, D) each
        logits = torch.baddbmm(of_position.to(asked.dtype), asked, keys.transpose(1, 2))  # (A B, N, N)
        logits = logits.view(self.heads, batch, count, count).masked_fill_(~mask[:, None, :], float("-inf"))
        weights = logits.softmax(dim=-1).flatten(0, 1)  # (A B, N, N)
        attended = torch.bmm(weights, self._split(value))  # (A B, N, D)
        return self.output(attended.view(self.heads, batch, count, -1).permute(1, 2, 0, 3).flatten(2))

    def position_logits(self, query: Tensor, relative: Tensor, pattern: Pattern) -> Tensor:
        """(A, B N N): by head, the product of each query (B, N, H) with the relative positions of its pairs."""
        # Sparse products exist only in float32 and float64, so half precision ends here.
        precise = torch.float64 if query.dtype == torch.float64 else torch.float32
        queries = (query + self.position_bias).to(precise).view(-1, self.heads, self.head_size)  # (B N, A, D)
        projected = self.position(relative).to(precise).view(-1, self.heads, self.head_size)  # (K, A, D)
        return sampled_product(queries.transpose(0, 1).contiguous(), projected.transpose(0, 1).contiguous(), pattern)

    def _split(self, projected: Tensor) -> Tensor:
        """(B, N, H) to (A B, N, D)."""
        return projected.unflatten(2, (self.heads, -1)).permute(2, 0, 1, 3).flatten(0, 1)
