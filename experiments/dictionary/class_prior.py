"""Class priors: the share of characters that belong to a category, when a dictionary labels only some of them.

Elkan and Noto, "Learning Classifiers from Only Positive and Unlabeled Data" (KDD 2008): let g(x) be the probability
that x is labelled, learned from labelled against unlabelled examples. If labels are drawn at random from the positives,
g(x) is c = p(labelled | positive) for every positive x. The mean of g over held-out labelled examples estimates c
(their estimator e1), and p(positive) = p(labelled) / c.

N characters, F hashed features.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.feature_extraction import FeatureHasher
from sklearn.linear_model import LogisticRegression

from config import DictionaryConfig
from data.spans import ScoredSpan, Span

FEATURES = 2**18
MOST_UNLABELLED = 60_000  # characters drawn, so that the estimate takes seconds
HELD_OUT = 0.2  # of the forms
LARGEST = 0.5  # no prior is larger


def estimate_priors(
    texts: Sequence[str], labelled: Sequence[Sequence[Span]], categories: Sequence[str], seed: int
) -> dict[str, float]:
    """Elkan and Noto's estimate of each category's prior: at least the share of its labelled characters.

    g is a logistic regression on a character and its neighbours. Surface forms are held out with all their occurrences:
    g would memorise a form that is on both sides, and c would come out as 1. On new forms g is less certain than it
    could be with more features, so c tends to be too small and the prior too large. An estimate above `LARGEST` is cut
    to it. A category with a single form has nothing to hold out, so its prior is the share of its labelled characters.

    Args:
        texts: all texts.
        labelled: the spans that the dictionary finds in each text.
        categories: to estimate.
        seed: of the draw of unlabelled characters and held-out forms.
    """
    random = np.random.default_rng(seed)
    total = sum(map(len, texts))
    owners = _owners(texts, labelled)
    return {category: _prior(texts, owners.get(category, {}), total, random) for category in categories}


def priors_of_round(
    settings: DictionaryConfig,
    texts: Sequence[str],
    labelled: Sequence[Sequence[Span]],
    categories: Sequence[str],
    records: Sequence[Mapping[str, Any]],
    seed: int,
) -> dict[str, float]:
    """The class prior of every category in the next round of a dictionary loop.

    `settings.priors` are taken as they are. Others are estimates, at least the labelled share and at most `LARGEST`.
    With `prior: found`, all priors after the first round are the shares that the round before found.

    Args:
        settings: of the loop.
        texts: all texts.
        labelled: the spans that the dictionary finds in each text.
        categories: of the dictionary.
        records: of the rounds so far, from round 0.
        seed: of Elkan and Noto's estimate.
    """
    given = settings.priors
    least = labelled_shares(texts, labelled, categories)
    if settings.prior == "found" and len(records) > 1:
        given, estimated = {}, records[-1]["found_shares"]
    elif len(records) > 1:
        estimated = records[1]["priors"]  # of the first round
    elif settings.prior == "elkan_noto":
        estimated = estimate_priors(texts, labelled, categories, seed)
    else:
        estimated = {name: least[name] / settings.coverage for name in categories}
    return {name: min(max(least[name], estimated[name]), LARGEST) for name in categories} | given


def labelled_shares(
    texts: Sequence[str], labelled: Sequence[Sequence[Span | ScoredSpan]], categories: Sequence[str]
) -> dict[str, float]:
    """The share of all characters that lie in spans of each category."""
    owners = _owners(texts, labelled)
    total = sum(map(len, texts))
    return {category: len(owners.get(category, ())) / total for category in categories}


def _owners(
    texts: Sequence[str], labelled: Sequence[Sequence[Span | ScoredSpan]]
) -> dict[str, dict[tuple[int, int], str]]:
    """By category: for every labelled character (text, place), the form that it is part of."""
    owners: dict[str, dict[tuple[int, int], str]] = {}
    for number, (text, spans) in enumerate(zip(texts, labelled, strict=True)):
        for span in spans:
            form = text[span.begin : span.end + 1]
            places = ((number, place) for place in range(span.begin, span.end + 1))
            owners.setdefault(span.category, {}).update(dict.fromkeys(places, form))
    return owners


def _prior(texts: Sequence[str], owners: dict[tuple[int, int], str], total: int, random: np.random.Generator) -> float:
    share = len(owners) / total
    forms = sorted(set(owners.values()))
    held_forms = set(random.permutation(forms)[: max(1, round(HELD_OUT * len(forms)))])
    held_out = [place for place, form in owners.items() if form in held_forms]
    kept = [place for place, form in owners.items() if form not in held_forms]
    unlabelled = _draw_unlabelled(texts, owners, random)
    if not kept or not unlabelled:
        return share
    # Weighted as if no character was left out, so that g is calibrated for the texts as they are.
    weights = np.repeat([len(owners) / len(kept), (total - len(owners)) / len(unlabelled)],
                        [len(kept), len(unlabelled)])  # (N,)  # fmt: skip
    answers = np.repeat([1, 0], [len(kept), len(unlabelled)])  # (N,)
    g = LogisticRegression(C=1.0, max_iter=200)
    g.fit(_rows(texts, kept + unlabelled), answers, sample_weight=weights)
    c = float(g.predict_proba(_rows(texts, held_out))[:, 1].mean())
    return min(max(share / max(c, share), share), LARGEST)


def _draw_unlabelled(
    texts: Sequence[str], owners: dict[tuple[int, int], str], random: np.random.Generator
) -> list[tuple[int, int]]:
    ends = np.cumsum([len(text) for text in texts])
    drawn = np.sort(random.choice(ends[-1], min(MOST_UNLABELLED, int(ends[-1])), replace=False))
    numbers = np.searchsorted(ends, drawn, side="right")
    begins = np.concatenate([[0], ends])[numbers]
    places = zip(numbers.tolist(), (drawn - begins).tolist(), strict=True)
    return [place for place in places if place not in owners]


def _rows(texts: Sequence[str], places: Sequence[tuple[int, int]]) -> csr_matrix:
    """(N, F) hashed features of characters."""
    hasher = FeatureHasher(FEATURES, input_type="string", alternate_sign=False)
    return hasher.transform(_features(texts[number], place) for number, place in places)


def _features(text: str, place: int) -> Iterator[str]:
    """The character, two neighbours on each side, and the pairs among them."""
    around = [text[at] if 0 <= at < len(text) else "" for at in range(place - 2, place + 3)]
    for offset, character in enumerate(around):
        yield f"{offset} {character}"
    for offset in range(4):
        yield f"{offset}+ {around[offset]}{around[offset + 1]}"
