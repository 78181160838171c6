"""A trained run, ready to read texts.

from model import load_tagger
for span in load_tagger("runs/demo").predict(["..."])[0]:
    print(span.begin, span.end, span.category, span.text, span.probability)
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import torch

from data.corpus.document import Document
from data.lattice.lattice import Lattices, build_lattices
from data.spans import ScoredSpan
from model.build import load_network
from model.reading.predictor import Predictor
from model.reading.vote import vote
from model.run_folder import RunParts, load_parts, trained_folds
from model.traditional import system_class
from utils.device import choose_device, set_up_processor


class PredictedSpan(NamedTuple):
    """A span with its text.

    `begin` and `end` (inclusive) count Python characters. `probability` depends on what found the span:

        | `model.head` crf, softmax | the posterior of a span of exactly this category, begin and end (its marginal) |
        | `model.head` span         | the sigmoid of its score, which nothing calibrates                             |
        | `model.name` mrc          | the least of three such sigmoids: of begin, end and match                      |
        | `model.name` feature_crf  | the least marginal of its tags, an upper bound of the posterior                |
        | `model.name` rules        | 1                                                                              |

    With several folds it is their mean, a fold that did not find the span counting as 0.
    """

    begin: int
    end: int
    category: str
    text: str
    probability: float


class Reader(Protocol):
    """What finds spans in texts: a network, or something else; `nests` if spans of one category may overlap."""

    nests: bool

    def read(self, documents: Sequence[Document], lattices: Lattices) -> list[list[ScoredSpan]]:
        """The spans of each document by begin, end and category; lattices are those of the documents, in order."""


class Tagger:
    """All folds of a run, or some of them."""

    def __init__(self, parts: RunParts, folds: Sequence[int] | None = None) -> None:
        self.parts = parts
        self.config = parts.config
        files = files_of_folds(parts, folds)
        self.folds, self.readers = list(files), _readers(parts, files.values())

    @property
    def categories(self) -> list[str]:
        """Those that it can find."""
        return self.parts.categories if self.parts.encoder is not None else list(self.readers[0].categories)

    @property
    def nests(self) -> bool:
        """Whether spans of one category may overlap."""
        return any(reader.nests for reader in self.readers)

    def predict(self, texts: Sequence[str]) -> list[list[PredictedSpan]]:
        """The spans of each text, by begin, end and category.

        Raises:
            TypeError: one text in the place of a list, whose characters would be read as texts.
        """
        if isinstance(texts, str):
            raise TypeError("predict takes a list of texts; for one, predict([text])[0]")
        documents = (Document(str(number), text) for number, text in enumerate(texts))
        return [
            [
                PredictedSpan(span.begin, span.end, span.category, text[span.begin : span.end + 1], span.probability)
                for span in spans
            ]
            for text, (_, spans) in zip(texts, self.predict_documents(documents), strict=True)
        ]

    def predict_documents(self, documents: Iterable[Document]) -> Iterator[tuple[Document, list[ScoredSpan]]]:
        """Documents in their order, each with its spans; only `predict.chunk` of them are held at a time."""
        least = self.config.predict.min_probability
        for document, spans in self.read(documents):
            yield document, [span for span in spans if span.probability >= least]

    def read(self, documents: Iterable[Document]) -> Iterator[tuple[Document, list[ScoredSpan]]]:
        """As `predict_documents`, with spans however improbable."""
        stream = iter(documents)
        while chunk := list(itertools.islice(stream, self.config.predict.chunk)):
            lattices = build_lattices((document.text for document in chunk), self.parts.vocabulary, self.parts.lexicon)
            of_models = [reader.read(chunk, lattices) for reader in self.readers]
            for document, *spans in zip(chunk, *of_models, strict=True):
                yield document, vote(spans, self.config.predict.min_votes, nested=self.nests)


def files_of_folds(parts: RunParts, only: Sequence[int] | None = None) -> dict[int, Path]:
    """The weights of a run, or what its system keeps in their place, by fold; of the folds `only`, or of all.

    Raises:
        UserError: none are there, or not all that are asked for.
    """
    if parts.encoder is not None:
        return trained_folds(parts.folder, parts.config.train.select, only)
    return trained_folds(parts.folder, "last", only, system_class(parts.config.model.name).filename)


def _readers(parts: RunParts, files: Iterable[Path]) -> list[Reader]:
    """One for each fold."""
    config = parts.config
    if parts.encoder is None:
        kind = system_class(config.model.name)
        return [kind.load(path, parts) for path in files]
    set_up_processor(config.run.threads)
    place = torch.device(choose_device(config.run.device))
    networks = (load_network(parts, path).to(place) for path in files)
    return [Predictor.from_settings(config, network, parts.vocabulary, place) for network in networks]


def load_tagger(run: str | Path, device: str = "", folds: Sequence[int] | None = None) -> Tagger:
    """Load a run from its folder; no network and no training data are needed.

    Args:
        run: the run's folder.
        device: instead of the run's own setting: auto, cpu, cuda or mps.
        folds: numbers of the folds that vote; all of them by default.

    Raises:
        UserError: the folder is missing, incomplete, damaged, or of another version; or a fold is not trained.
    """
    parts = load_parts(Path(run))
    parts.config.run.device = device or parts.config.run.device
    return Tagger(parts, folds)
