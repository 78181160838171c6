"""What every head has in common: it scores the states of characters, has a loss, and reads spans out of its scores.

B batch, L characters, H size of the states.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from config import Config
from data.batches.labels import Labeller, Labels
from data.spans import JudgedSpan, ScoredSpan, Span


class Output(NamedTuple):
    """Scores (B, ...) in float32, whose shape is the head's, and the mean loss per character if labels were given."""

    scores: Tensor
    loss: Tensor | None


class Head(nn.Module):
    """From the states of characters to spans.

    Attributes:
        labeller: writes labels as `losses` wants them.
        nests: whether `decode` may find spans of one category that overlap.
    """

    labeller: Labeller
    nests: ClassVar[bool] = False

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.dropout = nn.Dropout(config.model.dropout)
        self.dropout_samples = config.regularisation.dropout_samples
        self.prior = config.model.prior

    def outside_logit(self) -> float:
        """The log odds of a character that belongs to no entity, for an untrained head that has a prior."""
        return math.log((1 - self.prior) / self.prior)

    def forward(
        self, states: Tensor, character_mask: Tensor, labels: Labels | None = None, weights: Tensor | None = None
    ) -> Output:
        """Score texts.

        Args:
            states: (B, L, H).
            character_mask: (B, L) bool, each row a prefix.
            labels: as `labeller` puts them together, or None where no loss is wanted.
            weights: (B,), what each text's loss counts for; None for 1.
        """
        # In training several dropouts may be drawn (Inoue, "Multi-Sample Dropout", 2019), whose losses are averaged.
        count = self.dropout_samples if self.training else 1
        samples = [self.scores(self.dropout(states), character_mask) for _ in range(count)]
        scores = samples[0] if count == 1 else torch.stack(samples).mean(dim=0)
        if labels is None:
            return Output(scores, None)
        losses = [self.loss(sample, character_mask, labels, weights) for sample in samples]
        return Output(scores, sum(losses) / count)

    def loss(self, scores: Tensor, character_mask: Tensor, labels: Labels, weights: Tensor | None = None) -> Tensor:
        """The loss of a batch per character; a text of weight w adds w times its loss, and all of its characters."""
        # Half precision would lose the small differences of long sums.
        with torch.autocast(scores.device.type, enabled=False):
            losses = self.losses(scores, character_mask, **labels)  # (B,)
        if weights is not None:
            losses = losses * weights
        return losses.sum() / character_mask.sum()

    def scores(self, states: Tensor, character_mask: Tensor) -> Tensor:
        """(B, ...) float32 from states (B, L, H) after dropout."""
        raise NotImplementedError

    def losses(self, scores: Tensor, character_mask: Tensor, **labels: Tensor) -> Tensor:
        """(B,) the loss of each text."""
        raise NotImplementedError

    def divergence(self, scores: Tensor, others: Tensor, character_mask: Tensor) -> Tensor:
        """(B,) the Kullback-Leibler divergence of what `others` say of each text from what `scores` say."""
        raise NotImplementedError

    def decode(self, scores: Tensor, character_mask: Tensor) -> list[list[ScoredSpan]]:
        """The spans of each text by begin, end and category, each with its probability."""
        raise NotImplementedError

    def judge(
        self, scores: Tensor, character_mask: Tensor, asked: Sequence[Sequence[Span]], least: float, longest: int
    ) -> list[list[JudgedSpan]]:
        """What the scores say of every span worth a thought, by begin, end and category.

        Args:
            scores, character_mask: of texts.
            asked: spans of each text to judge in any case; those of `decode` are judged too,
            least: and all that have this probability,
            longest: if they have no more characters than this.
        """
        raise NotImplementedError
