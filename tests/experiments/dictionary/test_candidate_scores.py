"""Scores of candidates: who trains on whom, and who may judge whom."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from experiments.dictionary.candidate_scores import (
    bagged_scores,
    direct_scores,
    fit_logistic,
    hash_features,
    known_negative_scores,
)

POSITIVE = np.array([True] * 4 + [False] * 26)


@pytest.fixture
def rows():
    """(30, 8); the first column tells them apart, a little."""
    random = np.random.default_rng(0)
    values = random.random((30, 8))
    values[:, 0] += POSITIVE
    return csr_matrix(values)


def slow_bagged_scores(rows, positive, draws, bags, random):
    """One candidate at a time: the mean over the bags that it is not in."""
    others = [number for number in range(len(positive)) if not positive[number]]
    known = [number for number in range(len(positive)) if positive[number]]
    scores = [[] for _ in positive]
    for _ in range(bags):
        drawn = random.choice(others, draws, replace=True).tolist()
        score = fit_logistic(rows[known + drawn], np.array([1] * len(known) + [0] * draws))
        for number in others:
            if number not in drawn:
                scores[number].append(float(score(rows[[number]])[0]))
    return [np.mean(own) if own else np.nan for own in scores]


@pytest.mark.parametrize("bags", [2, 7])
def test_bagging_averages_the_scores_of_bags_that_a_candidate_is_not_in(rows, bags):
    fast = bagged_scores(rows, POSITIVE, np.random.default_rng(3), 2.0, bags)
    slow = slow_bagged_scores(rows, POSITIVE, 8, bags, np.random.default_rng(3))
    assert np.isnan(fast[:4]).all()
    np.testing.assert_allclose(fast, slow, rtol=1e-6)


def spying_fit(calls):
    """Trains nothing; notes which rows (by their last column) each classifier trained on and which it judged."""

    def fit(rows, answers):
        trained = {"positive": numbers(rows[answers == 1]), "negative": numbers(rows[answers == 0]), "judged": []}
        calls.append(trained)

        def score(others):
            trained["judged"] += numbers(others)
            return np.full(others.shape[0], len(calls), dtype=float)

        return score

    return fit


def numbers(rows):
    return rows[:, [1]].toarray().ravel().astype(int).tolist()


@pytest.fixture
def numbered():
    return csr_matrix(np.stack([np.ones(30), np.arange(30)], axis=1))


def test_no_bag_judges_what_it_trained_on(numbered):
    calls = []
    bagged_scores(numbered, POSITIVE, np.random.default_rng(1), 3.0, 5, spying_fit(calls))
    assert len(calls) == 5
    for call in calls:
        assert call["positive"] == [0, 1, 2, 3] and len(call["negative"]) == 12
        assert set(call["judged"]) == set(range(30)) - set(call["negative"]) - set(call["positive"])
    assert any(len(set(call["negative"])) < 12 for call in calls)  # drawn with replacement


def test_a_candidate_in_every_bag_has_no_score(numbered):
    positive = np.array([True] * 29 + [False])
    scores = bagged_scores(numbered, positive, np.random.default_rng(1), 1.0, 3, spying_fit([]))
    assert np.isnan(scores).all()


def test_direct_draws_each_negative_once_from_the_unlabelled(numbered):
    calls = []
    scores = direct_scores(numbered, POSITIVE, np.random.default_rng(1), 2.5, spying_fit(calls))
    (call,) = calls
    assert len(call["negative"]) == len(set(call["negative"])) == 10 and min(call["negative"]) >= 4
    assert call["positive"] == [0, 1, 2, 3] and scores.shape == (30,)
    direct_scores(numbered, POSITIVE, np.random.default_rng(1), 100.0, spying_fit(calls))
    assert sorted(calls[1]["negative"]) == list(range(4, 30))  # no more than there are


def test_known_negatives_alone_are_trained_on(numbered):
    calls = []
    negative = np.zeros(30, dtype=bool)
    negative[[7, 9]] = True
    known_negative_scores(numbered, POSITIVE, negative, spying_fit(calls))
    assert calls[0]["negative"] == [7, 9] and calls[0]["positive"] == [0, 1, 2, 3]


def test_the_regression_on_used_features_is_that_on_all():
    from sklearn.linear_model import LogisticRegression

    random = np.random.default_rng(2)
    values = random.random((20, 6)) * (random.random((20, 6)) < 0.5)
    values[:, 2] = 0  # never used in training
    answers = np.array([1, 0] * 10)
    others = random.random((5, 6))
    whole = LogisticRegression(C=10.0, class_weight="balanced", max_iter=300).fit(values, answers)
    score = fit_logistic(csr_matrix(values), answers)
    np.testing.assert_allclose(score(csr_matrix(others)), whole.predict_proba(others)[:, 1], atol=1e-4)


def test_hashed_rows_have_length_one():
    rows = hash_features([["a", "b", "b"], ["c"], ["a"]])
    np.testing.assert_allclose(np.sqrt(rows.multiply(rows).sum(axis=1)).ravel(), 1)
    assert rows[0].multiply(rows[2]).sum() > 0 == rows[0].multiply(rows[1]).sum()
