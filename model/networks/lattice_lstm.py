"""Lattice LSTM: words enter the cells of an LSTM over characters (Zhang and Yang, ACL 2018).

B batch, L characters, W words of the text that has most, V words of all texts, D size of word vectors, E encoder size,
H size of the states.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from config import Config
from data.batches.inputs import collate_words
from model.layers.character_encoder import CharacterEncoder
from model.layers.lattice_cells import BidirectionalLatticeLSTM
from model.model import DataShape, TaggingNetwork, Words, chosen_words, word_embeddings


class Network(TaggingNetwork):
    """Reads words of two and more characters. A word of one character would skip nothing."""

    inputs = staticmethod(collate_words)
    words: nn.Embedding

    def __init__(self, config: Config, encoder: CharacterEncoder, data: DataShape) -> None:
        super().__init__(config, encoder, data)
        self.words = word_embeddings(data.words)
        self.dropout = nn.Dropout(config.context.dropout)
        self.lstm = BidirectionalLatticeLSTM(encoder.size, data.words.word_size, config.context.hidden // 2)
        self.size = config.context.hidden // 2 * 2

    def states(self, characters: Tensor, character_mask: Tensor, words: Words) -> Tensor:
        """(B, L, H) from the encoder's states (B, L, E) and the words of `collate_words`."""
        heads, tails = words["word_heads"], words["word_tails"]  # (B, W) each
        several = words["word_mask"] & (tails > heads)  # (B, W)
        text, vectors, heads, tails = chosen_words(several, self.words(words["word_ids"]), heads, tails)  # (V, ...)
        places = torch.stack([text, heads, tails], dim=1)  # (V, 3)
        return self.lstm(self.dropout(characters), character_mask, self.dropout(vectors), places)
