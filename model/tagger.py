"""A trained run, ready to read texts.

    from model import load_tagger
    for span in load_tagger("runs/demo").predict(["..."])[0]:
        print(span.begin, span.end, span.category, span.text, span.probability)
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import torch

from model.build import load_network
from model.predictor import Predictor
from utils.device import choose_device, set_up_processor
from utils.postprocess.process import vote
from utils.preprocess.document import Document, ScoredSpan
from utils.preprocess.lattice import build_lattices
from utils.run_folder import RunParts, load_parts, trained_folds


class PredictedSpan(NamedTuple):
    """A span with its text.

    `begin` and `end` (inclusive) count Python characters. `probability` is the CRF marginal of the span: the posterior
    that a span of exactly this category, begin and end stands in the text. With several folds it is their mean.
    """

    begin: int
    end: int
    category: str
    text: str
    probability: float


class Tagger:
    """All folds of a run, or some of them."""

    def __init__(self, parts: RunParts, folds: Sequence[int] | None = None) -> None:
        self.parts = parts
        self.config = config = parts.config
        set_up_processor(config)
        weights = trained_folds(parts.folder, config.train.select, folds)
        self.folds = list(weights)
        place = torch.device(choose_device(config))
        self.predictors = [
            Predictor.from_settings(config, load_network(parts, path).to(place), parts.vocabulary, place)
            for path in weights.values()
        ]

    @property
    def categories(self) -> list[str]:
        return self.parts.categories

    def predict(self, texts: Sequence[str]) -> list[list[PredictedSpan]]:
        """The spans of each text, by begin, end and category."""
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
        stream = iter(documents)
        while chunk := list(itertools.islice(stream, self.config.predict.chunk)):
            lattices = build_lattices((document.text for document in chunk), self.parts.vocabulary, self.parts.lexicon)
            of_models = [predictor.predict(lattices, range(len(chunk))) for predictor in self.predictors]
            least = self.config.predict.min_probability
            for document, *spans in zip(chunk, *of_models, strict=True):
                merged = vote(spans, self.config.predict.min_votes)
                yield document, [span for span in merged if span.probability >= least]


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
