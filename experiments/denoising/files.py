"""The files of a denoising run, and corpora to and from them.

RUN_denoise/
    data/train.jsonl, dev.jsonl     the division, with the labels as they came
    data/unseen.jsonl               texts of the dev and test part, where there are additional corpora
    pretrain_encoder/               with denoise.pretrain: the encoder of all networks
    first/                          a run on the labels as they came, to compare with
    round1/
        repeat1/                    a run of k folds; forms_repeat1 and so on are those of denoise.voters
        votes/repeat1_fold0.jsonl   what each fold thinks of its held-out documents
        gold_votes/                 with data.gold: what it thinks of the documents with gold labels
        pool.json, detection.csv    with data.gold: weights of the systems; how well decisions find wrong labels
        decisions.csv, .html        doubtful and missing spans; the CSV may be corrected by hand
        truth.json                  with denoise.truth: how many decisions are right
        labelstudio.json            the same for Label Studio
        train.jsonl                 the cleaned labels
    clean/                          a run on the labels of the last round, with the same dev part
    clean_forms/, mixture.yaml      with data.gold and denoise.voters: a run of each, and how all runs decide together
    unlabelled/                     pipeline: votes on the unlabelled texts, pseudo.jsonl
    final/                          pipeline: a run on clean labels and pseudo-labels
    submission/                     pipeline: its predictions for the unlabelled texts
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from config import CorpusConfig
from data.corpus.document import Document, to_jsonl
from data.corpus.formats import read_corpus
from data.problems import Problems
from utils.files import write_text


class RoundFiles:
    """The files of one round."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.decisions = folder / "decisions.csv"
        self.page = folder / "decisions.html"
        self.labelstudio = folder / "labelstudio.json"
        self.cleaned = folder / "train.jsonl"
        self.pool = folder / "pool.json"
        self.detection = folder / "detection.csv"
        self.truth = folder / "truth.json"

    def votes(self, run: str, fold: int) -> Path:
        return self.folder / "votes" / f"{run}_fold{fold}.jsonl"

    def gold_votes(self, run: str, fold: int) -> Path:
        return self.folder / "gold_votes" / f"{run}_fold{fold}.jsonl"


class DenoiseFiles:
    """The files of all stages, below one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.train = folder / "data" / "train.jsonl"
        self.dev = folder / "data" / "dev.jsonl"
        self.unseen = folder / "data" / "unseen.jsonl"
        self.encoder = folder / "pretrain_encoder"
        self.pseudo = folder / "unlabelled" / "pseudo.jsonl"
        self.submission = folder / "submission"
        self.mixture = folder / "mixture.yaml"

    def round(self, number: int) -> RoundFiles:
        """The files of a round, counted from 1."""
        return RoundFiles(self.folder / f"round{number}")

    def unlabelled_votes(self, run: str, fold: int) -> Path:
        return self.folder / "unlabelled" / f"{run}_fold{fold}.jsonl"


def write_documents(path: Path, documents: Sequence[Document]) -> None:
    """Write a corpus as JSON lines, whole or not at all."""
    write_text(path, to_jsonl(documents))


def read_documents(path: Path) -> list[Document]:
    """The inverse of `write_documents`."""
    return read_corpus(CorpusConfig(path=str(path), format="jsonl"), Problems(), "either")
