"""Use a trained run from Python.

from model import load_tagger
for span in load_tagger("runs/demo").predict(["..."])[0]:
    print(span.begin, span.end, span.category, span.text, span.probability)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

import torch

from config import PredictConfig
from data.corpus.document import Document
from data.lattice.lattice import Lattices, build_lattices
from data.spans import Asked, JudgedSpan, ScoredSpan
from model.build import load_network
from model.reading.chunks import in_chunks
from model.reading.pool import choose, pooled_mean
from model.reading.predictor import Predictor
from model.reading.vote import vote
from model.run_folder import RunParts, load_parts, recorded_files, trained_folds
from model.traditional import system_class
from utils.device import choose_device, set_up_processor


class PredictedSpan(NamedTuple):
    """A span with its text.

    `begin` and `end` (inclusive) count Python characters. The meaning of `probability` depends on the system:

        | `model.head` crf, softmax | the posterior probability that exactly this span is present     |
        | `model.head` span         | the sigmoid of the span's score, which is not calibrated        |
        | `model.name` mrc          | the smallest of three such sigmoids: of begin, end and match    |
        | `model.name` feature_crf  | the smallest marginal of its tags, an upper bound of the posterior |
        | `model.name` forms        | the share of the form's training occurrences that are labelled  |
        | `model.name` lac          | the smoothed share of such words that are labelled so           |
        | `model.name` rules        | 1                                                               |

    With several folds it is the mean over folds. A fold that did not find the span counts as 0.
    """

    begin: int
    end: int
    category: str
    text: str
    probability: float


class Reader(Protocol):
    """One trained fold that finds spans in texts: a network or a traditional system."""

    @property
    def categories(self) -> Sequence[str]:
        """The categories that it can find."""

    @property
    def nests(self) -> bool:
        """Whether it may find overlapping spans of one category."""

    def read(self, documents: Sequence[Document], lattices: Lattices) -> list[list[ScoredSpan]]:
        """The spans of each document, sorted by begin, end and category.

        Args:
            documents: to read.
            lattices: of these documents, in the same order.
        """

    def candidates(
        self, documents: Sequence[Document], lattices: Lattices, asked: Asked = None
    ) -> list[list[JudgedSpan]]:
        """The spans of `read`, those in `asked`, and all others from `LEAST_PROBABILITY` up, with their probabilities.

        Args:
            documents, lattices: as for `read`.
            asked: spans of each document.
        """


class Tagger:
    """A trained run that reads texts. Its folds vote.

    Args:
        parts: the run.
        folds: the numbers of the folds that vote; all trained folds by default.

    Raises:
        UserError: a fold is not trained, or its weights cannot be read.
    """

    def __init__(self, parts: RunParts, folds: Sequence[int] | None = None) -> None:
        self.parts = parts
        self.config = parts.config
        files = files_of_folds(parts, folds)
        self.folds, self.readers = list(files), _readers(parts, list(files.values()))

    @property
    def categories(self) -> list[str]:
        """The categories that the run can find."""
        return list(self.readers[0].categories)

    @property
    def nests(self) -> bool:
        """Whether the run may find overlapping spans of one category."""
        return any(reader.nests for reader in self.readers)

    def predict(self, texts: Sequence[str]) -> list[list[PredictedSpan]]:
        """The spans of each text, sorted by begin, end and category.

        Raises:
            TypeError: `texts` is one string. Its characters would be read as texts.
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
        """The documents in their order, each with its spans. Only a chunk of them is in memory at a time."""
        settings = self.config.predict
        read = self.read if self.config.mix.by == "votes" else self.judge
        for document, spans in read(documents):
            if self.config.mix.by == "votes":
                yield document, probable_enough(spans, settings)
            else:
                yield document, choose(spans, settings.min_probability, settings.min_probability_of, self.nests)

    def read(self, documents: Iterable[Document]) -> Iterator[tuple[Document, list[ScoredSpan]]]:
        """As `predict_documents`, but by votes of the folds, and spans below `predict.min_probability` are included."""
        for chunk in in_chunks(documents):
            of_models = [reader.read(chunk, self._lattices(chunk)) for reader in self.readers]
            for document, *spans in zip(chunk, *of_models, strict=True):
                yield document, vote(spans, self.config.predict.min_votes, nested=self.nests)

    def judge(self, documents: Iterable[Document]) -> Iterator[tuple[Document, list[ScoredSpan]]]:
        """Every span that some fold has recorded as a candidate, with the mean probability over the folds."""
        for chunk in in_chunks(documents):
            of_models = [reader.candidates(chunk, self._lattices(chunk)) for reader in self.readers]
            for document, *candidates in zip(chunk, *of_models, strict=True):
                yield document, pooled_mean(candidates)

    def _lattices(self, documents: Sequence[Document]) -> Lattices:
        return build_lattices((one.text for one in documents), self.parts.vocabulary, self.parts.lexicon)


def probable_enough(spans: Iterable[ScoredSpan], settings: PredictConfig) -> list[ScoredSpan]:
    """The spans that reach `predict.min_probability`, or that of their category."""
    least, of = settings.min_probability, settings.min_probability_of
    return [span for span in spans if span.probability >= of.get(span.category, least)]


def files_of_folds(parts: RunParts, only: Sequence[int] | None = None) -> dict[int, Path]:
    """The weights of a run, or the files of its traditional system, by fold.

    Args:
        parts: the run.
        only: these folds; all trained folds by default.

    Raises:
        UserError: no fold is trained, or a fold in `only` is not.
    """
    if parts.encoder is not None:
        return trained_folds(parts.folder, parts.config.train.select, only)
    return trained_folds(parts.folder, "last", only, system_class(parts.config.model.name).filename)


def _readers(parts: RunParts, files: Sequence[Path]) -> list[Reader]:
    if parts.encoder is None:
        kind = system_class(parts.config.model.name)
        for path in files:
            recorded_files(parts.folder).check(path)
        return [kind.load(path, parts) for path in files]
    return [load_predictor(parts, path) for path in files]


def load_predictor(parts: RunParts, weights: Path) -> Predictor:
    """The trained network of one fold on the device of `run.device`, ready to read texts.

    Raises:
        UserError: there is no such device, or the weights are missing, damaged, or belong to another network.
    """
    config = parts.config
    set_up_processor(config.run.threads)
    device = torch.device(choose_device(config.run.device))
    network = load_network(parts, weights).to(device)
    return Predictor.from_settings(network, parts.vocabulary, parts.categories, device, config.data.max_len,
                                   config.predict)  # fmt: skip


def load_tagger(
    run: str | Path,
    device: Literal["auto", "cpu", "cuda", "mps"] | None = None,
    folds: Sequence[int] | None = None,
) -> Tagger:
    """Load a run from its folder. This needs neither an internet connection nor the training data.

    Args:
        run: the run's folder.
        device: replaces the run's `run.device`.
        folds: the numbers of the folds that vote; all trained folds by default.

    Raises:
        UserError: the folder is missing, incomplete, damaged or of another version, or a fold is not trained.
    """
    parts = load_parts(Path(run))
    if device is not None:
        parts.config.run.device = device
    return Tagger(parts, folds)
