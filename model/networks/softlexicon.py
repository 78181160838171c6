"""SoftLexicon: each character beside the words that begin, contain and end with it, or are it (Ma et al., "Simplify the
Usage of Lexicon in Chinese NER", ACL 2020).

B batch, L characters, M words of the largest set, E encoder size, H size of the states.
"""

from __future__ import annotations

import torch
from torch import Tensor

from config import Config
from data.batches.word_sets import collate_word_sets, word_frequencies
from data.processed import Processed
from model.layers.character_encoder import CharacterEncoder
from model.layers.context import Context
from model.layers.word_features import SoftLexiconFeatures
from model.model import DataShape, TaggingNetwork, word_embeddings


class Network(TaggingNetwork):
    """Four sets of words for every character, pooled by their frequency in the corpora."""

    inputs = staticmethod(collate_word_sets)

    def __init__(self, config: Config, encoder: CharacterEncoder, data: DataShape) -> None:
        super().__init__(encoder)
        self.words = word_embeddings(data.words, config.lexicon.trainable)
        self.features = SoftLexiconFeatures(self.words)
        self.context = Context(config.context, encoder.size + self.features.size)
        self.size = self.context.size

    def prepare(self, processed: Processed) -> None:
        """Word vectors and frequencies."""
        super().prepare(processed)
        counted = [number for part in ("train", "additional", "unlabelled") for number in processed.of_part(part)]
        frequencies = word_frequencies(processed.lattices, counted, len(processed.lexicon.words))
        self.features.frequencies.copy_(torch.from_numpy(frequencies))

    def states(self, characters: Tensor, character_mask: Tensor, word_sets: Tensor) -> Tensor:
        """(B, L, H) from the encoder's (B, L, E) and word_sets (B, L, 4, M)."""
        features = self.features(word_sets, self.words(word_sets))
        return self.context(torch.cat([characters, features], dim=2), character_mask)
