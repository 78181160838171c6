"""Scores of trained runs on their dev or test part or on any labelled corpus: what `--mode eval` does."""

from __future__ import annotations

import hashlib
import operator
from collections.abc import Sequence
from functools import reduce
from typing import NamedTuple

from config import CorpusConfig
from data.corpus.document import Document, category_counts, to_jsonl
from data.corpus.formats import keep_categories, read_corpus
from data.gold_parts import with_gold_labels
from data.metrics import Score, Scores, score_spans
from data.problems import Problems
from data.processed import Processed, load_processed
from data.split import make_splits
from model.reading.mixture import Mixture, mixture_of
from model.reading.tagger import files_of_folds
from model.run_folder import RunParts
from model.start_from import notes_of
from utils.errors import UserError


class Evaluation(NamedTuple):
    """The scores of some documents."""

    scores: Scores  # of all documents together
    by_document: list[Score]
    documents: list[Document]
    note: str = ""  # what limits the scores, for the user

    @property
    def digest(self) -> str:
        """SHA-256 of the documents and their labels. Only scores with equal digests can be compared."""
        return hashlib.sha256(to_jsonl(self.documents).encode()).hexdigest()


def score_corpus(
    runs: Sequence[RunParts], corpus: CorpusConfig, problems: Problems, only: Sequence[int] | None = None
) -> Evaluation:
    """Score one run, or several that vote, on a labelled corpus.

    Args:
        runs: the runs.
        corpus: where the documents are.
        problems: collects what is dropped from the corpus.
        only: the folds that vote; all trained folds by default.

    Raises:
        UserError: the corpus or a run cannot be read, or the corpus has no label of a category that the runs predict.
    """
    documents = read_corpus(corpus, problems)
    together = mixture_of(runs, only)
    labels = category_counts(documents)
    categories = sorted(labels)
    if not set(categories) & set(together.categories):
        raise UserError(
            f"{corpus.path}: labels only {', '.join(categories)}, but {runs[0].folder} predicts "
            f"{', '.join(together.categories)}; score a run that was trained with the categories of this corpus"
        )
    # As in `score_split`, a label counts as missed if the runs' data has its category and the runs cannot find it. An
    # example is a name, which rules do not look for. Categories that the runs' data does not have are not counted.
    known = sorted({category for run in runs for category in run.categories})
    unknown = ", ".join(f"{category} {labels[category]}" for category in categories if category not in known)
    note = f"labels that are not counted, since the runs' data has no such category: {unknown}" if unknown else ""
    documents = keep_categories(documents, known, problems, corpus.path)
    return Evaluation(*_score(together, documents), documents, note)


def score_split(runs: Sequence[RunParts], part: str, only: Sequence[int] | None = None) -> Evaluation:
    """Score one run, or several that vote, on the dev or test part.

    On the dev part every fold is scored on its own dev documents. On the test part all folds vote.

    Args:
        runs: one run, or several that were trained on the same data with the same split.
        part: dev or test.
        only: the folds to score; all trained folds by default.

    Raises:
        UserError: there is no such part, a run is not trained, or the processed data has changed since training.
    """
    first = runs[0]
    trained = list(files_of_folds(first, only))
    held_out = _held_out(first, part)
    for run in runs[1:]:
        if _held_out(run, part) != held_out:
            raise UserError(
                f"{run.folder}: has not the same {part} part as {first.folder}, so it may have trained on that part; "
                "give a labelled corpus with --input"
            )
    if part == "test":
        if not held_out[0]:
            raise UserError("data.test is empty, so there is no test part; give a corpus with --input, or --split dev")
        note = "; ".join(note for run in runs for note in notes_of(run.folder, part))
        return Evaluation(*_score(mixture_of(runs, only), held_out[0]), held_out[0], note)
    totals: list[Scores] = []
    by_document: list[Score] = []
    for fold in trained:
        if not held_out[fold]:
            raise UserError("this run has no dev part (data.dev_share is 0); give a labelled corpus with --input")
        scores, of_each = _score(mixture_of(runs, [fold]), held_out[fold])
        totals.append(scores)
        by_document += of_each
    chosen = any(run.encoder is not None and (run.config.train.select == "best" or run.config.train.patience)
                 for run in runs)  # fmt: skip
    notes = ["the epoch was chosen on this part, so these scores are slightly optimistic"] if chosen else []
    notes += [note for run in runs for note in notes_of(run.folder, part)]
    if len(trained) < len(held_out):
        notes.append(f"from fold {', '.join(map(str, trained))} of {len(held_out)}")
    documents = [document for fold in trained for document in held_out[fold]]
    return Evaluation(reduce(operator.add, totals), by_document, documents, "; ".join(notes))


def score_gold(runs: Sequence[RunParts], half: str, only: Sequence[int] | None = None) -> Evaluation:
    """Score one run, or several that vote, on the gold labels of `gold_a` or `gold_b`, which no fold has trained on.

    Args:
        runs: trained with the same `data.gold`.
        half: of the gold documents.
        only: the folds that vote; all trained folds by default.

    Raises:
        UserError: a run has no gold labels, or the processed data has changed since training.
    """
    of_runs = [with_gold_labels(_processed(run, half), run.config.data, half) for run in runs if run.config.data.gold]
    if len(of_runs) < len(runs) or any(documents != of_runs[0] for documents in of_runs):
        raise UserError("the runs were not trained with the same data.gold, so gold documents may have trained one of "
                        "them; train them with it")  # fmt: skip
    notes = list(dict.fromkeys(note for run in runs for note in notes_of(run.folder, "dev")))
    return Evaluation(*_score(mixture_of(runs, only), of_runs[0]), of_runs[0], "; ".join(notes))


def _processed(run: RunParts, part: str) -> Processed:
    """The data that a run was trained on."""
    processed = load_processed(run.config)
    if processed.digest != run.data:
        raise UserError(
            f"{run.folder}: was trained on other data than {run.config.processed_folder} now holds, so it may have "
            f"trained on this {part} part; train again, or give a labelled corpus with --input"
        )
    return processed


def _held_out(run: RunParts, part: str) -> list[list[Document]]:
    """The documents that a run did not train on: one list of test documents, or the dev documents of each fold."""
    processed = _processed(run, part)
    if part == "test":
        parts = [processed.of_part("test")]
    else:
        parts = [split.dev for split in make_splits(processed, run.config.data, run.config.folds)]
    return [[processed.documents[number] for number in numbers] for numbers in parts]


def _score(reader: Mixture, documents: list[Document]) -> tuple[Scores, list[Score]]:
    predicted = [spans for _, spans in reader.predict_documents(documents)]
    labelled = [document.spans for document in documents]
    of_each = [score_spans([truth], [guess]).micro for truth, guess in zip(labelled, predicted, strict=True)]
    return score_spans(labelled, predicted, reader.categories), of_each
