"""Confident learning against plain loops over the definition."""

import numpy as np
import pytest

from data.corpus.document import Document
from data.spans import Span
from experiments.denoising.confident import Issue, confident_classes, confident_issues
from experiments.denoising.votes import Ballot, Tally


@pytest.mark.parametrize("seed", range(5))
def test_classes_are_those_of_the_definition(seed):
    random = np.random.default_rng(seed)
    probabilities = random.dirichlet(np.full(4, 0.5), 60)
    observed = np.array([random.choice(4, p=row) if random.random() < 0.8 else 0 for row in probabilities])
    observed[observed == 3] = 2 if seed == 4 else observed[observed == 3]  # a class that no example is labelled with
    confident = confident_classes(probabilities, observed)
    thresholds = {}
    for one in range(4):
        own = [row[one] for row, label in zip(probabilities, observed, strict=True) if label == one]
        thresholds[one] = sum(own) / len(own) if own else float("inf")
    for row, found in zip(probabilities, confident, strict=True):
        reached = [one for one in range(4) if row[one] >= thresholds[one]]
        assert found == (max(reached, key=lambda one: row[one]) if reached else -1)
    assert (confident == -1).any() and (confident >= 0).any()


def test_issues_name_the_place_the_label_and_what_it_rather_is():
    text = "天地玄黄宇宙洪荒"
    good, bad = Span("a", 0, 1), Span("a", 3, 4)
    documents = [Document("0", text, (good, bad)), Document("1", text, (good,)), Document("2", text, (good,))]
    ballots = {
        "0": Ballot(1, {good: Tally(1, 1, 0.8), bad: Tally(0, 1, 0.1), Span("b", 3, 4): Tally(1, 1, 0.85)}),
        "1": Ballot(1, {good: Tally(1, 1, 0.9), Span("a", 6, 6): Tally(1, 1, 0.95)}),
    }
    # thresholds: a (0.8 + 0.1 + 0.9) / 3 = 0.6; b: nothing is labelled b; none: 1 - 0.95 = 0.05
    issues = confident_issues(documents, ballots, ["a", "b"])
    assert issues == [Issue("0", 3, 4, "a", None), Issue("1", 6, 6, None, "a")]
    assert confident_issues(documents, {}, ["a", "b"]) == []
