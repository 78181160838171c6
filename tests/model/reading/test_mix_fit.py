"""What is fitted is best among its neighbours, and finds a made-up truth again."""

import itertools
import math
import random

import pytest

from data.metrics import score_spans
from data.spans import ScoredSpan, Span
from model.reading.mix_fit import RIDGE, THRESHOLDS, Judged, Mix, cross_validate, fit
from model.reading.pool import choose, logit

ALL = frozenset({"name", "place"})


def made_up(count, seed, noise=(0.5, 2.0), spans=6, names=("name", "place")):
    """Documents with candidates whose first run knows the truth better than the second."""
    draw = random.Random(seed)
    documents = []
    for _ in range(count):
        candidates = [[], []]
        labels = []
        for place in range(spans):
            span = (draw.choice(names), 10 * place, 10 * place + 2)
            true = draw.random() < 0.4
            if true:
                labels.append(Span(*span))
            for own, spread in zip(candidates, noise, strict=True):
                z = (1.5 if true else -1.5) + draw.gauss(0, spread)
                own.append(ScoredSpan(*span, 1 / (1 + math.exp(-z))))
        documents.append(Judged(candidates, tuple(labels)))
    return documents


def loss(mix, documents, categories):
    """The slow way: the cross-entropy of every candidate, from the formula of the pool."""
    total = RIDGE * sum(weight**2 for weight in mix.weights)
    for document in documents:
        of_runs = [{one[:3]: one.probability for one in own} for own in document.candidates]
        for span in set().union(*of_runs):
            voting = [weight for weight, known in zip(mix.weights, categories, strict=True) if span[0] in known]
            z = sum(
                weight * logit(own.get(span, 0.0))
                for weight, own, known in zip(mix.weights, of_runs, categories, strict=True)
                if span[0] in known
            )
            z = mix.bias + z * sum(mix.weights) / sum(voting)
            total += math.log1p(math.exp(-z if Span(*span) in document.labels else z))
    return total  # fmt: skip


@pytest.mark.parametrize("categories", [[ALL, ALL], [ALL, frozenset({"name"})]])
def test_no_neighbour_of_the_weights_and_the_bias_is_likelier(categories):
    documents = made_up(30, 1)
    mix = fit(documents, categories)
    least = loss(mix, documents, categories)
    for first, second, bias in itertools.product((-0.03, 0, 0.03), repeat=3):
        weights = (max(0, mix.weights[0] + first), max(0, mix.weights[1] + second))
        assert least <= loss(Mix(weights, mix.bias + bias), documents, categories) + 1e-3


def test_the_better_run_has_the_larger_weight_and_a_useless_one_none():
    mix = fit(made_up(60, 2), [ALL, ALL])
    assert mix.weights[0] > 2 * mix.weights[1] > 0
    draw = random.Random(0)
    useless = [
        Judged(
            [one.candidates[0], [span._replace(probability=draw.random()) for span in one.candidates[1]]], one.labels
        )
        for one in made_up(200, 3)
    ]
    assert fit(useless, [ALL, ALL]).weights[1] < 0.1


def test_no_other_threshold_is_better():
    documents = made_up(30, 4, noise=(2.0, 2.0), names=["name"])
    mix = fit(documents, [ALL, ALL])

    def f1(threshold):
        found = [choose(mix.pooled(one, [ALL, ALL]), threshold, {}) for one in documents]
        return score_spans([one.labels for one in documents], found).micro.f1

    assert not mix.threshold_of
    assert f1(mix.threshold) == max(map(f1, THRESHOLDS)) == mix.score(documents, [ALL, ALL]).f1


def test_categories_get_thresholds_of_their_own_where_that_helps_on_unseen_documents():
    documents = []
    for one in made_up(80, 5, noise=(0.8, 0.8), spans=12):
        # Runs think places far too likely.
        candidates = [[span._replace(probability=span.probability ** (0.2 if span.category == "place" else 1))
                       for span in own] for own in one.candidates]  # fmt: skip
        documents.append(Judged(candidates, one.labels))
    mix = fit(documents, [ALL, ALL])
    assert mix.threshold_of.get("place", mix.threshold) > mix.threshold_of.get("name", mix.threshold)
    own, common = (cross_validate(documents, [ALL, ALL], by_category).f1 for by_category in (True, False))
    assert own > common


def test_cross_validation_scores_every_document_once():
    documents = made_up(23, 6)
    assert cross_validate(documents, [ALL, ALL], False).labelled == sum(len(one.labels) for one in documents)


def test_a_single_document_is_enough():
    mix = fit(made_up(1, 7), [ALL, ALL])
    assert all(weight >= 0 for weight in mix.weights) and THRESHOLDS[0] <= mix.threshold <= THRESHOLDS[-1]
