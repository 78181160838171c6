"""After the network: votes of several models, and predictions as files."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from typing import TextIO

from utils.preprocess.document import Document, ScoredSpan, entity_record

COLUMNS = ("ID", "Category", "Pos_b", "Pos_e", "Privacy")


def vote(predictions: Sequence[Sequence[ScoredSpan]], min_votes: float) -> list[ScoredSpan]:
    """Merge what several models found in one document.

    Args:
        predictions: the spans of each model, all of the same document.
        min_votes: a span stays when more than this share of the models found it, or all of them.

    Returns:
        Spans by begin, end and category; the probability is the mean over all models, a model that did not find the
        span counting as 0.
    """
    votes: dict[tuple[str, int, int], list[float]] = {}
    for spans in predictions:
        for span in spans:
            votes.setdefault((span.category, span.begin, span.end), []).append(span.probability)
    models = len(predictions)
    merged = [
        ScoredSpan(*key, sum(probabilities) / models)
        for key, probabilities in votes.items()
        if len(probabilities) > min_votes * models or len(probabilities) == models
    ]
    return sorted(merged, key=lambda span: (span.begin, span.end, span.category))


class PredictionWriter:
    """Writes predictions as they come: JSON lines, and the competition's CSV (begin and end inclusive)."""

    def __init__(self, lines: TextIO, table: TextIO) -> None:
        self._lines = lines
        self._table = table
        self._write_row(COLUMNS)

    def write(self, document: Document, spans: Sequence[ScoredSpan]) -> None:
        """One document."""
        self._lines.write(prediction_json(document, spans) + "\n")
        for span in spans:
            privacy = document.text[span.begin : span.end + 1]
            self._write_row((document.id, span.category, span.begin, span.end, privacy))

    def _write_row(self, values: Sequence[str | int]) -> None:
        row = io.StringIO(newline="")
        csv.writer(row).writerow(values)  # quotes the characters of its own line end, so \r too
        self._table.write(row.getvalue().removesuffix("\r\n") + "\n")


def prediction_json(document: Document, spans: Sequence[ScoredSpan]) -> str:
    """One line: the document's format with a probability for each entity."""
    entities = [
        entity_record(document.text, span) | {"probability": round(span.probability, 6)} for span in spans
    ]
    return json.dumps({"id": document.id, "text": document.text, "entities": entities}, ensure_ascii=False)
