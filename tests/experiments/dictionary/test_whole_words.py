"""Whole words out of votes of characters."""

import random
from itertools import pairwise

import pytest

from data.spans import ScoredSpan
from experiments.dictionary.whole_words import whole_words


def by_hand(text, spans, words):
    """Category of every word, then runs of words."""
    of = {place: span for span in spans for place in range(span.begin, span.end + 1)}
    decided, begin = [], 0
    for word in words:
        places = range(begin, begin + len(word))
        category = None
        for one in ("a", "b"):
            if sum(place in of and of[place].category == one for place in places) > len(word) / 2:
                category = one
        decided += [(category, place) for place in places]
        begin += len(word)
    found = []
    for category, place in decided:
        if category is None:
            continue
        if found and found[-1][0] == category and found[-1][2] == place - 1:
            found[-1][2] = place
        else:
            found.append([category, place, place])
    results = []
    for category, first, last in found:
        sure = [of[p].probability if p in of and of[p].category == category else 0 for p in range(first, last + 1)]
        results.append((category, first, last, pytest.approx(sum(sure) / len(sure))))
    return results


@pytest.mark.parametrize("seed", range(20))
def test_a_word_has_the_category_of_most_of_its_characters(seed):
    draw = random.Random(seed)
    words = ["天" * draw.randint(1, 4) for _ in range(12)]
    text = "".join(words)
    cuts = sorted(draw.sample(range(len(text) + 1), 8))
    spans = [ScoredSpan(draw.choice("ab"), begin, end - 1, draw.random()) for begin, end in pairwise(cuts)
             if draw.random() < 0.7]  # fmt: skip
    assert [tuple(one) for one in whole_words(text, spans, words)] == by_hand(text, spans, words)


def test_half_of_a_word_is_not_enough():
    words = ["北京", "大学"]
    assert whole_words("北京大学", [ScoredSpan("a", 1, 1, 0.9)], words) == []
    assert whole_words("北京大学", [ScoredSpan("a", 1, 3, 0.9)], words) == [ScoredSpan("a", 2, 3, 0.9)]


def test_without_a_text_there_is_nothing():
    assert whole_words("", [], []) == []
