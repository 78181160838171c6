"""Scores of a trained run: on its own dev or test part, or on any labelled corpus. What `--mode eval` does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from config import CorpusConfig, UserError
from data.split import make_splits
from model.tagger import Tagger, files_of_folds
from utils.metrics import Score, Scores, score_spans
from utils.preprocess.document import Document, Problems, category_counts
from utils.preprocess.formats import check_categories, read_corpus
from utils.preprocess.processed import load_processed
from utils.run_folder import RunParts


class Evaluation(NamedTuple):
    """Scores of all documents together, and of each, and what a reader must know of them."""

    scores: Scores
    by_document: list[Score]
    note: str = ""


def score_corpus(
    parts: RunParts, corpus: CorpusConfig, problems: Problems, only: Sequence[int] | None = None
) -> Evaluation:
    """The folds `only`, or all, vote on a labelled corpus.

    Raises:
        UserError: the corpus or the run cannot be read, or the corpus has no label of a category the run knows.
    """
    documents = read_corpus(corpus, problems)
    tagger = Tagger(parts, only)
    categories = sorted(category_counts(documents))
    if not categories:
        raise UserError(f"{corpus.path}: no labelled span to score against; check --labels")
    if not set(categories) & set(tagger.categories):
        raise UserError(
            f"{corpus.path}: labels only {', '.join(categories)}, but {parts.folder} knows "
            f"{', '.join(tagger.categories)}; score a run that was trained with the categories of this corpus"
        )
    documents = check_categories(documents, tagger.categories, problems, corpus.path)
    return Evaluation(*_score(tagger, documents))


def score_split(parts: RunParts, part: str, only: Sequence[int] | None = None) -> Evaluation:
    """The dev part (each fold on its own, none of which it saw), or the test part (all folds vote).

    Args:
        parts: of the run.
        part: dev or test.
        only: these folds; all that are trained by default.

    Raises:
        UserError: there is no such part, no trained run, or the processed data is not what the run was trained on.
    """
    run, config = parts.folder, parts.config
    trained = list(files_of_folds(parts, only))
    processed = load_processed(config)
    if processed.digest != parts.data:
        raise UserError(
            f"{run}: was trained on other data than {config.processed_folder} now holds, and may have seen this "
            f"{part} part; train again, or give a labelled corpus with --input"
        )
    if part == "test":
        documents = [processed.documents[number] for number in processed.of_part("test")]
        if not documents:
            raise UserError("data.test is empty, so there is no test part; give a corpus with --input, or --split dev")
        return Evaluation(*_score(Tagger(parts, trained), documents))
    total, by_document = None, []
    splits = make_splits(processed, config)
    for fold in trained:
        documents = [processed.documents[number] for number in splits[fold].dev]
        if not documents:
            raise UserError("this run has no dev part (data.dev_share is 0); give a labelled corpus with --input")
        scores, of_each = _score(Tagger(parts, [fold]), documents)
        total = scores if total is None else total + scores
        by_document += of_each
    chosen = config.train.select == "best"
    notes = ["the epoch was chosen on this part, so these scores flatter a little"] if chosen else []
    if len(trained) < len(splits):
        notes.append(f"from fold {', '.join(map(str, trained))} of {len(splits)}")
    return Evaluation(total, by_document, "; ".join(notes))


def _score(tagger: Tagger, documents: list[Document]) -> tuple[Scores, list[Score]]:
    predicted = [spans for _, spans in tagger.predict_documents(documents)]
    labelled = [document.spans for document in documents]
    of_each = [score_spans([truth], [guess]).micro for truth, guess in zip(labelled, predicted, strict=True)]
    return score_spans(labelled, predicted, tagger.categories), of_each
