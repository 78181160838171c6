"""The files of a dictionary loop.

FOLDER/settings.json           the settings and inputs that all rounds share
FOLDER/round_0/                the dictionary as given, and what matching it finds
FOLDER/round_N/dictionary.tsv  the dictionary that the round leaves; the next round learns from it
               labels.jsonl    all texts with the matches of that dictionary and the found spans that overlap none:
                               a corpus that data.train can name
               scores.json     scores, priors, counts; written last, so a round that has it is finished
               last/           the classifiers' weights
FOLDER/processed/              lattices of all texts
FOLDER/table.md, table.json    all rounds
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from data.corpus.dictionary import Dictionary, label, read_dictionary, write_dictionary
from data.problems import Problems
from data.spans import ScoredSpan, Span
from experiments.dictionary.learning_texts import Texts, add_where_free, write_labels
from experiments.dictionary.table import KINDS, Record
from utils.errors import UserError
from utils.files import read_json, write_json

REMEDY = "remove the folder, or give the run another name with --set run.name=NAME"


class RoundFiles:
    """The rounds of one loop.

    Args:
        folder: of the loop.
        texts: that it learns from.
    """

    def __init__(self, folder: Path, texts: Texts) -> None:
        self.folder = folder
        self.processed = folder / "processed"
        self.texts = texts
        self._shared = folder / "settings.json"

    def round(self, number: int) -> Path:
        """The folder of a round."""
        return self.folder / f"round_{number}"

    def labels(self, number: int) -> Path:
        return self.round(number) / "labels.jsonl"

    def dictionary(self, number: int) -> Dictionary:
        """The dictionary that a round left."""
        return read_dictionary(self.round(number) / "dictionary.tsv", Problems())

    def is_finished(self, number: int) -> bool:
        return (self.round(number) / "scores.json").exists()

    def record(self, number: int) -> Record:
        """What is recorded of a finished round.

        Raises:
            UserError: the file is missing, damaged or of another version.
        """
        path = self.round(number) / "scores.json"
        record = read_json(path, REMEDY)
        if not isinstance(record, dict) or not record.keys() >= {"round", "entries", *KINDS}:
            raise UserError(f"{path}: not what this version writes of a round; {REMEDY}")
        return record

    def write(
        self, number: int, dictionary: Dictionary, found: Sequence[Sequence[Span | ScoredSpan]], facts: Record
    ) -> None:
        """Write a round: its dictionary, its labels and, last, its record.

        Args:
            number: of the round.
            dictionary: that the round leaves.
            found: the spans that its classifiers found in each text.
            facts: for the record, beside scores and counts.
        """
        folder = self.round(number)
        categories = sorted(set(dictionary.values()))
        matched = [document.spans for document in label(self.texts.documents, dictionary)]
        both = [add_where_free(*one) for one in zip(matched, found, strict=True)]
        write_dictionary(dictionary, folder / "dictionary.tsv")
        write_labels(self.labels(number), self.texts.documents, both)
        spans: dict[str, Sequence[Sequence[Span | ScoredSpan]]] = {"matching": matched, "found": found, "both": both}
        scores = {name: self.texts.score(of_name, categories) for name, of_name in spans.items()}
        record = {
            "round": number,
            "entries": len(dictionary),
            **facts,
            **{name: score and score.to_dict() for name, score in scores.items()},
            "scored_documents": len(self.texts.scored),
        }
        write_json(folder / "scores.json", record)

    # ------------------------------------------------------------------------------------- what all rounds share

    @property
    def begun(self) -> bool:
        """Whether rounds of classifiers were begun here."""
        return self._shared.exists()

    def begin(self, shared: dict[str, dict[str, Any]]) -> None:
        """Record the settings and inputs that all rounds share, unless rounds were begun."""
        if not self.begun:
            write_json(self._shared, shared)

    def refuse_others(self, shared: dict[str, dict[str, Any]]) -> None:
        """Raise UserError if rounds were begun with other settings or inputs."""
        if not self.begun:
            return
        began = read_json(self._shared, REMEDY)
        for section, values in shared.items():
            for name, value in values.items():
                if began.get(section, {}).get(name) != value:
                    raise UserError(f"{self.folder}: its rounds began with another {section}.{name}; {REMEDY}")
