"""Scores of a trained run: on its own dev or test part, or on any labelled corpus. What `--mode eval` does."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from config import Config, CorpusConfig, UserError
from data.split import make_splits
from model.tagger import Tagger
from utils.metrics import Scores, score_spans
from utils.preprocess.document import Document, Problems
from utils.preprocess.formats import check_categories, read_corpus
from utils.preprocess.processed import load_processed
from utils.run_folder import load_parts, trained_folds


class Evaluation(NamedTuple):
    """Scores, the number of documents they are taken from, and what a reader must know of them."""

    scores: Scores
    documents: int
    note: str = ""


def score_corpus(run: Path, corpus: CorpusConfig, problems: Problems) -> Evaluation:
    """All folds vote on a labelled corpus.

    Raises:
        UserError: the corpus or the run cannot be read, or the corpus has no label of a category the run knows.
    """
    tagger = Tagger(run)
    read = check_categories(read_corpus(corpus, problems), tagger.categories, problems, corpus.path)
    if not any(document.spans for document in read):
        raise UserError(f"{corpus.path}: no label of a category that {run} knows; check --labels")
    return Evaluation(_score(tagger, read), len(read))


def score_split(config: Config, part: str) -> Evaluation:
    """The dev part (each fold on its own, none of which it saw), or the test part (all folds vote).

    Raises:
        UserError: there is no such part, or no trained run.
    """
    own = load_parts(config.run_folder).config
    own.run.folder = config.run.folder
    processed = load_processed(own)
    if part == "test":
        documents = [processed.documents[number] for number in processed.of_part("test")]
        if not documents:
            raise UserError("data.test is empty, so there is no test part; name one, or take --split dev")
        return Evaluation(_score(Tagger(config.run_folder), documents), len(documents))
    total, count = None, 0
    trained = {int(path.parts[-3][len("fold") :]) for path in trained_folds(config.run_folder, own.train.select)}
    splits = make_splits(processed, own)
    for fold in sorted(trained):
        documents = [processed.documents[number] for number in splits[fold].dev]
        if not documents:
            raise UserError("this run has no dev part (data.dev_share is 0); give a labelled corpus with --input")
        scores = _score(Tagger(config.run_folder, folds=[fold]), documents)
        total = scores if total is None else total + scores
        count += len(documents)
    note = "" if own.train.select == "last" else "the epoch was chosen on this part, so these scores flatter a little"
    if len(trained) < len(splits):
        note += f"{'; ' if note else ''}only folds {sorted(trained)} of {len(splits)} are trained"
    return Evaluation(total, count, note)


def _score(tagger: Tagger, documents: list[Document]) -> Scores:
    predicted = [spans for _, spans in tagger.predict_documents(documents)]
    return score_spans([document.spans for document in documents], predicted, tagger.categories)
