"""Encoder + FLAT: characters and words in one lattice (Li et al., "FLAT: Chinese NER Using Flat-Lattice Transformer",
ACL 2020).

B batch, L characters, W words, K distinct relative positions, D size of word vectors, E encoder size, H size of FLAT.
"""

from __future__ import annotations

from torch import Tensor, nn

from config import Config
from data.batches.inputs import collate_lattices
from model.layers.character_encoder import CharacterEncoder
from model.layers.flat_encoder import FlatEncoder
from model.model import DataShape, TaggingNetwork, Words, word_embeddings


class Network(TaggingNetwork):
    """A transformer over characters and words with relative positions."""

    inputs = staticmethod(collate_lattices)
    words: nn.Embedding

    def __init__(self, config: Config, encoder: CharacterEncoder, data: DataShape) -> None:
        super().__init__(config, encoder, data)
        self.words = word_embeddings(data.words)
        self.flat = FlatEncoder(config.flat, encoder.size, data.words.word_size, max_distance=config.data.max_len - 1)
        self.size = config.flat.hidden

    def states(self, characters: Tensor, character_mask: Tensor, words: Words) -> Tensor:
        """(B, L, H), the states of the characters in the lattice.

        Args:
            characters: (B, L, E).
            character_mask: (B, L) bool.
            words: `word_ids` (B, W), 0 on pads; `word_mask` (B, W); `distances` (K, 4), the four distances of each
                relative position; `positions` (B, L + W, L + W) int32, the relative position of each pair of nodes.
        """
        vectors = self.words(words["word_ids"])  # (B, W, D)
        return self.flat(
            characters, character_mask, vectors, words["word_mask"], words["distances"], words["positions"]
        )
