"""The base class of all heads. A head scores the states of characters, has a loss, and decodes spans from its scores.

B batch, L characters, H size of the states.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from config import Config
from data.batches.labels import Labeller, Labels
from data.spans import JudgedSpan, ScoredSpan, Span

CANDIDATES = 4  # judged for each character of a text, beside those that are asked for; trained networks stay far below


class Output(NamedTuple):
    """float32 scores (B, ...), whose shape depends on the head, and the mean loss per character if there are labels."""

    scores: Tensor
    loss: Tensor | None


class Head(nn.Module):
    """Base class of the heads.

    Attributes:
        labeller: writes labels in the form that `losses` reads.
        nests: whether `decode` may return spans of one category that overlap.
    """

    labeller: Labeller
    nests: ClassVar[bool] = False

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.dropout = nn.Dropout(config.model.dropout)
        self.dropout_samples = config.regularisation.dropout_samples
        self.prior = config.model.prior

    def dimension_names(self) -> dict[str, tuple[Sequence[Hashable], ...]]:
        """Names of rows and columns that belong to a category or a tag, by the name of the tensor.

        A later training can then take them over although its categories differ (model/start_from.py). A tensor has
        names for its first dimensions; other tensors depend on no category.
        """
        return {}

    def outside_logit(self) -> float:
        """The log odds that a character is outside of all entities. It is defined if `model.prior` is above 0."""
        return math.log((1 - self.prior) / self.prior)

    def forward(
        self, states: Tensor, character_mask: Tensor, labels: Labels | None = None, weights: Tensor | None = None
    ) -> Output:
        """Score texts.

        Args:
            states: (B, L, H).
            character_mask: (B, L) bool, each row a prefix.
            labels: a batch of labels from `labeller`, or None if no loss is wanted.
            weights: (B,) the weight of each text's loss; None for 1.
        """
        # Training may draw several dropout masks and average their losses (Inoue, "Multi-Sample Dropout", 2019).
        count = self.dropout_samples if self.training else 1
        samples = [self.scores(self.dropout(states), character_mask) for _ in range(count)]
        scores = samples[0] if count == 1 else torch.stack(samples).mean(dim=0)
        if labels is None:
            return Output(scores, None)
        losses = [self.loss(sample, character_mask, labels, weights) for sample in samples]
        return Output(scores, torch.stack(losses).mean())

    def loss(self, scores: Tensor, character_mask: Tensor, labels: Labels, weights: Tensor | None = None) -> Tensor:
        """The weighted sum of the texts' losses, divided by the number of characters."""
        # Half precision would lose the small differences between long sums.
        with torch.autocast(scores.device.type, enabled=False):
            losses = self.losses(scores, character_mask, labels)  # (B,)
        if weights is not None:
            losses = losses * weights
        return losses.sum() / character_mask.sum()

    def scores(self, states: Tensor, character_mask: Tensor) -> Tensor:
        """(B, ...) float32 from states (B, L, H) after dropout."""
        raise NotImplementedError

    def losses(self, scores: Tensor, character_mask: Tensor, labels: Labels) -> Tensor:
        """(B,) the loss of each text, summed over its characters. `labels` comes from `labeller`."""
        raise NotImplementedError

    def divergence(self, scores: Tensor, others: Tensor, character_mask: Tensor) -> Tensor:
        """(B,) the Kullback-Leibler divergence KL(p || q) for each text, where p follows `scores` and q `others`."""
        raise NotImplementedError

    def decode(self, scores: Tensor, character_mask: Tensor) -> list[list[ScoredSpan]]:
        """The spans of each text by begin, end and category, each with its probability."""
        raise NotImplementedError

    def judge(
        self, scores: Tensor, character_mask: Tensor, asked: Sequence[Sequence[Span]], least: float, longest: int
    ) -> list[list[JudgedSpan]]:
        """The probabilities of candidate spans: those of `decode`, those in `asked`, and all that are likely enough.

        Args:
            scores, character_mask: as for `decode`.
            asked: spans of each text that are always judged.
            least: the probability from which other spans are judged.
            longest: the number of characters that those spans may have.

        Returns:
            For each text its candidates by begin, end and category. A network that has learned little finds nearly all
            spans likely. Then only the most likely ones are judged, `CANDIDATES` for each character of the text.
        """
        raise NotImplementedError


MakeHead = Callable[[Config, Sequence[str], int], Head]  # from the settings, the categories and H
