"""The network, top to bottom as in the figure of DESIGN: encoder, FLAT, emissions, CRF.

B batch, L characters, W words, P relative positions, E encoder size, H FLAT size, K chains, T tags.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from config import Config
from model.layers.crf import ChainCRF
from model.layers.encoder import CharacterEncoder
from model.layers.flat import FlatEncoder
from model.layers.softmax import SoftmaxChain
from utils.tags import TagScheme


class Output(NamedTuple):
    """Emissions (B, K, L, T) in float32, and the mean loss per character if tags were given."""

    emissions: Tensor
    loss: Tensor | None


class LatticeTagger(nn.Module):
    """BERT + FLAT + CRF. FLAT and CRF can each be left out, which gives the plain baselines."""

    def __init__(
        self, config: Config, scheme: TagScheme, encoder: CharacterEncoder, num_words: int, word_size: int
    ) -> None:
        super().__init__()
        self.scheme = scheme
        self.encoder = encoder
        self.words = self.flat = None
        emission_input = encoder.size
        if config.flat.enabled:
            self.words = nn.Embedding(num_words + 1, word_size, padding_idx=0)
            self.words.weight.requires_grad_(config.lexicon.trainable)
            self.flat = FlatEncoder(config.flat, encoder.size, word_size, max_distance=config.data.max_len - 1)
            emission_input = config.flat.hidden
        self.emission_dropout = nn.Dropout(config.crf.dropout)
        self.dropout_samples = config.regularisation.dropout_samples
        self.label_smoothing = config.regularisation.label_smoothing
        self.emission = nn.Linear(emission_input, scheme.num_chains * scheme.num_tags)
        self.crf = ChainCRF(scheme) if config.crf.enabled else SoftmaxChain(scheme.num_tags)

    def forward(
        self,
        token_ids: Tensor,
        character_mask: Tensor,
        word_ids: Tensor | None = None,
        word_mask: Tensor | None = None,
        distances: Tensor | None = None,
        positions: Tensor | None = None,
        tags: Tensor | None = None,
        unknown: Tensor | None = None,
        belief: Tensor | None = None,
        weights: Tensor | None = None,
    ) -> Output:
        """Score the tags of every character.

        Args:
            token_ids: (B, L + 2), [CLS] characters [SEP].
            character_mask: (B, L) bool, each row a prefix.
            word_ids: (B, W) integers, 0 on pads; word_mask: (B, W) bool. These and the next two are FLAT's alone.
            distances: (P, 4) integers, the four distances of each relative position; positions: (B, L + W, L + W)
                int32, which of them each pair of nodes has.
            tags: (B, K, L) integers, or None where no loss is wanted.
            unknown: (B, K, L) bool, characters at which any tag is allowed.
            belief: (B, K), share of a chain's loss for which its tags hold there all the same; None for 0.
            weights: (B,), what each text's loss counts for; None for 1.
        """
        characters = self.encoder(token_ids, character_mask)  # (B, L, E)
        if self.flat is not None:
            words = self.words(word_ids)  # (B, W, word size)
            characters = self.flat(characters, character_mask, words, word_mask, distances, positions)  # (B, L, H)
        samples = [self._emissions(characters) for _ in range(self.dropout_samples if self.training else 1)]
        emissions = samples[0] if len(samples) == 1 else torch.stack(samples).mean(dim=0)  # (B, K, L, T)
        if tags is None:
            return Output(emissions, None)
        losses = [self.loss(sample, tags, character_mask, unknown, belief, weights) for sample in samples]
        return Output(emissions, sum(losses) / len(losses))

    def _emissions(self, characters: Tensor) -> Tensor:
        """(B, K, L, T) from (B, L, H), with a dropout of their own."""
        emissions = self.emission(self.emission_dropout(characters)).float()  # (B, L, K T)
        return emissions.unflatten(2, (self.scheme.num_chains, -1)).transpose(1, 2)

    def loss(
        self,
        emissions: Tensor,
        tags: Tensor,
        character_mask: Tensor,
        unknown: Tensor | None = None,
        belief: Tensor | None = None,
        weights: Tensor | None = None,
    ) -> Tensor:
        """The negative log-likelihood, summed over chains, per character; in training smoothed, if that is set.

        A text of weight w adds w times its loss, and all of its characters.

        Label smoothing (Szegedy et al., CVPR 2016) on emissions: a share of the loss is the cross-entropy of each
        character's emissions, as a softmax, with the uniform distribution.
        """
        # Half precision would lose the small differences of long sums.
        with torch.autocast(emissions.device.type, enabled=False):
            losses = self.crf.loss(
                emissions.flatten(0, 1),
                tags.flatten(0, 1),
                self.chain_mask(character_mask),
                None if unknown is None else unknown.flatten(0, 1),
                None if belief is None else belief.flatten(0, 1),
            )  # (B K,)
        losses = losses.unflatten(0, (len(tags), -1)).sum(dim=1)  # (B,)
        if self.training and self.label_smoothing:
            uniform = -emissions.log_softmax(dim=3).mean(dim=3)  # (B, K, L)
            smooth = (uniform * character_mask.unsqueeze(1)).sum(dim=(1, 2))  # (B,)
            losses = (1 - self.label_smoothing) * losses + self.label_smoothing * smooth
        if weights is not None:
            losses = losses * weights
        return losses.sum() / character_mask.sum()

    def chain_mask(self, character_mask: Tensor) -> Tensor:
        """(B K, L): the mask of every chain."""
        return character_mask.repeat_interleave(self.scheme.num_chains, dim=0)

    def load_word_vectors(self, vectors: Tensor) -> None:
        """Start the word embeddings from (words, word size); row 0 stays the pad."""
        if self.words is None:
            return
        if tuple(vectors.shape) != (self.words.num_embeddings - 1, self.words.embedding_dim):
            raise ValueError(f"vectors {tuple(vectors.shape)} do not fit embeddings {tuple(self.words.weight.shape)}")
        with torch.no_grad():
            self.words.weight[1:] = vectors


def parameter_groups(model: LatticeTagger) -> dict[str, list[nn.Parameter]]:
    """Every parameter in exactly one group, found by module: `encoder`, `crf`, and `other` for all the rest.

    Frozen parameters are included: freezing is a matter of time, not of groups.
    """
    groups = {
        "encoder": list(model.encoder.transformer.parameters()),
        "crf": list(model.crf.parameters()),
    }
    taken = {id(parameter) for group in groups.values() for parameter in group}
    groups["other"] = [parameter for parameter in model.parameters() if id(parameter) not in taken]
    return groups
