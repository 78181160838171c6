"""One fold of a run votes on documents."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from data.corpus.document import Document
from model.reading.tagger import Tagger
from model.reading.vote_files import judge_documents, write_votes
from model.run_folder import load_parts


def write_fold_votes(run: Path, fold: int, documents: Sequence[Document], output: Path) -> None:
    """Write one fold's probabilities of the labels of some documents, and of spans from `LEAST_PROBABILITY` up.

    Args:
        run: the run's folder.
        fold: number of the fold.
        documents: to judge. All their labels are judged.
        output: the vote file.

    Raises:
        UserError: the run cannot be read, or the fold is not trained.
    """
    parts = load_parts(run)
    (reader,) = Tagger(parts, [fold]).readers
    judged = judge_documents(reader, documents, parts.vocabulary, parts.lexicon)
    write_votes(output, documents, judged)
