"""Where the entries of a dictionary come from: the labels of a corpus, or spans that classifiers find repeatedly."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from data.corpus.dictionary import Dictionary, Matcher
from data.corpus.document import Document
from data.corpus.duplicates import group_near_duplicates
from data.spans import ScoredSpan, Span

SHORTEST = 2  # characters of a form: a single one, such as a surname, occurs in too many other words
# What a form needs to join a dictionary. Peng et al. ask for more than k occurrences, all predicted.
MINIMUM_COUNT = 3  # fewer occurrences can all be found by accident
AGREEMENT = 1.0  # all occurrences: an entry never leaves the dictionary, so a wrong one is worse than a missing one


class Taken(NamedTuple):
    """A dictionary made from labels, the documents of these labels, and how many forms were left out, by reason."""

    dictionary: Dictionary
    documents: list[Document]
    left_out: Counter[str]


def take_dictionary(documents: Sequence[Document], share: float, seed: int) -> Taken:
    """The surface forms of the labels in a random part of a corpus.

    Near-duplicate texts are drawn together, so that scores on the rest of the corpus are honest. Three kinds of forms
    are left out: those labelled with several categories, those shorter than `SHORTEST`, and those that a dictionary
    file cannot hold because of their white space (`is_writable`).

    Args:
        documents: a labelled corpus.
        share: of its documents, above 0 and at most 1.
        seed: of the draw.
    """
    drawn = _draw(group_near_duplicates([one.text for one in documents]), share, seed)
    chosen = [documents[number] for number in drawn]
    categories: dict[str, set[str]] = {}
    for document in chosen:
        for span in document.spans:
            categories.setdefault(_form(document.text, span), set()).add(span.category)
    dictionary: Dictionary = {}
    left_out: Counter[str] = Counter()
    for form, own in categories.items():
        if len(own) > 1:
            left_out["several categories"] += 1
        elif len(form) < SHORTEST:
            left_out["a single character"] += 1
        elif not is_writable(form):
            left_out["white space"] += 1
        else:
            dictionary[form] = own.pop()
    return Taken(dictionary, chosen, left_out)


def _draw(groups: np.ndarray, share: float, seed: int) -> list[int]:
    """Numbers of documents: whole groups in random order, until they are `share` of the documents."""
    drawn: list[int] = []
    for group in np.random.default_rng(seed).permutation(np.unique(groups)):
        if len(drawn) >= share * len(groups):
            break
        drawn += np.flatnonzero(groups == group).tolist()
    return sorted(drawn)


def grow(
    dictionary: Dictionary,
    texts: Sequence[str],
    found: Sequence[Iterable[Span | ScoredSpan]],
    minimum_count: int = MINIMUM_COUNT,
    agreement: float = AGREEMENT,
    minimum_length: int = SHORTEST,
) -> Dictionary:
    """The dictionary with the forms that join it. Nothing leaves the dictionary or changes its category.

    Peng et al. (ACL 2019), section 3.5, add an entity that occurs more than k times and is predicted at every
    occurrence. `Matcher` decides what an occurrence is, so one inside a longer entity counts and was not found.

    Args:
        dictionary: so far.
        texts: all texts.
        found: the spans that the classifiers found in each text.
        minimum_count: occurrences that a form needs in the texts.
        agreement: share of its occurrences that have to be found, with exactly these bounds and the same category. An
            occurrence found with another category rules the form out.
        minimum_length: characters that a form needs.
    """
    by_form: dict[str, Counter[str]] = {}
    for text, spans in zip(texts, found, strict=True):
        for span in spans:
            by_form.setdefault(_form(text, span), Counter())[span.category] += 1
    candidates = {
        form: next(iter(counts))
        for form, counts in by_form.items()
        if form not in dictionary and len(counts) == 1 and len(form) >= minimum_length and is_writable(form)
    }
    matcher = Matcher(candidates)
    occurrences = Counter(form for text in texts for form, _ in matcher.occurrences(text))
    joined = {
        form: category
        for form, category in candidates.items()
        if occurrences[form] >= minimum_count and by_form[form][category] >= agreement * occurrences[form]
    }
    return dictionary | joined


def is_writable(form: str) -> bool:
    """Whether a dictionary file can hold a form: it has no tab or line break, and no white space at its ends."""
    return form == form.strip() != "" and not set(form) & set("\t\r\n")


def _form(text: str, span: Span | ScoredSpan) -> str:
    return text[span.begin : span.end + 1]
