"""Chains of tags over the characters, by a CRF or by a softmax of every character alone.

B batch, L characters, H size of the states, K chains, T tags.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from config import Config
from data.batches.labels import ChainLabeller
from data.batches.tags import OUTSIDE, TagScheme
from data.spans import JudgedSpan, ScoredSpan, Span
from model.heads.chain_decoding import ChainDecoder, mask_of_chains
from model.heads.head import Head
from model.layers.crf import ChainCRF
from model.layers.divergence import kl_divergence
from model.layers.softmax import SoftmaxChain


class ChainHead(Head):
    """A linear layer to emissions (B, K, L, T), which are its scores, and a CRF or a softmax over them."""

    def __init__(self, config: Config, categories: Sequence[str], size: int) -> None:
        super().__init__(config)
        self.scheme = TagScheme(config.crf.scheme, categories)
        self.labeller = ChainLabeller(self.scheme)
        self.label_smoothing = config.regularisation.label_smoothing
        self.emission = nn.Linear(size, self.scheme.num_chains * self.scheme.num_tags)
        self.crf = ChainCRF(self.scheme) if config.model.head == "crf" else SoftmaxChain(self.scheme.num_tags)
        if self.prior:
            self._start_outside()

    def _start_outside(self) -> None:
        """Where nothing is known of a character, all tags but the one for outside share the prior."""
        others = self.scheme.num_tags - 1
        with torch.no_grad():
            bias = self.emission.bias.zero_().unflatten(0, (self.scheme.num_chains, -1))  # (K, T)
            bias[:, OUTSIDE] = self.outside_logit() + math.log(others)

    def scores(self, states: Tensor, character_mask: Tensor) -> Tensor:
        """Emissions (B, K, L, T)."""
        emissions = self.emission(states).float()  # (B, L, K T)
        return emissions.unflatten(2, (self.scheme.num_chains, -1)).transpose(1, 2)

    def losses(
        self,
        scores: Tensor,
        character_mask: Tensor,
        tags: Tensor,
        unknown: Tensor | None = None,
        belief: Tensor | None = None,
    ) -> Tensor:
        """The negative log-likelihood of each text, summed over its chains; in training smoothed, if that is set.

        Label smoothing (Szegedy et al., CVPR 2016) on emissions: a share of the loss is the cross-entropy of each
        character's emissions, as a softmax, with the uniform distribution.

        Args:
            scores: (B, K, L, T); character_mask: (B, L) bool.
            tags: (B, K, L) integers.
            unknown: (B, K, L) bool, characters at which any tag is allowed.
            belief: (B, K), share of a chain's loss for which its tags hold there all the same; None for 0.
        """
        losses = self.crf.loss(
            scores.flatten(0, 1),
            tags.flatten(0, 1),
            self.chain_mask(character_mask),
            None if unknown is None else unknown.flatten(0, 1),
            None if belief is None else belief.flatten(0, 1),
        )  # (B K,)
        losses = losses.unflatten(0, (len(tags), -1)).sum(dim=1)  # (B,)
        if not (self.training and self.label_smoothing):
            return losses
        uniform = -scores.log_softmax(dim=3).mean(dim=3)  # (B, K, L)
        smooth = (uniform * character_mask.unsqueeze(1)).sum(dim=(1, 2))  # (B,)
        return (1 - self.label_smoothing) * losses + self.label_smoothing * smooth

    def divergence(self, scores: Tensor, others: Tensor, character_mask: Tensor) -> Tensor:
        """(B,), exact, over all tag sequences, and summed over chains."""
        mask = self.chain_mask(character_mask)
        apart = kl_divergence(scores.flatten(0, 1), others.flatten(0, 1), mask, self.crf.scores)  # (B K,)
        return apart.unflatten(0, (len(scores), -1)).sum(dim=1)

    def decode(self, scores: Tensor, character_mask: Tensor) -> list[list[ScoredSpan]]:
        """The spans of the best tags, with their marginals."""
        return ChainDecoder(self.scheme, self.crf).decode(scores, character_mask)

    def judge(
        self, scores: Tensor, character_mask: Tensor, asked: Sequence[Sequence[Span]], least: float, longest: int
    ) -> list[list[JudgedSpan]]:
        """By the marginals of spans."""
        return ChainDecoder(self.scheme, self.crf).judge(scores, character_mask, asked, least, longest)

    def chain_mask(self, character_mask: Tensor) -> Tensor:
        """(B K, L): the mask of every chain."""
        return mask_of_chains(character_mask, self.scheme)
