"""Votes of several models on the spans of a document."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from data.spans import ScoredSpan, clash, place_in_text


class Voter(NamedTuple):
    """The weight of a model's vote, and the categories that it votes on (None: all)."""

    weight: float = 1.0
    categories: frozenset[str] | None = None

    def weight_of(self, category: str) -> float:
        """The weight on a category; 0 if the model does not predict it."""
        return self.weight if self.categories is None or category in self.categories else 0.0


def vote(
    predictions: Sequence[Sequence[ScoredSpan]],
    min_votes: float,
    voters: Sequence[Voter] | None = None,
    min_votes_of: Mapping[str, float] | None = None,
    nested: bool = True,
) -> list[ScoredSpan]:
    """Merge the spans that several models found in one document.

    Args:
        predictions: the spans of each model, all of the same document.
        min_votes: a span stays if more than this share of the votes is for it, or all votes are.
        voters: weights and categories of the models; by default all have weight 1 and vote on every category.
        min_votes_of: the share for single categories.
        nested: whether overlapping spans of one category may stay. Otherwise the most probable one stays.

    Returns:
        Spans sorted by begin, end and category. The probability is the weighted mean over all models that vote on the
        category. A model that did not find the span counts as 0.
    """
    voters = voters or [Voter()] * len(predictions)
    # For each span, weight and probability of the models that found it.
    found: dict[tuple[str, int, int], list[tuple[float, float]]] = {}
    for voter, spans in zip(voters, predictions, strict=True):
        for span in spans:
            vote_for = voter.weight_of(span.category), span.probability
            found.setdefault((span.category, span.begin, span.end), []).append(vote_for)
    merged = []
    for key, votes in found.items():
        everyone = sum(voter.weight_of(key[0]) for voter in voters)
        share = sum(weight for weight, _ in votes) / everyone if everyone else 0.0
        needed = (min_votes_of or {}).get(key[0], min_votes)
        # A sum of weights may differ from the share in its last digit.
        if (share > needed and not math.isclose(share, needed)) or math.isclose(share, 1.0):
            merged.append(ScoredSpan(*key, sum(weight * probability for weight, probability in votes) / everyone))
    return sorted(merged, key=place_in_text) if nested else without_clashes(merged)


def without_clashes(spans: Iterable[ScoredSpan]) -> list[ScoredSpan]:
    """The spans without overlaps in a category: the most probable stays, of equal ones the first.

    Returns:
        Spans sorted by begin, end and category.
    """
    kept: list[ScoredSpan] = []
    crowd: list[ScoredSpan] = []  # spans connected by overlaps
    for span in sorted(spans, key=lambda span: (span.category, span.begin, span.end)):
        if not any(clash(span, other) for other in crowd):
            kept += _most_probable(crowd)
            crowd = []
        crowd.append(span)
    kept += _most_probable(crowd)
    return sorted(kept, key=place_in_text)


def _most_probable(crowd: Sequence[ScoredSpan]) -> list[ScoredSpan]:
    kept: list[ScoredSpan] = []
    for span in sorted(crowd, key=lambda span: -span.probability):
        if not any(clash(span, other) for other in kept):
            kept.append(span)
    return kept
