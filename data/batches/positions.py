"""The distinct relative positions in a batch of lattices.

B batch, L characters, W words, N = L + W nodes (characters first), K distinct relative positions.
"""

from __future__ import annotations

import numpy as np


def relative_positions(length: int, word_heads: np.ndarray, word_tails: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find the distinct relative positions of a batch, and the position of each pair of nodes.

    The four distances of a pair follow from (h_i - h_j, t_i - h_i, t_j - h_j). Words have few lengths and characters
    have length 0, so a few thousand triples cover all B N N pairs.

    Args:
        length: L. Character i has head and tail i in every text.
        word_heads, word_tails: integers (B, W), 0 for padding.

    Returns:
        distances: int64 (K, 4), h_i - h_j, h_i - t_j, t_i - h_j and t_i - t_j of each distinct position.
        index: int32 (B, N, N), the position of node i relative to node j.
    """
    batch = len(word_heads)
    lengths, kinds = np.unique(np.append(word_tails - word_heads, 0), return_inverse=True)  # the length 0 comes first
    characters = np.broadcast_to(np.arange(length), (batch, length))
    heads = np.concatenate([characters, word_heads], axis=1).astype(np.int32)  # (B, N)
    kind = np.zeros(heads.shape, dtype=np.int32)
    kind[:, length:] = kinds[:-1].reshape(word_heads.shape)

    # A triple as one number: distance in the high digits, the two lengths in the low ones.
    base = len(lengths)
    of_query = (heads + length - 1) * (base * base) + kind * base
    of_key = heads * (base * base) - kind
    code = of_query[:, :, None] - of_key[:, None, :]  # (B, N, N)
    number = np.zeros((2 * length - 1) * base * base, dtype=np.int32)
    number[code] = 1
    present = np.flatnonzero(number)
    number[present] = np.arange(len(present), dtype=np.int32)

    distance = present // (base * base) - (length - 1)
    own, other = lengths[present // base % base], lengths[present % base]
    distances = np.stack([distance, distance - other, distance + own, distance + own - other], axis=1)
    return distances.astype(np.int64), number[code]
