"""The base class of all networks: encoder, states, head. docs/systems.md#flat describes the default network.

B batch, L characters, W words of the text that has most, E encoder size, H size of the states.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from config import Config
from data.batches.inputs import Inputs, collate_characters
from data.batches.labels import Labels
from data.lattice.lattice import Lattices
from data.lattice.tokenizer import Vocabulary
from model.heads.head import Head, MakeHead, Output
from model.layers.character_encoder import CharacterEncoder
from utils.errors import UserError

Words = dict[str, Tensor]  # what a network's `inputs` makes of lattices beside the characters


@dataclass(frozen=True)
class LexiconSize:
    """The number of words in the lexicon, and the size of their vectors.

    Attributes:
        count: number of words.
        word_size: size of their vectors, 0 if they have none.
    """

    count: int
    word_size: int


class DataShape(NamedTuple):
    """The part of the processed data that the shapes of a network depend on."""

    categories: Sequence[str]
    vocabulary: Vocabulary
    words: LexiconSize
    tags: int = 0  # that characters can have, by `lexicon.tags`


class TaggingNetwork(nn.Module):
    """Base class of the networks in model/networks/, where each file defines a class `Network`.

    A network overrides `states` and sets `size`.

    Attributes:
        inputs: makes a batch of lattices. Its entries are the arguments of `forward`.
        own_head: makes the head of a network that cannot use the heads of `model.head`.
        reads_once: whether the encoder reads a batch in one pass. Adversarial training needs this.
        encoder: encodes the characters.
        words: word embeddings, or None if the network reads no words.
        tags: embeddings of the characters' tags, which are added to the encoder's states; None without `lexicon.tags`.
        size: H.
        head: turns states into spans. It is set after construction, because it needs `size`.
    """

    inputs: Inputs = staticmethod(collate_characters)
    own_head: MakeHead | None = None
    reads_once = True
    words: nn.Embedding | None
    head: Head

    def __init__(self, config: Config, encoder: CharacterEncoder, data: DataShape) -> None:
        super().__init__()
        self.encoder = encoder
        self.words = None
        self.tags = nn.Embedding(data.tags, encoder.size) if data.tags else None
        if self.tags is not None:
            nn.init.zeros_(self.tags.weight)  # training starts with the states of the encoder as they are
        self.size = encoder.size

    @classmethod
    def longest_input(cls, config: Config, data: DataShape) -> int:
        """The largest number of tokens that the encoder reads at once."""
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
            labels: a batch of labels from the head's labeller, or None if no loss is wanted.
            weights: (B,) the weight of each text's loss; None for 1.
            words: the other entries of a batch of `inputs`. With `lexicon.tags` there are `tags` (B, L) among them.
        """
        characters = self.encoder(token_ids, character_mask)  # (B, L, E)
        if self.tags is not None:
            characters = characters + self.tags(words["tags"])  # (B, L, E)
        states = self.states(characters, character_mask, words)  # (B, L, H)
        return self.head(states, character_mask, labels, weights)

    def states(self, characters: Tensor, character_mask: Tensor, words: Words) -> Tensor:
        """(B, L, H) from the encoder's states (B, L, E), the mask (B, L) and what else `inputs` makes of lattices."""
        return characters

    def prepare(self, vectors: np.ndarray | None, lattices: Lattices, documents: Sequence[int]) -> None:
        """Take over what the corpora say before training: here the word vectors.

        Args:
            vectors: float32 (words, word size), or None to keep the random vectors.
            lattices: of all documents.
            documents: numbers of the documents that training may read, labelled or not.
        """
        if vectors is not None:
            self.load_word_vectors(torch.from_numpy(vectors.copy()))

    def load_word_vectors(self, vectors: Tensor) -> None:
        """Start the word embeddings from vectors (words, word size). Row 0 stays the pad.

        Raises:
            ValueError: the shapes differ.
        """
        if self.words is None:
            return
        if tuple(vectors.shape) != (self.words.num_embeddings - 1, self.words.embedding_dim):
            raise ValueError(f"vectors {tuple(vectors.shape)} do not fit embeddings {tuple(self.words.weight.shape)}")
        with torch.no_grad():
            self.words.weight[1:] = vectors

    def scale_words(self, length: float) -> None:
        """Scale the word embeddings to this length (root mean square). Row 0 stays the pad."""
        if self.words is None:
            return
        with torch.no_grad():
            vectors = self.words.weight[1:]  # (words, word size)
            vectors *= length / vectors.square().sum(dim=1).mean().sqrt().clamp_min(1e-6)


def word_embeddings(words: LexiconSize) -> nn.Embedding:
    """Random embeddings of the words. Row 0 is the pad.

    Raises:
        UserError: the words have no vectors.
    """
    if not words.word_size:
        raise UserError("model.name needs word vectors, but lexicon.vectors is none; set it to random")
    return nn.Embedding(words.count + 1, words.word_size, padding_idx=0)


def chosen_words(chosen: Tensor, *of_words: Tensor) -> tuple[Tensor, ...]:
    """The chosen words of all texts, joined into one sequence of V words.

    Args:
        chosen: (B, W) bool, V of them true.
        of_words: (B, W, ...) each.

    Returns:
        (V,) the text of each word, then (V, ...) for each of `of_words`.
    """
    text, number = chosen.nonzero().unbind(1)  # (V,) each
    return text, *(own[text, number] for own in of_words)


def parameter_groups(network: TaggingNetwork) -> dict[str, list[nn.Parameter]]:
    """Every parameter in exactly one group, found by module: `encoder`, `crf`, or `other` for the rest.

    Frozen parameters are included, because they may train in a later epoch.
    """
    crf = getattr(network.head, "crf", None)
    groups = {
        "encoder": list(network.encoder.transformer.parameters()),
        "crf": list(crf.parameters()) if crf is not None else [],
    }
    taken = {id(parameter) for group in groups.values() for parameter in group}
    groups["other"] = [parameter for parameter in network.parameters() if id(parameter) not in taken]
    return groups
