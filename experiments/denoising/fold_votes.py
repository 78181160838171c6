"""One fold of a run votes on documents."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from data.corpus.document import Document
from data.lattice.lattice import build_lattices
from data.spans import JudgedSpan
from experiments.denoising.votes import write_votes
from model.reading.chunks import in_chunks
from model.reading.tagger import Tagger
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
    write_votes(output, documents, _candidates(run, fold, documents))


def _candidates(run: Path, fold: int, documents: Sequence[Document]) -> Iterator[list[JudgedSpan]]:
    parts = load_parts(run)
    (reader,) = Tagger(parts, [fold]).readers
    known = set(reader.categories)
    for chunk in in_chunks(documents):
        lattices = build_lattices((document.text for document in chunk), parts.vocabulary, parts.lexicon)
        asked = [[span for span in document.spans if span.category in known] for document in chunk]
        yield from reader.candidates(chunk, lattices, asked)
