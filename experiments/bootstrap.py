"""The difference between two systems, with its confidence interval.

S seeds, D documents; the last dimension of counts is (right, predicted, labelled) spans.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

SAMPLES = 10_000
SEED = 0  # of the draws, so that a table is the same each time


class Difference(NamedTuple):
    """A difference of mean F1 and its 95 % confidence interval."""

    value: float
    low: float
    high: float


def micro_f1(counts: np.ndarray) -> np.ndarray:
    """F1 from summed counts (..., 3); 0 where nothing is predicted or labelled."""
    right, sides = counts[..., 0], counts[..., 1] + counts[..., 2]
    return 2 * right / np.maximum(sides, 1)


def bootstrap_difference(own: np.ndarray, baseline: np.ndarray) -> Difference:
    """Mean F1 over seeds of one system minus that of another, with a paired bootstrap over documents.

    Every sample draws D documents with replacement and scores all seeds of both systems on them (Efron and Tibshirani,
    "An Introduction to the Bootstrap", 1993; for tagging: Berg-Kirkpatrick et al., EMNLP 2012). The interval covers the
    choice of documents, not the choice of seeds.

    Args:
        own, baseline: (S, D, 3) counts on the same documents. S may differ between the two.

    Raises:
        ValueError: the documents differ in number or labels.
    """
    if own.shape[1] != baseline.shape[1] or not np.array_equal(own[0, :, 2], baseline[0, :, 2]):
        raise ValueError(f"counts {own.shape} and {baseline.shape} are not of the same documents")
    documents = own.shape[1]
    random = np.random.default_rng(SEED)
    drawn = random.multinomial(documents, np.full(documents, 1 / documents), size=SAMPLES)  # (samples, D)

    def mean_f1(counts: np.ndarray) -> np.ndarray:
        summed = np.einsum("nd,sdc->nsc", drawn, counts, optimize=True)  # (samples, S, 3)
        return micro_f1(summed).mean(axis=1)

    differences = mean_f1(own.astype(np.float64)) - mean_f1(baseline.astype(np.float64))
    value = micro_f1(own.sum(axis=1)).mean() - micro_f1(baseline.sum(axis=1)).mean()
    low, high = np.percentile(differences, [2.5, 97.5])
    return Difference(float(value), float(low), float(high))
