"""LR-CNN: convolutions over n-grams take words in, and think again (Gui et al., IJCAI 2019).

B batch, L characters, W words of the text that has most, T layers, E encoder size, H size of the states.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from config import Config
from data.batches.inputs import collate_words
from model.layers.character_encoder import CharacterEncoder
from model.layers.rethinking_cnn import RethinkingCNN, words_by_length
from model.model import DataShape, TaggingNetwork, chosen_words, word_embeddings
from utils.errors import UserError


class Network(TaggingNetwork):
    """Words of up to `context.layers` characters."""

    inputs = staticmethod(collate_words)

    def __init__(self, config: Config, encoder: CharacterEncoder, data: DataShape) -> None:
        super().__init__(encoder)
        self.layers, hidden = config.context.layers, config.context.hidden // 2
        if self.layers < 2:
            raise UserError(f"context.layers is {self.layers}; lr_cnn reads n-grams and words of so many characters, "
                            "set it to 2 or more")  # fmt: skip
        self.words = word_embeddings(data.words, config.lexicon.trainable)
        self.dropout = nn.Dropout(config.context.dropout)
        self.there = RethinkingCNN(encoder.size, data.words.size, hidden, self.layers)
        self.back = RethinkingCNN(encoder.size, data.words.size, hidden, self.layers)
        self.size = 2 * hidden

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
        characters = self.dropout(characters)
        short = word_mask & (word_tails - word_heads < self.layers)
        text, words, heads, tails = chosen_words(short, self.words(word_ids), word_heads, word_tails)
        words, lengths = self.dropout(words), tails - heads + 1  # (V, word size), (V,)
        size = (self.layers, *character_mask.shape)
        there = self.there(characters, character_mask, words_by_length(size, words, text, heads, lengths))
        last = character_mask.shape[1] - 1
        back = self.back(
            characters.flip(1), character_mask.flip(1), words_by_length(size, words, text, last - tails, lengths)
        ).flip(1)
        return torch.cat([there, back], dim=2)
