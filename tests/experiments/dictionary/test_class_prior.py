"""The class prior, estimated where it is known."""

import itertools
import random

import pytest

from data.spans import Span
from experiments.dictionary.class_prior import LARGEST, estimate_priors, labelled_shares

CHARACTERS = "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚"


def made_texts(known_share, count=400, seed=0):
    """Names of few characters, all different, behind 叫 among other words; the dictionary knows a share of them.

    Returns:
        texts, the spans of known names, and the true share of name characters.
    """
    draw = random.Random(seed)
    forms = draw.sample(["".join(pair) for pair in itertools.permutations(CHARACTERS, 2)], count)
    known = set(draw.sample(forms, round(known_share * count)))
    texts, labelled, inside = [], [], 0
    for form in forms:
        words = draw.choices(["今天", "天气", "很好", "我们", "工作", "明日", "开会"], k=draw.randint(2, 6))
        text = "".join(words) + "叫" + form
        texts.append(text)
        labelled.append([Span("name", len(text) - 2, len(text) - 1)] if form in known else [])
        inside += 2
    return texts, labelled, inside / sum(map(len, texts))


@pytest.mark.parametrize("known_share", [0.3, 0.5, 0.7])
def test_names_that_the_dictionary_lacks_are_counted_too(known_share):
    texts, labelled, truth = made_texts(known_share)
    shares = labelled_shares(texts, labelled, ["name"])
    estimate = estimate_priors(texts, labelled, ["name"], 1)["name"]
    assert abs(estimate - truth) < 0.6 * abs(shares["name"] - truth)


def test_what_is_known_of_seen_forms_by_heart_is_not_asked():
    # Every form stands in ten texts, so a classifier is sure of all that it has seen; of them c would come out as 1.
    texts, labelled, _ = made_texts(0.5, count=40)
    shares = labelled_shares(texts, labelled, ["name"])
    assert estimate_priors(texts * 10, labelled * 10, ["name"], 1)["name"] > 1.3 * shares["name"]


def test_labelled_shares_count_characters_once():
    texts = ["天地玄黄宇宙", "洪荒日月"]
    labelled = [[Span("a", 0, 1), Span("a", 1, 2)], [Span("b", 3, 3)]]
    assert labelled_shares(texts, labelled, ["a", "b", "c"]) == {"a": 0.3, "b": 0.1, "c": 0.0}


def test_an_estimate_is_at_least_what_is_labelled_and_at_most_the_largest():
    texts, labelled, _ = made_texts(1.0)
    share = labelled_shares(texts, labelled, ["name"])["name"]
    assert share <= estimate_priors(texts, labelled, ["name"], 1)["name"] <= 1.2 * share
    odd = ["天地" * 30, "玄黄" * 30, "宇宙" * 30]
    everything = [[Span("a", 0, 59)], [Span("a", 0, 59)], [Span("a", 0, 58)]]
    assert estimate_priors(odd, everything, ["a"], 1)["a"] == LARGEST


def test_a_single_form_leaves_nothing_to_hold_out():
    texts = ["天地玄黄", "天地洪荒"]
    labelled = [[Span("a", 0, 1)], [Span("a", 0, 1)]]
    assert estimate_priors(texts, labelled, ["a"], 1) == {"a": 0.5}


def test_the_same_seed_gives_the_same_estimate():
    texts, labelled, _ = made_texts(0.5, count=100)
    estimate = estimate_priors(texts, labelled, ["name"], 4)
    assert estimate == estimate_priors(texts, labelled, ["name"], 4) != estimate_priors(texts, labelled, ["name"], 5)
