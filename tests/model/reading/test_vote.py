import random

import pytest

from data.spans import ScoredSpan, clash
from model.reading.vote import vote, without_clashes

SPAN = ScoredSpan("name", 3, 5, 0.8)


def models(found, of, probability=0.8):
    """`found` models that found the span, of so many."""
    return [[SPAN._replace(probability=probability)]] * found + [[]] * (of - found)


# --------------------------------------------------------------------------------------------------------------- vote


@pytest.mark.parametrize(
    ("found", "of", "min_votes", "stays"),
    [
        (1, 2, 0.5, False),  # exactly half is not more than half
        (2, 4, 0.5, False),
        (3, 5, 0.5, True),
        (2, 5, 0.5, False),
        (3, 4, 0.5, True),
        (3, 5, 0.6, False),
        (4, 5, 0.6, True),
        (4, 5, 0.8, False),
        (5, 5, 0.99, True),  # all models always suffice
        (4, 5, 0.99, False),
        (1, 1, 0.99, True),
        (3, 3, 1.0, True),
        (2, 3, 1.0, False),
        (1, 5, 0.0, True),  # one is more than none
        (1, 5, 0.2, False),
    ],
)
def test_more_than_the_share_of_the_models_or_all(found, of, min_votes, stays):
    assert bool(vote(models(found, of), min_votes)) is stays


def test_the_probability_is_the_mean_over_all_models():
    votes = [[SPAN._replace(probability=0.9)], [SPAN._replace(probability=0.6)], []]
    (span,) = vote(votes, 0.5)
    assert span.probability == pytest.approx(0.5)
    (one,) = vote([[SPAN]], 0.5)
    assert one == SPAN


@pytest.mark.parametrize("change", [{"category": "place"}, {"begin": 2}, {"end": 6}])
def test_votes_are_for_category_begin_and_end_together(change):
    other = SPAN._replace(**change)
    assert vote([[SPAN], [other]], 0.5) == []
    assert {span[:3] for span in vote([[SPAN], [other]], 0.0)} == {SPAN[:3], other[:3]}


def test_where_spans_of_one_category_overlap_the_more_probable_stay():
    draw = random.Random(2)
    for _ in range(300):
        places = {(draw.choice("ab"), draw.randrange(15), draw.randrange(4)) for _ in range(draw.randrange(12))}
        spans = [ScoredSpan(category, begin, begin + more, draw.random()) for category, begin, more in sorted(places)]
        left, expected = list(spans), []
        while left:  # the slow way: the best of all, without all that it clashes with, and so on
            best = max(left, key=lambda span: span.probability)
            expected.append(best)
            left = [span for span in left if not clash(span, best)]
        found = without_clashes(spans)
        assert found == sorted(expected, key=lambda span: (span.begin, span.end, span.category))
        assert vote([spans], 0.5, nested=False) == found and len(vote([spans], 0.5)) == len(spans)


def test_the_same_span_in_two_documents_never_adds_up():
    """Earlier code counted votes without the document: here one document is all that `vote` is ever given."""
    first, second = [[SPAN], [], []], [[], [SPAN], []]
    assert vote(first, 0.5) == vote(second, 0.5) == []


@pytest.mark.parametrize("seed", range(5))
def test_votes_equal_counting_by_hand(seed):
    draw = random.Random(seed)
    places = [(category, begin, begin + 1) for category in ("a", "b") for begin in range(4)]
    found = [[ScoredSpan(*place, draw.random()) for place in places if draw.random() < 0.6] for _ in range(5)]
    expected = []
    for place in places:
        probabilities = [span.probability for spans in found for span in spans if span[:3] == place]
        if len(probabilities) in (3, 4, 5):
            expected.append(ScoredSpan(*place, pytest.approx(sum(probabilities) / 5)))
    expected.sort(key=lambda span: (span.begin, span.end, span.category))
    assert vote([draw.sample(spans, len(spans)) for spans in found], 0.5) == expected


def test_no_model_or_no_span_gives_nothing():
    assert vote([], 0.5) == []
    assert vote([[], []], 0.0) == []
