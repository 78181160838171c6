"""LR-CNN: convolutions over n-grams take in words twice (Gui et al., IJCAI 2019).

B batch, L characters, W words of the text that has most, V words of all texts, T layers, D size of word vectors,
E encoder size, H size of the states.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from config import Config
from data.batches.inputs import collate_words
from model.layers.character_encoder import CharacterEncoder
from model.layers.rethinking_cnn import RethinkingCNN, words_by_length
from model.model import DataShape, TaggingNetwork, Words, chosen_words, word_embeddings
from utils.errors import UserError


class Network(TaggingNetwork):
    """Reads words of up to `context.layers` characters.

    Raises:
        UserError: `context.layers` is 1.
    """

    inputs = staticmethod(collate_words)
    words: nn.Embedding

    def __init__(self, config: Config, encoder: CharacterEncoder, data: DataShape) -> None:
        super().__init__(config, encoder, data)
        self.layers, hidden = config.context.layers, config.context.hidden // 2
        if self.layers < 2:
            raise UserError(f"context.layers is {self.layers}, but model.name lr_cnn reads n-grams and words of up to "
                            "context.layers characters; set it to 2 or more")  # fmt: skip
        self.words = word_embeddings(data.words)
        self.dropout = nn.Dropout(config.context.dropout)
        self.there = RethinkingCNN(encoder.size, data.words.word_size, hidden, self.layers)
        self.back = RethinkingCNN(encoder.size, data.words.word_size, hidden, self.layers)
        self.size = 2 * hidden

    def states(self, characters: Tensor, character_mask: Tensor, words: Words) -> Tensor:
        """(B, L, H) from the encoder's states (B, L, E) and the words of `collate_words`."""
        characters = self.dropout(characters)  # (B, L, E)
        heads, tails = words["word_heads"], words["word_tails"]  # (B, W) each
        short = words["word_mask"] & (tails - heads < self.layers)  # (B, W)
        text, vectors, heads, tails = chosen_words(short, self.words(words["word_ids"]), heads, tails)  # (V, ...)
        vectors, lengths = self.dropout(vectors), tails - heads + 1  # (V, D), (V,)
        size = (self.layers, *character_mask.shape)
        forwards = words_by_length(size, vectors, text, heads, lengths)  # (T, B, L, D)
        there = self.there(characters, character_mask, forwards)  # (B, L, H / 2)
        last = character_mask.shape[1] - 1
        backwards = words_by_length(size, vectors, text, last - tails, lengths)  # (T, B, L, D)
        back = self.back(characters.flip(1), character_mask.flip(1), backwards).flip(1)  # (B, L, H / 2)
        return torch.cat([there, back], dim=2)
