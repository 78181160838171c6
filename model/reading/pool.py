"""Probabilities of several models pooled, and the spans that are chosen by them. Its counterpart is vote.py.

A vote asks which spans each model finds. A pool asks how probable each model thinks a span, found or not. So it can
take a span that many models think fairly probable and none finds.

| pool        | probability of a span, from those of the models, p_r, and their weights, w_r          |
|-------------|-----------------------------------------------------------------------------------------|
| probability | the mean, sum of w_r p_r over sum of w_r                                                |
| logistic    | 1 / (1 + exp(-z)) with z = bias + sum of w_r log(p_r / (1 - p_r))                        |

The second is the logarithmic pool (Genest and Zidek, "Combining Probability Distributions", Statistical Science 1986).
With weights that are fitted to labels, it also calibrates every model (Platt, 1999). With one model it does only that.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from data.spans import JudgedSpan, ScoredSpan, overlap, place_in_text
from model.reading.vote import Voter

# A model that has not recorded a span thinks it less probable than LEAST_PROBABILITY. This stands for it in a logit.
FLOOR = 0.02

Candidates = Sequence[JudgedSpan] | Sequence[ScoredSpan]  # that one model has recorded in a document


def pooled_mean(candidates: Sequence[Candidates], voters: Sequence[Voter] | None = None) -> list[ScoredSpan]:
    """The weighted mean probability of each span that some model has recorded. Other models count as 0.

    Args:
        candidates: of each model, all of one document.
        voters: weights and categories of the models; by default all have weight 1. A model has no part in the
            probability of a category that it does not predict.
    """
    voters = voters or [Voter()] * len(candidates)
    pooled = []
    for span, probabilities in _by_span(candidates).items():
        weights = [voter.weight_of(span[0]) for voter in voters]
        everyone = sum(weights)
        total = sum(weight * probability for weight, probability in zip(weights, probabilities, strict=True))
        pooled.append(ScoredSpan(*span, min(1.0, total / everyone) if everyone else 0.0))
    return sorted(pooled, key=place_in_text)


def pooled_logistic(candidates: Sequence[Candidates], voters: Sequence[Voter], bias: float) -> list[ScoredSpan]:
    """The logistic pool of each span that some model has recorded; the arguments are those of `pooled_mean`.

    Where some models do not predict a category, the weights of the others are scaled to the sum of all weights.
    """
    whole = sum(voter.weight for voter in voters)
    pooled = []
    for span, probabilities in _by_span(candidates).items():
        weights = [voter.weight_of(span[0]) for voter in voters]
        total = sum(weight * logit(probability) for weight, probability in zip(weights, probabilities, strict=True))
        everyone = sum(weights)
        z = bias + (total * whole / everyone if everyone else 0.0)
        pooled.append(ScoredSpan(*span, 1 / (1 + math.exp(-z))))
    return sorted(pooled, key=place_in_text)


def logit(probability: float) -> float:
    """log(p / (1 - p)), with p at least `FLOOR` and at most 1 - `FLOOR`."""
    bounded = min(max(probability, FLOOR), 1 - FLOOR)
    return math.log(bounded / (1 - bounded))


def choose(
    pooled: Sequence[ScoredSpan], least: float, least_of: Mapping[str, float], nested: bool = False
) -> list[ScoredSpan]:
    """The spans that are probable enough, and among overlapping ones the most probable.

    Two spans that overlap are alternatives: a threshold below 0.5 would otherwise take both. They stay together only if
    both are more probable than not, and only in two categories, unless `nested` allows one.

    Args:
        pooled: the candidates of one document.
        least: the smallest probability.
        least_of: the smallest probability in single categories.
        nested: whether spans of one category may overlap.

    Returns:
        Spans sorted by begin, end and category.
    """
    chosen: list[ScoredSpan] = []
    for span in sorted(pooled, key=lambda span: (-span.probability, *place_in_text(span))):
        if span.probability < least_of.get(span.category, least):
            continue
        if not any(_alternatives(span, other, nested) for other in chosen if overlap(span, other)):
            chosen.append(span)
    return sorted(chosen, key=place_in_text)


def _alternatives(one: ScoredSpan, other: ScoredSpan, nested: bool) -> bool:
    """Whether only one of two overlapping spans can be right."""
    return min(one.probability, other.probability) <= 0.5 or (one.category == other.category and not nested)


def _by_span(candidates: Sequence[Candidates]) -> dict[tuple[str, int, int], list[float]]:
    """The probability that each model gives each span, 0 where it has not recorded it."""
    found: dict[tuple[str, int, int], list[float]] = {}
    for place, own in enumerate(candidates):
        for span in own:
            probabilities = found.setdefault((span.category, span.begin, span.end), [0.0] * len(candidates))
            probabilities[place] = span.probability
    return found
