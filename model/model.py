"""The network, top to bottom as in README, "The network": encoder, what the network makes of its states, head.

B batch, L characters, E encoder size, H size of the states.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from config import Config
from data.batches.inputs import Inputs, collate_characters
from data.batches.labels import Labels
from data.lattice.tokenizer import Vocabulary
from data.processed import Processed
from model.heads.head import Head, Output
from model.layers.character_encoder import CharacterEncoder
from utils.errors import UserError


class WordTable(NamedTuple):
    """The words of the lexicon: how many, and the width of their vectors."""

    count: int
    size: int


class DataShape(NamedTuple):
    """What texts are made of and labelled with."""

    categories: Sequence[str]
    vocabulary: Vocabulary
    words: WordTable


class TaggingNetwork(nn.Module):
    """What all networks of model/networks/ have in common; each defines a class `Network` that inherits from this one.

    Attributes:
        inputs: makes batches of lattices, whose entries are the arguments of `forward`.
        encoder: of the characters.
        words: their embeddings, where a network reads words.
        size: of the states.
        own_head: makes the head of a network that cannot have the one of `model.head`.
        reads_once: whether the encoder reads a batch in one pass, in which its embeddings can be moved.
        head: makes spans of the states. It is set from outside, when their size is known.
    """

    inputs: Inputs = staticmethod(collate_characters)
    own_head: Callable[[Config, Sequence[str], int], Head] | None = None
    reads_once = True
    head: Head

    def __init__(self, encoder: CharacterEncoder) -> None:
        super().__init__()
        self.encoder = encoder
        self.words: nn.Embedding | None = None
        self.size = encoder.size

    @classmethod
    def longest_input(cls, config: Config, data: DataShape) -> int:
        """Tokens that the encoder reads at a time, at most."""
        return config.data.max_len + 2

    def forward(
        self,
        token_ids: Tensor,
        character_mask: Tensor,
        labels: Labels | None = None,
        weights: Tensor | None = None,
        **words: Tensor,
    ) -> Output:
        """Score texts.

        Args:
            token_ids: (B, L + 2), [CLS] characters [SEP].
            character_mask: (B, L) bool, each row a prefix.
            labels: as the head's labeller puts them together, or None where no loss is wanted.
            weights: (B,), what each text's loss counts for; None for 1.
            words: what else `inputs` makes of lattices.
        """
        characters = self.encoder(token_ids, character_mask)  # (B, L, E)
        states = self.states(characters, character_mask, **words)  # (B, L, H)
        return self.head(states, character_mask, labels, weights)

    def states(self, characters: Tensor, character_mask: Tensor) -> Tensor:
        """(B, L, H) from the encoder's (B, L, E)."""
        return characters

    def prepare(self, processed: Processed) -> None:
        """Take in, before training, what the corpora tell: here the word vectors, if there are any."""
        if processed.vectors is not None:
            self.load_word_vectors(torch.from_numpy(processed.vectors.copy()))

    def load_word_vectors(self, vectors: Tensor) -> None:
        """Start the word embeddings from (words, word size); row 0 stays the pad."""
        if self.words is None:
            return
        if tuple(vectors.shape) != (self.words.num_embeddings - 1, self.words.embedding_dim):
            raise ValueError(f"vectors {tuple(vectors.shape)} do not fit embeddings {tuple(self.words.weight.shape)}")
        with torch.no_grad():
            self.words.weight[1:] = vectors

    def scale_words(self, length: float) -> None:
        """Give the word embeddings this root mean square length; row 0 stays the pad."""
        if self.words is None:
            return
        with torch.no_grad():
            vectors = self.words.weight[1:]  # (words, word size)
            vectors *= length / vectors.square().sum(dim=1).mean().sqrt().clamp_min(1e-6)


def word_embeddings(words: WordTable, trainable: bool) -> nn.Embedding:
    """Random embeddings of the words, 0 being the pad.

    Raises:
        UserError: the words have no vectors.
    """
    if not words.size:
        raise UserError("model.name needs vectors of words, and lexicon.vectors is none; set it to random")
    table = nn.Embedding(words.count + 1, words.size, padding_idx=0)
    table.weight.requires_grad_(trainable)
    return table


def chosen_words(chosen: Tensor, *of_words: Tensor) -> tuple[Tensor, ...]:
    """Some words of all texts in one row, for what works word by word.

    Args:
        chosen: (B, W) bool, V of them true.
        of_words: (B, W, ...) each.

    Returns:
        (V,) the text of each, and its rows (V, ...) of each of the others.
    """
    text, number = chosen.nonzero().unbind(1)
    return text, *(own[text, number] for own in of_words)


def parameter_groups(network: TaggingNetwork) -> dict[str, list[nn.Parameter]]:
    """Every parameter in exactly one group, found by module: `encoder`, `crf`, and `other` for all the rest.

    Frozen parameters are included: freezing is a matter of time, not of groups.
    """
    crf = getattr(network.head, "crf", None)
    groups = {
        "encoder": list(network.encoder.transformer.parameters()),
        "crf": list(crf.parameters()) if crf is not None else [],
    }
    taken = {id(parameter) for group in groups.values() for parameter in group}
    groups["other"] = [parameter for parameter in network.parameters() if id(parameter) not in taken]
    return groups
