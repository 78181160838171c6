"""Several trained runs, of any systems, and patterns read texts together."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence

from config import MixConfig, PredictConfig
from data.corpus.document import Document
from data.spans import ScoredSpan
from model.reading.chunks import in_chunks
from model.reading.patterns import with_patterns
from model.reading.pool import choose, pooled_logistic, pooled_mean
from model.reading.tagger import Tagger, probable_enough
from model.reading.vote import Voter, vote
from model.run_folder import RunParts
from utils.errors import UserError, refuse_unknown_categories


class Mixture:
    """Runs that decide together, by votes or by their probabilities (`mix.by`). The folds of a run are merged first.

    A run that does not predict a category has no say in it.

    Args:
        taggers: the runs.
        settings: how they decide, their weights, shares of votes, and the categories of patterns.
        predict: the probability that a span needs.

    Raises:
        UserError: a setting names a run that is not there or is there twice, or a category that no run predicts.
    """

    def __init__(self, taggers: Sequence[Tagger], settings: MixConfig, predict: PredictConfig) -> None:
        self.taggers, self.settings, self.predict = taggers, settings, predict
        names = [tagger.parts.folder.name for tagger in taggers]
        if unknown := [name for name in settings.weights if name not in names]:
            raise UserError(f"mix.weights names {unknown[0]}, but the runs are {', '.join(names)}")
        if twice := [name for name in settings.weights if names.count(name) > 1]:
            raise UserError(f"mix.weights names {twice[0]}, but several of the runs have this name; rename a folder")
        self.categories = list(dict.fromkeys(itertools.chain.from_iterable(one.categories for one in taggers)))
        for setting in ("min_votes_of", "back_up", "override"):
            refuse_unknown_categories(f"mix.{setting}", getattr(settings, setting), self.categories)
        refuse_unknown_categories("predict.min_probability_of", predict.min_probability_of, self.categories)
        self._voters = [
            Voter(settings.weights.get(name, 1.0), frozenset(tagger.categories))
            for name, tagger in zip(names, taggers, strict=True)
        ]

    def predict_documents(self, documents: Iterable[Document]) -> Iterator[tuple[Document, list[ScoredSpan]]]:
        """The documents in their order, each with its spans. Only a chunk of them is in memory at a time."""
        settings, votes = self.settings, self.settings.by == "votes"
        for chunk in in_chunks(documents):
            of_runs = [[spans for _, spans in (one.read(chunk) if votes else one.judge(chunk))] for one in self.taggers]
            for document, *spans in zip(chunk, *of_runs, strict=True):
                merged = self._by_votes(spans) if votes else self._by_probability(spans)
                yield document, with_patterns(document.text, merged, settings.back_up, settings.override)

    @property
    def _nests(self) -> bool:
        return any(tagger.nests for tagger in self.taggers)

    def _by_votes(self, spans: Sequence[Sequence[ScoredSpan]]) -> list[ScoredSpan]:
        settings = self.settings
        merged = vote(spans, settings.min_votes, self._voters, settings.min_votes_of, self._nests)
        return probable_enough(merged, self.predict)

    def _by_probability(self, candidates: Sequence[Sequence[ScoredSpan]]) -> list[ScoredSpan]:
        if self.settings.by == "logistic":
            pooled = pooled_logistic(candidates, self._voters, self.settings.bias)
        else:
            pooled = pooled_mean(candidates, self._voters)
        return choose(pooled, self.predict.min_probability, self.predict.min_probability_of, self._nests)


def mixture_of(runs: Sequence[RunParts], folds: Sequence[int] | None = None) -> Mixture:
    """The mixture of some runs. The settings `mix` and `predict` are those of the first run."""
    first = runs[0].config
    return Mixture([Tagger(run, folds) for run in runs], first.mix, first.predict)
