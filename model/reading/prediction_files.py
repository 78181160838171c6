"""The files of `--mode predict`: JSON lines, a table like the CCF labels, and files for annotation tools."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO

from data.corpus.document import Document, entity_record
from data.corpus.format_ccf import HEADER
from data.corpus.format_labelstudio import label_result
from data.spans import ScoredSpan
from utils.files import CSV_ENCODING, atomic_file, csv_row


class PredictionFile:
    """Writes the spans that a model found in texts to an open file, one text at a time."""

    def __init__(self, file: TextIO, model: str) -> None:
        self.file = file
        self.model = model

    def write(self, document: Document, spans: Sequence[ScoredSpan]) -> None:
        """Write the spans found in a text."""
        raise NotImplementedError

    def end(self) -> None:
        """Write what comes after the last text."""


class JsonLines(PredictionFile):
    """A line for each text; see `prediction_json`."""

    def write(self, document: Document, spans: Sequence[ScoredSpan]) -> None:
        self.file.write(prediction_json(document, spans) + "\n")


class Table(PredictionFile):
    """The competition's CSV: a row for each span, begin and end inclusive."""

    def __init__(self, file: TextIO, model: str) -> None:
        super().__init__(file, model)
        file.write(csv_row(HEADER))

    def write(self, document: Document, spans: Sequence[ScoredSpan]) -> None:
        for span in spans:
            privacy = document.text[span.begin : span.end + 1]
            self.file.write(csv_row((document.id, span.category, span.begin, span.end, privacy)))


class Doccano(PredictionFile):
    """JSON lines for doccano: `label` holds [begin, end, category], end exclusive."""

    def write(self, document: Document, spans: Sequence[ScoredSpan]) -> None:
        labels = [[span.begin, span.end + 1, span.category] for span in spans]
        record = {"id": document.id, "text": document.text, "label": labels}
        self.file.write(json.dumps(record, ensure_ascii=False) + "\n")


class LabelStudio(PredictionFile):
    """A JSON list of tasks for Label Studio. The spans of each are a prediction, scored as its least certain span."""

    def __init__(self, file: TextIO, model: str) -> None:
        super().__init__(file, model)
        self._before = "[\n"

    def write(self, document: Document, spans: Sequence[ScoredSpan]) -> None:
        results = [label_result(document.text, span) | {"score": round(span.probability, 6)} for span in spans]
        prediction: dict[str, Any] = {"model_version": self.model, "result": results}
        if results:  # Label Studio can sort tasks by this score
            prediction["score"] = min(result["score"] for result in results)
        task = {"data": {"id": document.id, "text": document.text}, "predictions": [prediction]}
        self.file.write(self._before + json.dumps(task, ensure_ascii=False))
        self._before = ",\n"

    def end(self) -> None:
        self.file.write("[]\n" if self._before == "[\n" else "\n]\n")


FILES: dict[str, tuple[str, type[PredictionFile], str]] = {
    "jsonl": ("predict.jsonl", JsonLines, "utf-8"),
    "csv": ("predict.csv", Table, CSV_ENCODING),
    "doccano": ("predict.doccano.jsonl", Doccano, "utf-8"),
    "labelstudio": ("predict.labelstudio.json", LabelStudio, "utf-8"),
}


class PredictionWriter:
    """Writes predictions to several files at once.

    Attributes:
        paths: of the files.
    """

    def __init__(self, files: Sequence[PredictionFile], paths: Sequence[Path]) -> None:
        self._files = files
        self.paths = paths

    def write(self, document: Document, spans: Sequence[ScoredSpan]) -> None:
        for file in self._files:
            file.write(document, spans)


@contextlib.contextmanager
def prediction_files(folder: Path, model: str, more: str | None = None) -> Iterator[PredictionWriter]:
    """Open predict.jsonl, predict.csv and perhaps another of `FILES`. All appear at the end, or none.

    Args:
        folder: for the files.
        model: the name of what found the spans.
        more: `doccano` or `labelstudio`.

    Raises:
        UserError: the folder cannot be written.
    """
    chosen = [FILES[name] for name in ("jsonl", "csv", *([more] if more else []))]
    paths = [folder / name for name, _, _ in chosen]
    with contextlib.ExitStack() as stack:
        temporary = [stack.enter_context(atomic_file(path)) for path in paths]
        with contextlib.ExitStack() as opened:
            files = [
                kind(opened.enter_context(path.open("w", encoding=encoding, newline="")), model)
                for path, (_, kind, encoding) in zip(temporary, chosen, strict=True)
            ]
            yield PredictionWriter(files, paths)
            for file in files:
                file.end()


def prediction_json(document: Document, spans: Sequence[ScoredSpan]) -> str:
    """One JSON line: a document as in `.jsonl` corpora, with a probability for each entity."""
    entities = [entity_record(document.text, span) | {"probability": round(span.probability, 6)} for span in spans]
    return json.dumps({"id": document.id, "text": document.text, "entities": entities}, ensure_ascii=False)
