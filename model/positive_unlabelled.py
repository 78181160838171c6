"""A network of one yes-or-no classifier for each category and character, trained on positive and unlabelled text.

Everything below the emissions is `LatticeTagger`'s: characters and words of the lattice, encoder and FLAT. Peng et al.
(ACL 2019) train a network for each category; here the categories share all but the last layer.

B batch, K categories, L characters.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import groupby

import numpy as np
import torch
from torch import Tensor

from config import Config
from model.layers.encoder import CharacterEncoder
from model.layers.positive_unlabelled_risk import PositiveUnlabelledRisk
from model.model import LatticeTagger
from utils.preprocess.document import ScoredSpan, Span
from utils.tags import SpanTags

POSITIVE = 1


class PositiveScheme:
    """Spans as positive characters, with the interface of `TagScheme`: K chains of one emission each.

    Where in a span a character stands is not written, as in Peng et al.: a dictionary may know a part of a name only.

    | tag        | meaning                                               |
    |------------|-------------------------------------------------------|
    | 0          | unlabelled                                            |
    | 1 POSITIVE | in a form that the dictionary gives the chain's category |
    """

    def __init__(self, categories: Sequence[str]) -> None:
        self.categories = tuple(categories)
        self.num_chains, self.num_tags = len(self.categories), 1
        self._chains = {category: chain for chain, category in enumerate(self.categories)}

    def tags_of(self, category: str) -> SpanTags:
        """The chain of a category and the tag of all its characters."""
        return SpanTags(self._chains[category], *[POSITIVE] * 4)

    def encode(self, spans: Iterable[Span], length: int) -> tuple[np.ndarray, list[Span]]:
        """int64 (K, L) tags; no span finds no place."""
        tags = np.zeros((self.num_chains, length), dtype=np.int64)
        for span in spans:
            tags[self._chains[span.category], span.begin : span.end + 1] = POSITIVE
        return tags, []


class PositiveUnlabelledTagger(LatticeTagger):
    """`LatticeTagger` with one logit for each category and character in place of tags, and a risk in place of a CRF."""

    def __init__(
        self,
        config: Config,
        scheme: PositiveScheme,
        encoder: CharacterEncoder,
        num_words: int,
        word_size: int,
        risk: PositiveUnlabelledRisk,
    ) -> None:
        without_chains = replace(config, crf=replace(config.crf, enabled=False))
        super().__init__(without_chains, scheme, encoder, num_words, word_size)
        self.risk = risk

    def loss(
        self,
        emissions: Tensor,
        tags: Tensor,
        character_mask: Tensor,
        unknown: Tensor | None = None,
        belief: Tensor | None = None,
        weights: Tensor | None = None,
    ) -> Tensor:
        """The non-negative risk of emissions (B, K, L, 1) under tags (B, K, L).

        What `unknown` (B, K, L) marks is the rest of a labelled span that was cut, so it is positive too. Matches of a
        dictionary have neither beliefs nor weights.
        """
        positive = tags == POSITIVE
        if unknown is not None:
            positive = positive | unknown
        with torch.autocast(emissions.device.type, enabled=False):
            return self.risk(emissions.squeeze(3), positive, character_mask)


@torch.no_grad()
def decode_runs(model: LatticeTagger, emissions: Tensor, character_mask: Tensor) -> list[list[ScoredSpan]]:
    """The spans of every text: longest runs of characters with the same category.

    A character has the category whose classifier is surest of it, if that one calls it positive (a probability above
    one half), else none (Peng et al., "Label Inference"). Two spans of one category side by side become one.

    Args:
        model: names the categories.
        emissions: (B, K, L, 1) logits.
        character_mask: (B, L) bool.

    Returns:
        For each text its spans by begin; the probability is the mean of the characters' probabilities.
    """
    probabilities, category = emissions.squeeze(3).sigmoid().max(dim=1)  # (B, L) each
    chosen = torch.where((probabilities > 0.5) & character_mask, category, -1)  # (B, L)
    return [
        list(_runs(of_text, sure, model.scheme.categories))
        for of_text, sure in zip(chosen.cpu().numpy(), probabilities.cpu().numpy(), strict=True)
    ]


def _runs(chosen: np.ndarray, probabilities: np.ndarray, categories: Sequence[str]) -> Iterable[ScoredSpan]:
    """Runs of equal numbers (L,) from 0, numbers below 0 left out."""
    begin = 0
    for number, run in groupby(chosen.tolist()):
        end = begin + len(list(run))
        if number >= 0:
            yield ScoredSpan(categories[number], begin, end - 1, float(probabilities[begin:end].mean()))
        begin = end
