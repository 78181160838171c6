"""Fits how several runs decide together: the weights and the bias of a logistic pool, and thresholds.

The pool is fitted by likelihood: a candidate is an example, and it is right if it is a label. The thresholds are chosen
by F1. Labels of a hundred documents are few, so both are held back: weights by a ridge, and thresholds of categories by
the counts of all categories.

S candidates, R runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from data.metrics import Score
from data.spans import ScoredSpan, Span
from model.reading.pool import choose, logit, pooled_logistic
from model.reading.vote import Voter

RIDGE = 1.0  # of the summed loss, on the squared weights
THRESHOLDS = tuple(float(one) for one in np.round(np.arange(0.05, 0.71, 0.01), 2))
SPANS_OF_ALL = 100  # labels of all categories that count beside those of a category when its threshold is chosen
PARTS = 5  # of the cross-validation


@dataclass(frozen=True)
class Judged:
    """A document that several runs have judged: the candidates of each run, and the labels."""

    candidates: Sequence[Sequence[ScoredSpan]]
    labels: tuple[Span, ...]


@dataclass(frozen=True)
class Mix:
    """What decides on spans: the settings mix.weights, mix.bias and predict.min_probability with its exceptions."""

    weights: tuple[float, ...]
    bias: float
    threshold: float = 0.5
    threshold_of: dict[str, float] = field(default_factory=dict)

    def pooled(self, document: Judged, categories: Sequence[frozenset[str]]) -> list[ScoredSpan]:
        """The pooled candidates of a document; `categories` are those that each run predicts."""
        return pooled_logistic(document.candidates, _voters(self.weights, categories), self.bias)

    def score(self, documents: Sequence[Judged], categories: Sequence[frozenset[str]]) -> Score:
        """The micro score on some documents."""
        total = Score()
        for document in documents:
            chosen = choose(self.pooled(document, categories), self.threshold, self.threshold_of)
            total += _score(chosen, document.labels)
        return total


def fit(documents: Sequence[Judged], categories: Sequence[frozenset[str]]) -> Mix:
    """Fit a mix to labelled documents.

    Categories get thresholds of their own only if that is better in a cross-validation over the same documents.

    Args:
        documents: at least one of them with a label.
        categories: those that each run predicts.
    """
    one_for_all = _fit(documents, categories, by_category=False)
    if len(documents) < PARTS:
        return one_for_all
    own, common = (cross_validate(documents, categories, by_category) for by_category in (True, False))
    return _fit(documents, categories, by_category=True) if own.f1 > common.f1 else one_for_all


def cross_validate(documents: Sequence[Judged], categories: Sequence[frozenset[str]], by_category: bool) -> Score:
    """The score of mixes that are each fitted to four fifths of the documents, on the remaining fifth."""
    total = Score()
    for part in range(PARTS):
        others = [document for number, document in enumerate(documents) if number % PARTS != part]
        total += _fit(others, categories, by_category).score(documents[part::PARTS], categories)
    return total


def _fit(documents: Sequence[Judged], categories: Sequence[frozenset[str]], by_category: bool) -> Mix:
    mix = fit_pool(documents, categories)
    pooled = [mix.pooled(document, categories) for document in documents]
    counts = [_counts_by_category(documents, pooled, threshold) for threshold in THRESHOLDS]
    totals = [sum(own.values(), Score()) for own in counts]
    threshold = _best([total.f1 for total in totals])
    of_category = {}
    if by_category:
        for category in sorted(set().union(*counts)):
            smoothed = [_f1_with(own.get(category, Score()), total) for own, total in zip(counts, totals, strict=True)]
            of_category[category] = _best(smoothed)
    return Mix(mix.weights, mix.bias, threshold, {name: own for name, own in of_category.items() if own != threshold})


def fit_pool(documents: Sequence[Judged], categories: Sequence[frozenset[str]]) -> Mix:
    """The weights, at least 0, and the bias with the smallest cross-entropy of the candidates, and a ridge."""
    from scipy.optimize import minimize  # here, because it takes half a second to import

    logits, votes, right = _examples(documents, categories)
    runs = len(categories)

    def loss(values: np.ndarray) -> float:
        weights, bias = values[:runs], values[runs]
        voting = votes @ weights  # (S,)
        scale = np.divide(weights.sum(), voting, out=np.zeros_like(voting), where=voting > 0)  # (S,)
        z = bias + (logits * votes) @ weights * scale  # (S,)
        return float(np.logaddexp(0.0, np.where(right, -z, z)).sum() + RIDGE * np.square(weights).sum())

    start = np.append(np.full(runs, 1 / runs), 0.0)
    found = minimize(loss, start, method="L-BFGS-B", bounds=[(0.0, None)] * runs + [(None, None)])
    weights = tuple(round(float(weight), 4) for weight in found.x[:runs])
    return Mix(weights if any(weights) else (1 / runs,) * runs, round(float(found.x[runs]), 4))


def _examples(
    documents: Sequence[Judged], categories: Sequence[frozenset[str]]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Log odds (S, R), whether each run predicts the candidate's category (S, R), whether it is a label (S,)."""
    rows: list[list[float]] = []
    votes: list[list[bool]] = []
    right: list[bool] = []
    for document in documents:
        of_runs = [{one[:3]: one.probability for one in own} for own in document.candidates]
        labels = set(document.labels)
        for span in sorted(set().union(*of_runs)):
            rows.append([logit(own.get(span, 0.0)) for own in of_runs])
            votes.append([span[0] in known for known in categories])
            right.append(Span(*span) in labels)
    runs = len(categories)
    return np.array(rows).reshape(-1, runs), np.array(votes, dtype=float).reshape(-1, runs), np.array(right, dtype=bool)


def _counts_by_category(
    documents: Sequence[Judged], pooled: Sequence[list[ScoredSpan]], threshold: float
) -> dict[str, Score]:
    counts: dict[str, Score] = {}
    for document, candidates in zip(documents, pooled, strict=True):
        chosen = choose(candidates, threshold, {})
        for category in {span.category for span in chosen} | {span.category for span in document.labels}:
            own = [span for span in chosen if span.category == category]
            labels = [span for span in document.labels if span.category == category]
            counts[category] = counts.get(category, Score()) + _score(own, labels)
    return counts


def _score(chosen: Sequence[ScoredSpan], labels: Sequence[Span]) -> Score:
    right = {Span(*one[:3]) for one in chosen} & set(labels)
    return Score(len(right), len(chosen), len(labels))


def _f1_with(own: Score, total: Score) -> float:
    """F1 of a category's counts, with those of all categories added in the size of `SPANS_OF_ALL` labels."""
    share = SPANS_OF_ALL / total.labelled if total.labelled else 0.0
    found = own.predicted + own.labelled + share * (total.predicted + total.labelled)
    return 2 * (own.right + share * total.right) / found if found else 0.0


def _best(scores: Sequence[float]) -> float:
    """The threshold with the best score. Where several have it, the middle one of them."""
    best = [threshold for threshold, score in zip(THRESHOLDS, scores, strict=True) if score == max(scores)]
    return best[len(best) // 2]


def _voters(weights: Sequence[float], categories: Sequence[frozenset[str]]) -> list[Voter]:
    return [Voter(weight, known) for weight, known in zip(weights, categories, strict=True)]
