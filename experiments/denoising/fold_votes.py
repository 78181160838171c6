"""One fold of a run votes on documents."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

from data.corpus.document import Document
from data.lattice.lattice import build_lattices
from data.spans import JudgedSpan
from experiments.denoising.votes import LEAST_PROBABILITY, write_votes
from model.build import load_network
from model.reading.chunks import in_chunks
from model.reading.predictor import Predictor
from model.run_folder import load_parts, trained_folds
from utils.device import choose_device, set_up_processor


def write_fold_votes(
    run: Path, fold: int, documents: Sequence[Document], output: Path, least: float = LEAST_PROBABILITY
) -> None:
    """Write one fold's probabilities of the labels of some documents, and of other likely spans.

    Args:
        run: the run's folder.
        fold: number of the fold.
        documents: to judge. All their labels are judged.
        output: the vote file.
        least: probability from which other spans are written.

    Raises:
        UserError: the run cannot be read, or the fold is not trained.
    """
    write_votes(output, documents, _candidates(run, fold, documents, least))


def _candidates(run: Path, fold: int, documents: Sequence[Document], least: float) -> Iterator[list[JudgedSpan]]:
    parts = load_parts(run)
    config = parts.config
    set_up_processor(config.run.threads)
    (weights,) = trained_folds(run, config.train.select, [fold]).values()
    place = torch.device(choose_device(config.run.device))
    network = load_network(parts, weights).to(place)
    predictor = Predictor.from_settings(network, parts.vocabulary, parts.categories, place, config.data.max_len,
                                        config.predict)  # fmt: skip
    # No span that the network was trained on is longer than a segment.
    longest = config.data.max_len
    known = set(parts.categories)
    for chunk in in_chunks(documents):
        lattices = build_lattices((document.text for document in chunk), parts.vocabulary, parts.lexicon)
        asked = [[span for span in document.spans if span.category in known] for document in chunk]
        yield from predictor.judge(lattices, range(len(chunk)), asked, least, longest)
