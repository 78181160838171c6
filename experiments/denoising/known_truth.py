"""Decisions measured on the true labels of the training documents, which are known where noise was added on purpose.

Nothing learns from these labels, and nothing is chosen by them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from config import CorpusConfig
from data.corpus.document import Document
from data.corpus.formats import read_corpus
from data.metrics import Score
from data.problems import Problems
from experiments.denoising.decision_table import read_decisions
from experiments.denoising.files import DenoiseFiles, read_documents
from experiments.denoising.gold_detection import detection_score, labels_before_and_after
from experiments.stages import Stage
from utils.errors import UserError
from utils.files import read_json, write_json

KINDS = ("doubtful", "missing")
ROWS = {"doubtful": "doubtful labels", "missing": "missing spans", "before": "labels as they came",
        "after": "cleaned labels"}  # fmt: skip


def truth_stage(files: DenoiseFiles, number: int, truth: Path) -> Stage:
    """Measure the decisions of a round, with what a person has corrected in them."""
    own = files.round(number)

    def work() -> None:
        documents = read_documents(files.train)
        true = with_true_labels(documents, truth)
        decisions = read_decisions(own.decisions, documents, Problems())
        scores = {kind: detection_score(documents, true, decisions, kind) for kind in KINDS}
        scores["before"], scores["after"] = labels_before_and_after(documents, true, decisions)
        write_json(own.truth, {name: asdict(score) for name, score in scores.items()})

    about = f"measure {own.decisions} on the true labels"
    return Stage(f"round {number}, truth", about, work, [files.train, own.decisions, truth], [own.truth])


def with_true_labels(documents: Sequence[Document], truth: Path) -> list[Document]:
    """The documents with their true labels.

    Raises:
        UserError: the corpus cannot be read, or has no document with the id and the text of one of these.
    """
    true = {(one.id, one.text): one.spans for one in read_corpus(CorpusConfig(path=str(truth)), Problems(), "either")}
    for document in documents:
        if (document.id, document.text) not in true:
            raise UserError(f"{truth}: no document {document.id!r:.40} with the text of the training corpus; name the "
                            "corpus that the wrong labels were made from")  # fmt: skip
    return [replace(document, spans=true[document.id, document.text]) for document in documents]


def describe_truth(path: Path) -> str:
    """What `truth_stage` has measured, as a table for a person."""
    scores = {name: Score(**own) for name, own in read_json(path, "remove it, and it is made again").items()}
    lines = [f"{'on the true labels':<20}{'precision':>10}{'recall':>10}{'F1':>10}"]
    for name, about in ROWS.items():
        score = scores[name]
        lines.append(f"{about:<20}{score.precision:>10.4f}{score.recall:>10.4f}{score.f1:>10.4f}")
    return "\n".join(lines)
