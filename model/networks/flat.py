"""BERT + FLAT: characters and words in one lattice (Li et al., "FLAT: Chinese NER Using Flat-Lattice Transformer", ACL
2020).

B batch, L characters, W words, P distinct relative positions, E encoder size, H FLAT size.
"""

from __future__ import annotations

from torch import Tensor

from config import Config
from data.batches.inputs import collate_lattices
from model.layers.character_encoder import CharacterEncoder
from model.layers.flat_encoder import FlatEncoder
from model.model import DataShape, TaggingNetwork, word_embeddings


class Network(TaggingNetwork):
    """A transformer over characters and words with relative positions."""

    inputs = staticmethod(collate_lattices)

    def __init__(self, config: Config, encoder: CharacterEncoder, data: DataShape) -> None:
        super().__init__(encoder)
        self.words = word_embeddings(data.words, config.lexicon.trainable)
        self.flat = FlatEncoder(config.flat, encoder.size, data.words.size, max_distance=config.data.max_len - 1)
        self.size = config.flat.hidden

    def states(
        self,
        characters: Tensor,
        character_mask: Tensor,
        word_ids: Tensor,
        word_mask: Tensor,
        distances: Tensor,
        positions: Tensor,
    ) -> Tensor:
        """The characters' rows of the lattice.

        Args:
            characters: (B, L, E); character_mask: (B, L) bool.
            word_ids: (B, W) integers, 0 on pads; word_mask: (B, W) bool.
            distances: (P, 4) integers, the four distances of each relative position; positions: (B, L + W, L + W)
                int32, which of them each pair of nodes has.

        Returns:
            (B, L, H).
        """
        words = self.words(word_ids)  # (B, W, word size)
        return self.flat(characters, character_mask, words, word_mask, distances, positions)
