"""Where the entries of a dictionary come from: labels of a corpus, or what classifiers find again and again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from data.corpus.dictionary import Dictionary, Matcher
from data.corpus.document import Document
from data.corpus.duplicates import group_near_duplicates
from data.spans import ScoredSpan, Span

SHORTEST = 2  # one character alone (a surname, a river) stands in too many other words


class Taken(NamedTuple):
    """A dictionary taken out of labels: the documents they stand in, and how many forms were left out, by reason."""

    dictionary: Dictionary
    documents: list[Document]
    left_out: Counter[str]


def take_dictionary(documents: Sequence[Document], share: float, seed: int, duplicate_share: float = 0.5) -> Taken:
    """The surface forms of the labels in a random part of a corpus.

    Near-duplicate texts are drawn together or not at all, so that the rest of the corpus can be scored. Left out are
    forms that the part labels with several categories, forms shorter than `SHORTEST`, and forms that begin or end in
    white space or hold a tab or line break, which a dictionary file cannot have.

    Args:
        documents: a labelled corpus.
        share: of its documents, above 0 and at most 1.
        seed: of the draw.
        duplicate_share: as in data.duplicate_share.
    """
    drawn = _draw(group_near_duplicates([one.text for one in documents], duplicate_share), share, seed)
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
    """Numbers of documents: whole groups in random order, until `share` of the documents is reached."""
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
    minimum_count: int,
    agreement: float = 1.0,
    minimum_length: int = 1,
) -> Dictionary:
    """The dictionary with the forms that joined it.

    Peng et al. (ACL 2019), section 3.5, add an entity that occurs over k times and whose every occurrence is predicted
    as an entity. Here: a form of `minimum_length` or more characters that stands in the texts at least `minimum_count`
    times, of whose occurrences a share of `agreement` or more was found with exactly these bounds and the same
    category, and none with another category. What counts as an occurrence is `Matcher`'s affair, so one inside a
    longer entity is one that was not found. Nothing ever leaves the dictionary or changes its category.

    Args:
        dictionary: so far.
        texts: all texts.
        found: the spans that the classifiers found in each.
        minimum_count, agreement, minimum_length: as above.
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
    """Whether a form can stand in a dictionary file."""
    return form == form.strip() != "" and not set(form) & set("\t\r\n")


def _form(text: str, span: Span | ScoredSpan) -> str:
    return text[span.begin : span.end + 1]
