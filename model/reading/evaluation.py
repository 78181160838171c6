"""Scores of a trained run: on its own dev or test part, or on any labelled corpus. What `--mode eval` does."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

from config import CorpusConfig
from data.corpus.document import Document, category_counts, to_jsonl
from data.corpus.formats import check_categories, read_corpus, why_unlabelled
from data.metrics import Score, Scores, score_spans
from data.problems import Problems
from data.processed import load_processed
from data.split import make_splits
from model.reading.mixture import Mixture, mixture_of
from model.reading.tagger import files_of_folds
from model.run_folder import RunParts
from utils.errors import UserError


class Evaluation(NamedTuple):
    """Scores of all documents together, and of each, and what a reader must know of them."""

    scores: Scores
    by_document: list[Score]
    documents: list[Document]
    note: str = ""

    @property
    def digest(self) -> str:
        """SHA-256 of the documents and their labels: only scores on the same ones can be compared."""
        return hashlib.sha256(to_jsonl(self.documents).encode()).hexdigest()


def score_corpus(
    runs: Sequence[RunParts], corpus: CorpusConfig, problems: Problems, only: Sequence[int] | None = None
) -> Evaluation:
    """The folds `only`, or all, of one run or several vote on a labelled corpus.

    Raises:
        UserError: the corpus or a run cannot be read, or the corpus has no label of a category the runs know.
    """
    documents = read_corpus(corpus, problems)
    together = mixture_of(runs, only)
    labels = category_counts(documents)
    categories = sorted(labels)
    if not categories:
        raise UserError(f"{corpus.path}: no labelled span to score against ({why_unlabelled(corpus, problems)})")
    if not set(categories) & set(together.categories):
        raise UserError(
            f"{corpus.path}: labels only {', '.join(categories)}, but {runs[0].folder} knows "
            f"{', '.join(together.categories)}; score a run that was trained with the categories of this corpus"
        )
    # As `score_split` counts: what a run's data has labels of and the run does not find, as rules find no names, is
    # missed. What none of the runs' data knows of would say nothing of them.
    known = sorted({category for run in runs for category in run.categories})
    unknown = ", ".join(f"{category} {labels[category]}" for category in categories if category not in known)
    note = f"labels that are not counted, since the runs' data has no such category: {unknown}" if unknown else ""
    documents = check_categories(documents, known, problems, corpus.path)
    return Evaluation(*_score(together, documents), documents, note)


def score_split(runs: Sequence[RunParts], part: str, only: Sequence[int] | None = None) -> Evaluation:
    """The dev part (each fold on its own, none of which it saw), or the test part (all folds vote).

    Args:
        runs: one, or several that were trained on the same data with the same division.
        part: dev or test.
        only: these folds; all that are trained by default.

    Raises:
        UserError: there is no such part, no trained run, or the processed data is not what a run was trained on.
    """
    first = runs[0]
    trained = list(files_of_folds(first, only))
    held_out = _held_out(first, part)
    for run in runs[1:]:
        if _held_out(run, part) != held_out:
            raise UserError(
                f"{run.folder}: has not the same {part} part as {first.folder}, and may have seen that one; give a "
                "labelled corpus with --input"
            )
    if part == "test":
        if not held_out[0]:
            raise UserError("data.test is empty, so there is no test part; give a corpus with --input, or --split dev")
        return Evaluation(*_score(mixture_of(runs, only), held_out[0]), held_out[0])
    total, by_document = None, []
    for fold in trained:
        if not held_out[fold]:
            raise UserError("this run has no dev part (data.dev_share is 0); give a labelled corpus with --input")
        scores, of_each = _score(mixture_of(runs, [fold]), held_out[fold])
        total = scores if total is None else total + scores
        by_document += of_each
    chosen = any(run.encoder is not None and (run.config.train.select == "best" or run.config.train.patience)
                 for run in runs)  # fmt: skip
    notes = ["the epoch was chosen on this part, so these scores flatter a little"] if chosen else []
    if len(trained) < len(held_out):
        notes.append(f"from fold {', '.join(map(str, trained))} of {len(held_out)}")
    documents = [document for fold in trained for document in held_out[fold]]
    return Evaluation(total, by_document, documents, "; ".join(notes))


def _held_out(run: RunParts, part: str) -> list[list[Document]]:
    """What a run has not seen: the test documents, or the dev documents of each fold."""
    processed = load_processed(run.config)
    if processed.digest != run.data:
        raise UserError(
            f"{run.folder}: was trained on other data than {run.config.processed_folder} now holds, and may have seen "
            f"this {part} part; train again, or give a labelled corpus with --input"
        )
    if part == "test":
        parts = [processed.of_part("test")]
    else:
        parts = [split.dev for split in make_splits(processed, run.config)]
    return [[processed.documents[number] for number in numbers] for numbers in parts]


def _score(reader: Mixture, documents: list[Document]) -> tuple[Scores, list[Score]]:
    predicted = [spans for _, spans in reader.predict_documents(documents)]
    labelled = [document.spans for document in documents]
    of_each = [score_spans([truth], [guess]).micro for truth, guess in zip(labelled, predicted, strict=True)]
    return score_spans(labelled, predicted, reader.categories), of_each
