"""After the network: votes of several models, and predictions as files."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, TextIO

from data.corpus.document import Document, entity_record
from data.spans import ScoredSpan, clash, place_in_text
from utils.files import csv_row

COLUMNS = ("ID", "Category", "Pos_b", "Pos_e", "Privacy")


class Voter(NamedTuple):
    """A model that votes: what its vote counts for, and the categories that it knows (all, where that is None)."""

    weight: float = 1.0
    categories: frozenset[str] | None = None

    def weight_of(self, category: str) -> float:
        """Who does not know a category has no vote on it."""
        return self.weight if self.categories is None or category in self.categories else 0.0


def vote(
    predictions: Sequence[Sequence[ScoredSpan]],
    min_votes: float,
    voters: Sequence[Voter] | None = None,
    min_votes_of: Mapping[str, float] | None = None,
    nested: bool = True,
) -> list[ScoredSpan]:
    """Merge what several models found in one document.

    Args:
        predictions: the spans of each model, all of the same document.
        min_votes: a span stays when more than this share of the votes is for it, or all are.
        voters: the models, where their votes count for more or less, or not on all categories.
        min_votes_of: the share for single categories.
        nested: whether spans of one category may overlap, because some model finds such; else, where a share of one
            half or less lets them, the most probable stays.

    Returns:
        Spans by begin, end and category; the probability is the mean over all votes, a model that did not find the
        span counting as 0.
    """
    voters = voters or [Voter()] * len(predictions)
    found: dict[tuple[str, int, int], list[tuple[float, float]]] = {}  # weight and probability of those who found it
    for voter, spans in zip(voters, predictions, strict=True):
        for span in spans:
            own = voter.weight_of(span.category), span.probability
            found.setdefault((span.category, span.begin, span.end), []).append(own)
    merged = []
    for key, own in found.items():
        everyone = sum(voter.weight_of(key[0]) for voter in voters)
        share = sum(weight for weight, _ in own) / everyone if everyone else 0.0
        asked = (min_votes_of or {}).get(key[0], min_votes)
        # Weights that add up to a share may miss it by the last digit.
        if (share > asked and not math.isclose(share, asked)) or math.isclose(share, 1.0):
            merged.append(ScoredSpan(*key, sum(weight * probability for weight, probability in own) / everyone))
    return sorted(merged, key=place_in_text) if nested else without_clashes(merged)


def without_clashes(spans: Iterable[ScoredSpan]) -> list[ScoredSpan]:
    """Where spans of one category overlap, the more probable ones (of equal ones the first); sorted like them."""
    kept: list[ScoredSpan] = []
    crowd: list[ScoredSpan] = []  # spans that hang together by overlaps
    for span in sorted(spans, key=lambda span: (span.category, span.begin, span.end)):
        if not any(clash(span, other) for other in crowd):
            kept += _most_probable(crowd)
            crowd = []
        crowd.append(span)
    kept += _most_probable(crowd)
    return sorted(kept, key=place_in_text)


def _most_probable(crowd: Sequence[ScoredSpan]) -> list[ScoredSpan]:
    kept: list[ScoredSpan] = []
    for span in sorted(crowd, key=lambda span: -span.probability):
        if not any(clash(span, other) for other in kept):
            kept.append(span)
    return kept


class PredictionWriter:
    """Writes predictions as they come: JSON lines, and the competition's CSV (begin and end inclusive)."""

    def __init__(self, lines: TextIO, table: TextIO) -> None:
        self._lines = lines
        self._table = table
        self._table.write(csv_row(COLUMNS))

    def write(self, document: Document, spans: Sequence[ScoredSpan]) -> None:
        """One document."""
        self._lines.write(prediction_json(document, spans) + "\n")
        for span in spans:
            privacy = document.text[span.begin : span.end + 1]
            self._table.write(csv_row((document.id, span.category, span.begin, span.end, privacy)))


def prediction_json(document: Document, spans: Sequence[ScoredSpan]) -> str:
    """One line: the document's format with a probability for each entity."""
    entities = [entity_record(document.text, span) | {"probability": round(span.probability, 6)} for span in spans]
    return json.dumps({"id": document.id, "text": document.text, "entities": entities}, ensure_ascii=False)
