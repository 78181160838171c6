"""The FLAT encoder: transformer layers over characters and words with relative positions.

B batch, L characters, W words, N = L + W, H hidden, K distinct relative positions.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from config import FlatConfig
from model.layers.attention import RelativeAttention
from model.layers.position import RelativePositions
from model.layers.sampled import Pattern, make_pattern


class FlatLayer(nn.Module):
    """Attention, then feed-forward. Dropout, a residual connection and LayerNorm follow each."""

    def __init__(self, config: FlatConfig) -> None:
        super().__init__()
        self.attention = RelativeAttention(config.hidden, config.heads)
        self.attention_norm = nn.LayerNorm(config.hidden)
        self.feed_forward = nn.Sequential(
            nn.Linear(config.hidden, config.feed_forward),
            nn.ReLU(),
            nn.Dropout(config.dropout),
            nn.Linear(config.feed_forward, config.hidden),
        )
        self.feed_forward_norm = nn.LayerNorm(config.hidden)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, nodes: Tensor, mask: Tensor, relative: Tensor, pattern: Pattern) -> Tensor:
        """(B, N, H) from nodes (B, N, H); the other arguments are those of `RelativeAttention`."""
        nodes = self.attention_norm(nodes + self.dropout(self.attention(nodes, mask, relative, pattern)))  # (B, N, H)
        return self.feed_forward_norm(nodes + self.dropout(self.feed_forward(nodes)))


class FlatEncoder(nn.Module):
    """Transformer layers over the characters and words of a lattice. The output is the states of the characters."""

    def __init__(self, config: FlatConfig, character_size: int, word_size: int, max_distance: int) -> None:
        super().__init__()
        self.characters = nn.Linear(character_size, config.hidden)
        self.words = nn.Linear(word_size, config.hidden)
        self.norm = nn.LayerNorm(config.hidden)
        self.dropout = nn.Dropout(config.dropout)
        self.positions = RelativePositions(config.hidden, max_distance, config.fusion)
        self.layers = nn.ModuleList(FlatLayer(config) for _ in range(config.layers))

    def forward(
        self,
        characters: Tensor,
        character_mask: Tensor,
        words: Tensor,
        word_mask: Tensor,
        distances: Tensor,
        positions: Tensor,
    ) -> Tensor:
        """Encode a batch of lattices.

        Args:
            characters: (B, L, character size); character_mask: (B, L) bool.
            words: (B, W, word size); word_mask: (B, W) bool. W may be 0.
            distances: (K, 4) integers, the four distances of each relative position in the batch.
            positions: (B, N, N) int32, the relative position of each pair of nodes.

        Returns:
            (B, L, H), pads zero.

        Raises:
            ValueError: a text is longer than the position table.
        """
        length = characters.shape[1]
        if length - 1 > self.positions.max_distance:
            raise ValueError(f"{length} characters, but the position table ends at {self.positions.max_distance}")
        mask = torch.cat([character_mask, word_mask], dim=1)  # (B, N)
        nodes = torch.cat([self.characters(characters), self.words(words)], dim=1)  # (B, N, H)
        nodes = self.dropout(self.norm(nodes)) * mask.unsqueeze(2)
        relative = self.positions(distances)  # (K, H)
        pattern = make_pattern(positions, len(distances))
        for layer in self.layers:
            nodes = layer(nodes, mask, relative, pattern)  # (B, N, H)
        return nodes[:, :length] * character_mask.unsqueeze(2)
