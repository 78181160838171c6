"""References for the lattice attention: the plain formula of the paper, and attention without positions.

B batch, N nodes, H hidden, A heads, D head size.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from model.layers.attention import RelativeAttention
from model.layers.position import FourFusion, RelativePositions


def seed_attention(
    attention: RelativeAttention,
    positions: RelativePositions,
    nodes: Tensor,
    mask: Tensor,
    heads: Tensor,
    tails: Tensor,
) -> Tensor:
    """(B, N, H) by the formula of FLAT: a (B, N, N, 4 H) concatenation, projected for every pair.

    Args:
        attention, positions: the layers whose weights are used.
        nodes: (B, N, H).
        mask: (B, N) bool.
        heads, tails: (B, N) of all nodes.
    """
    pairs = ((heads, heads), (heads, tails), (tails, heads), (tails, tails))
    four = [
        positions.table[own.unsqueeze(2) - other.unsqueeze(1) + positions.max_distance] for own, other in pairs
    ]  # 4 of (B, N, N, H)
    relative = attention.position(plain_fusion(positions.fusion, four)).unflatten(3, (attention.heads, -1))

    def split(projected: Tensor) -> Tensor:
        return projected.unflatten(2, (attention.heads, -1))

    query, key, value = split(attention.query(nodes)), split(attention.key(nodes)), split(attention.value(nodes))
    u, v = (bias.view(attention.heads, -1) for bias in (attention.content_bias, attention.position_bias))
    logits = torch.einsum("biad,bjad->baij", query + u, key)
    logits = logits + torch.einsum("biad,bijad->baij", query + v, relative)
    logits = logits.masked_fill(~mask[:, None, None, :], float("-inf"))
    return attention.output(torch.einsum("baij,bjad->biad", logits.softmax(dim=3), value).flatten(2))


def plain_fusion(fusion: FourFusion, four: list[Tensor]) -> Tensor:
    """The fusion (..., H) of four position vectors (..., H), by its formula."""
    joined = torch.cat(four, dim=-1)
    if fusion.fusion == "ff":
        return torch.relu(fusion.project(joined))
    if fusion.fusion == "ff_linear":
        return fusion.project(joined)
    if fusion.fusion == "ff_two":
        return torch.relu(fusion.project(torch.cat([four[0], four[3]], dim=-1)))
    score = fusion.score(joined)
    weight = score.unsqueeze(-1) if fusion.fusion == "attn" else score.unflatten(-1, (4, -1))
    return (weight.softmax(dim=-2) * fusion.project(torch.stack(four, dim=-2))).sum(dim=-2)


class BareAttention(nn.Module):
    """Multi-head attention without relative positions, (B, N, H) to (B, N, H)."""

    def __init__(self, hidden: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value, self.output = (nn.Linear(hidden, hidden) for _ in range(4))

    def forward(self, nodes: Tensor, mask: Tensor) -> Tensor:
        query, key, value = (
            layer(nodes).unflatten(2, (self.heads, -1)).transpose(1, 2) for layer in (self.query, self.key, self.value)
        )
        attended = scaled_dot_product_attention(query, key, value, attn_mask=mask[:, None, None, :])
        return self.output(attended.transpose(1, 2).flatten(2))
