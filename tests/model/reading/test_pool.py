"""Pooled probabilities against their formulas, and the choice among overlapping spans against an enumeration."""

import itertools
import math
import random

import pytest

from data.spans import JudgedSpan, ScoredSpan, overlap, place_in_text
from model.reading.pool import FLOOR, choose, logit, pooled_logistic, pooled_mean
from model.reading.vote import Voter

VOTERS = [Voter(2.0), Voter(1.0, frozenset({"name"})), Voter(0.5)]


def candidates_of(draw, count=12, categories=("name", "place")):
    spans = {
        (draw.choice(categories), begin, begin + draw.randrange(4))
        for begin in (draw.randrange(20) for _ in range(count))
    }
    return [ScoredSpan(*span, draw.random()) for span in sorted(spans)]


@pytest.fixture
def models():
    draw = random.Random(3)
    return [[one for one in candidates_of(draw) if one.category == "name" or place != 1] for place in range(3)]


def probabilities(models, span):
    return [next((one.probability for one in own if one[:3] == span), 0.0) for own in models]


def test_the_mean_is_weighted_and_leaves_out_models_that_do_not_know_the_category(models):
    pooled = pooled_mean(models, VOTERS)
    assert {one[:3] for one in pooled} == {one[:3] for own in models for one in own}
    assert pooled == sorted(pooled, key=place_in_text)
    for one in pooled:
        first, second, third = probabilities(models, one[:3])
        if one.category == "name":
            expected = (2 * first + second + 0.5 * third) / 3.5
        else:
            expected = (2 * first + 0.5 * third) / 2.5
        assert one.probability == pytest.approx(expected)


def test_the_logistic_pool_is_its_formula(models):
    for one in pooled_logistic(models, VOTERS, -0.3):
        odds = [min(max(p, FLOOR), 1 - FLOOR) for p in probabilities(models, one[:3])]
        first, second, third = (math.log(p / (1 - p)) for p in odds)
        if one.category == "name":
            z = -0.3 + 2 * first + second + 0.5 * third
        else:
            z = -0.3 + (2 * first + 0.5 * third) * 3.5 / 2.5
        assert one.probability == pytest.approx(1 / (1 + math.exp(-z)))


def test_equal_weights_of_one_and_no_bias_leave_a_single_model_as_it_is():
    judged = [JudgedSpan("name", 0, 1, 0.3, False), JudgedSpan("name", 5, 6, 0.9, True)]
    expected = [ScoredSpan("name", 0, 1, pytest.approx(0.3)), ScoredSpan("name", 5, 6, pytest.approx(0.9))]
    assert pooled_mean([judged]) == expected
    assert pooled_logistic([judged], [Voter()], 0.0) == expected


def test_a_logit_is_finite():
    assert [logit(0.0), -logit(1.0)] == pytest.approx([math.log(FLOOR / (1 - FLOOR))] * 2)
    assert logit(0.5) == 0


def test_no_model_for_a_category_means_probability_zero():
    span = [ScoredSpan("place", 0, 1, 0.9)]
    assert pooled_mean([span], [Voter(1.0, frozenset({"name"}))]) == [ScoredSpan("place", 0, 1, 0.0)]


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("nested", [False, True])
def test_the_choice_takes_the_most_probable_of_alternatives(seed, nested):
    pooled = candidates_of(random.Random(seed))
    least, least_of = 0.2, {"place": 0.4}
    enough = [one for one in pooled if one.probability >= least_of.get(one.category, least)]

    def together(one, other):
        both_likely = one.probability > 0.5 and other.probability > 0.5
        return not overlap(one, other) or (both_likely and (nested or one.category != other.category))

    # The slow way: of all sets that fit together, the one whose probabilities, from the largest down, come first.
    sets = (set(some) for size in range(len(enough) + 1) for some in itertools.combinations(enough, size))
    fitting = [some for some in sets if all(together(*pair) for pair in itertools.combinations(some, 2))]
    best = max(fitting, key=lambda some: sorted((one.probability for one in some), reverse=True))
    assert choose(pooled, least, least_of, nested) == sorted(best, key=place_in_text)
