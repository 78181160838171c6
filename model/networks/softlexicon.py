"""SoftLexicon: each character beside the words that begin at, contain, end at or are the character (Ma et al.,
"Simplify the Usage of Lexicon in Chinese NER", ACL 2020).

B batch, L characters, M words of the largest set, D size of word vectors, E encoder size, H size of the states.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from config import Config
from data.batches.word_sets import collate_word_sets, word_frequencies
from data.lattice.lattice import Lattices
from model.layers.character_encoder import CharacterEncoder
from model.layers.context import Context
from model.layers.word_features import SoftLexiconFeatures
from model.model import DataShape, TaggingNetwork, Words, word_embeddings


class Network(TaggingNetwork):
    """States and four pooled word sets, read by the layers of the section `context`."""

    inputs = staticmethod(collate_word_sets)
    words: nn.Embedding

    def __init__(self, config: Config, encoder: CharacterEncoder, data: DataShape) -> None:
        super().__init__(config, encoder, data)
        self.words = word_embeddings(data.words)
        self.features = SoftLexiconFeatures(self.words)
        self.context = Context(config.context, encoder.size + self.features.size)
        self.size = self.context.size

    def prepare(self, vectors: np.ndarray | None, lattices: Lattices, documents: Sequence[int]) -> None:
        """Take over the word vectors and count the words of the documents."""
        super().prepare(vectors, lattices, documents)
        frequencies = word_frequencies(lattices, documents, self.words.num_embeddings - 1)
        self.features.frequencies.copy_(torch.from_numpy(frequencies))

    def states(self, characters: Tensor, character_mask: Tensor, words: Words) -> Tensor:
        """(B, L, H) from the encoder's states (B, L, E) and `word_sets` (B, L, 4, M)."""
        vectors = self.words(words["word_sets"])  # (B, L, 4, M, D)
        features = self.features(words["word_sets"], vectors)  # (B, L, 4 D)
        return self.context(torch.cat([characters, features], dim=2), character_mask)
