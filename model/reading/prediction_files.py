"""The files of `--mode predict`: JSON lines, and a table in the format of the CCF labels."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TextIO

from data.corpus.document import Document, entity_record
from data.corpus.format_ccf import HEADER
from data.spans import ScoredSpan
from utils.files import csv_row


class PredictionWriter:
    """Writes predictions to two files: JSON lines, and the competition's CSV, whose begin and end are inclusive."""

    def __init__(self, lines: TextIO, table: TextIO) -> None:
        self._lines = lines
        self._table = table
        self._table.write(csv_row(HEADER))

    def write(self, document: Document, spans: Sequence[ScoredSpan]) -> None:
        self._lines.write(prediction_json(document, spans) + "\n")
        for span in spans:
            privacy = document.text[span.begin : span.end + 1]
            self._table.write(csv_row((document.id, span.category, span.begin, span.end, privacy)))


def prediction_json(document: Document, spans: Sequence[ScoredSpan]) -> str:
    """One JSON line: a document as in `.jsonl` corpora, with a probability for each entity."""
    entities = [entity_record(document.text, span) | {"probability": round(span.probability, 6)} for span in spans]
    return json.dumps({"id": document.id, "text": document.text, "entities": entities}, ensure_ascii=False)
