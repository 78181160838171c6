"""Lattice LSTM: words flow into the cells of an LSTM over characters (Zhang and Yang, ACL 2018).

B batch, L characters, W words of the text that has most, E encoder size, H size of the states.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from config import Config
from data.batches.inputs import collate_words
from model.layers.character_encoder import CharacterEncoder
from model.layers.lattice_cells import BidirectionalLatticeLSTM
from model.model import DataShape, TaggingNetwork, chosen_words, word_embeddings


class Network(TaggingNetwork):
    """Words of two and more characters; one of a single character is no way around it."""

    inputs = staticmethod(collate_words)

    def __init__(self, config: Config, encoder: CharacterEncoder, data: DataShape) -> None:
        super().__init__(encoder)
        self.words = word_embeddings(data.words, config.lexicon.trainable)
        self.dropout = nn.Dropout(config.context.dropout)
        self.lstm = BidirectionalLatticeLSTM(encoder.size, data.words.size, config.context.hidden // 2)
        self.size = config.context.hidden // 2 * 2

    def states(
        self,
        characters: Tensor,
        character_mask: Tensor,
        word_ids: Tensor,
        word_heads: Tensor,
        word_tails: Tensor,
        word_mask: Tensor,
    ) -> Tensor:
        """(B, L, H) from the encoder's (B, L, E) and the words (B, W)."""
        several = word_mask & (word_tails > word_heads)
        text, words, heads, tails = chosen_words(several, self.words(word_ids), word_heads, word_tails)
        places = torch.stack([text, heads, tails], dim=1)  # (V, 3)
        return self.lstm(self.dropout(characters), character_mask, self.dropout(words), places)
