"""A binary classifier of characters for each category, trained on positive and unlabelled text.

Peng et al. (ACL 2019) train a network for each category. Here the categories share all but the last layer.

B batch, K categories, L characters, H size of the states.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

import numpy as np
import torch
from torch import Tensor, nn

from config import Config
from data.batches.labels import ChainLabeller, Labels
from data.batches.tags import SpanTags
from data.spans import ScoredSpan, Span
from experiments.dictionary.risk import PositiveUnlabelledRisk
from model.heads.head import Head

POSITIVE = 1


class PositiveScheme:
    """Spans as positive characters: K chains with one emission for each character.

    As in Peng et al., a tag does not say where in a span its character is: a dictionary may know only part of a name.

    | tag        | meaning                                               |
    |------------|-------------------------------------------------------|
    | 0          | unlabelled                                            |
    | 1 POSITIVE | in a form that the dictionary gives the chain's category |
    """

    def __init__(self, categories: Sequence[str]) -> None:
        self.categories = tuple(categories)
        self.num_chains = len(self.categories)
        self._chains = {category: chain for chain, category in enumerate(self.categories)}

    def tags_of(self, category: str) -> SpanTags:
        """The chain of a category, and the one tag of all characters of its spans."""
        return SpanTags(self._chains[category], *[POSITIVE] * 4)

    def encode(self, spans: Iterable[Span], length: int) -> tuple[np.ndarray, list[Span]]:
        """int64 (K, L) tags, and the spans that could not be encoded, which are none."""
        tags = np.zeros((self.num_chains, length), dtype=np.int64)
        for span in spans:
            tags[self._chains[span.category], span.begin : span.end + 1] = POSITIVE
        return tags, []


class PositiveUnlabelledHead(Head):
    """A linear layer to one logit for each category and character, trained with a risk. Scores are logits (B, K, L)."""

    def __init__(self, config: Config, categories: Sequence[str], size: int, risk: PositiveUnlabelledRisk) -> None:
        super().__init__(config)
        self.scheme = PositiveScheme(categories)
        self.labeller = ChainLabeller(self.scheme)
        self.emission = nn.Linear(size, self.scheme.num_chains)
        self.risk = risk

    def scores(self, states: Tensor, character_mask: Tensor) -> Tensor:
        """Logits (B, K, L)."""
        return self.emission(states).float().transpose(1, 2)

    def loss(self, scores: Tensor, character_mask: Tensor, labels: Labels, weights: Tensor | None = None) -> Tensor:
        """The non-negative risk of logits (B, K, L): one value of the batch, not one of each text.

        Characters that `unknown` marks are the rest of a labelled span that was cut, so they are positive too. Matches
        of a dictionary have neither beliefs nor weights.
        """
        positive = labels["tags"] == POSITIVE  # (B, K, L)
        if "unknown" in labels:
            positive = positive | labels["unknown"]
        with torch.autocast(scores.device.type, enabled=False):
            return self.risk(scores, positive, character_mask)

    @torch.no_grad()
    def decode(self, scores: Tensor, character_mask: Tensor) -> list[list[ScoredSpan]]:
        """The spans of every text: the longest runs of characters with the same category.

        A character has the category with the highest probability, if that is above one half (Peng et al., "Label
        Inference"). Two adjacent spans of one category become one.

        Returns:
            For each text its spans by begin. The probability of a span is the mean over its characters.
        """
        probabilities, category = scores.sigmoid().max(dim=1)  # (B, L) each
        chosen = torch.where((probabilities > 0.5) & character_mask, category, -1)  # (B, L)
        return [
            list(_runs(of_text, sure, self.scheme.categories))
            for of_text, sure in zip(chosen.cpu().numpy(), probabilities.cpu().numpy(), strict=True)
        ]


def _runs(chosen: np.ndarray, probabilities: np.ndarray, categories: Sequence[str]) -> Iterable[ScoredSpan]:
    """The runs of equal category numbers in `chosen` (L,), where -1 is no category."""
    begin = 0
    for number, run in groupby(chosen.tolist()):
        end = begin + len(list(run))
        if number >= 0:
            yield ScoredSpan(categories[number], begin, end - 1, float(probabilities[begin:end].mean()))
        begin = end
