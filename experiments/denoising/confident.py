"""Confident learning (Northcutt, Jiang and Chuang, "Confident Learning: Estimating Uncertainty in Dataset Labels",
JAIR 2021) on the span probabilities of a CRF.

An example is a place (document, begin, end) that is labelled or that some voter finds likely. Its classes are the
categories and "none". The threshold of a class is the mean probability of that class over the examples labelled with
it. An example confidently has the most probable of the classes whose thresholds it reaches. If that is not the class of
its label, the example is an off-diagonal entry of the confident joint, and so an issue.

N examples, C categories; class C is "none".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from data.corpus.document import Document
from data.spans import Span
from experiments.denoising.votes import Ballot


class Issue(NamedTuple):
    """An example whose confident class, `rather`, is not its `label`. Both are categories, or None for "none"."""

    document: str
    begin: int
    end: int
    label: str | None
    rather: str | None


def confident_issues(
    documents: Sequence[Document], ballots: Mapping[str, Ballot], categories: Sequence[str]
) -> list[Issue]:
    """The examples whose label is not their confident class, in the order of documents and places.

    Labels that no voter judged, such as those of documents without votes, are not examples.
    """
    number = {category: place for place, category in enumerate(categories)}
    places: list[tuple[str, int, int]] = []
    observed: list[int] = []
    rows: list[np.ndarray] = []
    for document in documents:
        ballot = ballots.get(document.id, Ballot())
        of_place: dict[tuple[int, int], np.ndarray] = {}
        for span, tally in ballot.spans.items():
            row = of_place.setdefault((span.begin, span.end), np.zeros(len(categories) + 1))
            row[number[span.category]] = tally.probability
        labelled: dict[tuple[int, int], list[int]] = {}
        for span in document.spans:
            labelled.setdefault((span.begin, span.end), []).append(number[span.category])
        for place in sorted(of_place):
            row = of_place[place]
            row[-1] = max(0.0, 1 - row[:-1].sum())
            for label in labelled.get(place, [len(categories)]):
                places.append((document.id, *place))
                observed.append(label)
                rows.append(row)
    if not rows:
        return []
    confident = confident_classes(np.stack(rows), np.array(observed))
    names = [*categories, None]
    return [
        Issue(*place, names[label], names[rather])
        for place, label, rather in zip(places, observed, confident, strict=True)
        if rather not in (-1, label)
    ]


def confident_classes(probabilities: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """The confident class of each example, (N,), or -1 where it reaches no threshold.

    Args:
        probabilities: (N, classes).
        observed: (N,) the classes as labelled.
    """
    classes = probabilities.shape[1]
    thresholds = np.array(
        [probabilities[observed == one, one].mean() if (observed == one).any() else np.inf for one in range(classes)]
    )
    reached = np.where(probabilities >= thresholds, probabilities, -np.inf)  # (N, classes)
    return np.where(np.isinf(reached).all(axis=1), -1, reached.argmax(axis=1))


def as_spans(issue: Issue) -> tuple[Span | None, Span | None]:
    """The doubtful label and the missing span of an issue; None where that side is "none"."""
    place = issue.begin, issue.end
    return (
        None if issue.label is None else Span(issue.label, *place),
        None if issue.rather is None else Span(issue.rather, *place),
    )
