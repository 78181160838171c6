"""Chains of tags over the characters, from a CRF or from a softmax at every character.

B batch, L characters, H size of the states, K chains, T tags.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence

import torch
from torch import Tensor, nn

from config import Config
from data.batches.labels import ChainLabeller, Labels
from data.batches.tags import OUTSIDE, TagScheme
from data.spans import JudgedSpan, ScoredSpan, Span
from model.heads.chain_decoding import ChainDecoder, mask_of_chains
from model.heads.head import Head
from model.layers.crf import ChainCRF
from model.layers.divergence import kl_divergence
from model.layers.softmax import SoftmaxChain


class ChainHead(Head):
    """A linear layer to emissions, and a CRF or a softmax over them. The scores are the emissions (B, K, L, T)."""

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
        """Give the tag for outside the probability 1 - prior at the start. The other tags share the prior."""
        others = self.scheme.num_tags - 1
        with torch.no_grad():
            bias = self.emission.bias.zero_().unflatten(0, (self.scheme.num_chains, -1))  # (K, T)
            bias[:, OUTSIDE] = self.outside_logit() + math.log(others)

    def dimension_names(self) -> dict[str, tuple[Sequence[Hashable], ...]]:
        """Emissions by chain and tag. A single chain has transitions between the tags of categories, too."""
        if self.scheme.name == "per_type":
            emissions = [(category, tag) for category in self.scheme.categories for tag in range(self.scheme.num_tags)]
            return {"emission.weight": (emissions,), "emission.bias": (emissions,)}
        tags: list[Hashable] = ["O", *((category, tag) for category in self.scheme.categories for tag in "BMES")]
        return {
            "emission.weight": (tags,),
            "emission.bias": (tags,),
            "crf.transitions": (tags, tags),
            "crf.start_transitions": (tags,),
            "crf.end_transitions": (tags,),
        }

    def scores(self, states: Tensor, character_mask: Tensor) -> Tensor:
        """Emissions (B, K, L, T)."""
        emissions = self.emission(states).float()  # (B, L, K T)
        return emissions.unflatten(2, (self.scheme.num_chains, -1)).transpose(1, 2)

    def losses(self, scores: Tensor, character_mask: Tensor, labels: Labels) -> Tensor:
        """(B,) the negative log-likelihood of each text, summed over its chains, with label smoothing in training.

        Label smoothing (Szegedy et al., CVPR 2016) acts on emissions. A share of the loss is the cross-entropy between
        the uniform distribution and the softmax of each character's emissions.

        Args:
            scores: (B, K, L, T).
            character_mask: (B, L) bool.
            labels: `tags` (B, K, L) integers. Optionally `unknown` (B, K, L) bool, characters where any tag is
                allowed. Optionally `belief` (B, K), the share of a chain's loss in which nothing is unknown.
        """
        chains = {name: own.flatten(0, 1) for name, own in labels.items()}  # (B K, ...) each
        mask = self.chain_mask(character_mask)  # (B K, L)
        losses = self.crf.loss(
            scores.flatten(0, 1), chains["tags"], mask, chains.get("unknown"), chains.get("belief")
        )  # (B K,)
        losses = losses.unflatten(0, (len(scores), -1)).sum(dim=1)  # (B,)
        if not (self.training and self.label_smoothing):
            return losses
        uniform = -scores.log_softmax(dim=3).mean(dim=3)  # (B, K, L)
        smooth = (uniform * character_mask.unsqueeze(1)).sum(dim=(1, 2))  # (B,)
        return (1 - self.label_smoothing) * losses + self.label_smoothing * smooth

    def divergence(self, scores: Tensor, others: Tensor, character_mask: Tensor) -> Tensor:
        """(B,) exact over all tag sequences, summed over chains."""
        mask = self.chain_mask(character_mask)  # (B K, L)
        apart = kl_divergence(scores.flatten(0, 1), others.flatten(0, 1), mask, self.crf.scores)  # (B K,)
        return apart.unflatten(0, (len(scores), -1)).sum(dim=1)

    def decode(self, scores: Tensor, character_mask: Tensor) -> list[list[ScoredSpan]]:
        """The spans of the best tags, each with its posterior probability."""
        return ChainDecoder(self.scheme, self.crf).decode(scores, character_mask)

    def judge(
        self, scores: Tensor, character_mask: Tensor, asked: Sequence[Sequence[Span]], least: float, longest: int
    ) -> list[list[JudgedSpan]]:
        """As for `Head.judge`, with posterior probabilities."""
        return ChainDecoder(self.scheme, self.crf).judge(scores, character_mask, asked, least, longest)

    def chain_mask(self, character_mask: Tensor) -> Tensor:
        """(B K, L): the mask of every chain."""
        return mask_of_chains(character_mask, self.scheme)
