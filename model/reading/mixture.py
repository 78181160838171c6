"""Several trained runs, of any systems, and patterns read texts together."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence

from config import MixConfig
from data.corpus.document import Document
from data.spans import ScoredSpan
from model.reading.chunks import in_chunks
from model.reading.patterns import with_patterns
from model.reading.tagger import Tagger
from model.reading.vote import Voter, vote
from model.run_folder import RunParts
from utils.errors import UserError, refuse_unknown_categories


class Mixture:
    """Runs that vote. The folds of a run vote first, and their result is the run's one vote.

    A run that does not predict a category does not vote on it.

    Args:
        taggers: the runs.
        settings: weights of runs, shares of votes, and the categories of patterns.
        min_probability: spans below this probability are left out after the vote.

    Raises:
        UserError: a setting names a run that is not there or is there twice, or a category that no run predicts.
    """

    def __init__(self, taggers: Sequence[Tagger], settings: MixConfig, min_probability: float = 0.0) -> None:
        self.taggers, self.settings, self.min_probability = taggers, settings, min_probability
        names = [tagger.parts.folder.name for tagger in taggers]
        if unknown := [name for name in settings.weights if name not in names]:
            raise UserError(f"mix.weights names {unknown[0]}, but the runs are {', '.join(names)}")
        if twice := [name for name in settings.weights if names.count(name) > 1]:
            raise UserError(f"mix.weights names {twice[0]}, but several of the runs have this name; rename a folder")
        self.categories = list(dict.fromkeys(itertools.chain.from_iterable(one.categories for one in taggers)))
        for setting in ("min_votes_of", "back_up", "override"):
            refuse_unknown_categories(f"mix.{setting}", getattr(settings, setting), self.categories)
        self._voters = [
            Voter(settings.weights.get(name, 1.0), frozenset(tagger.categories))
            for name, tagger in zip(names, taggers, strict=True)
        ]

    def predict_documents(self, documents: Iterable[Document]) -> Iterator[tuple[Document, list[ScoredSpan]]]:
        """The documents in their order, each with its spans. Only a chunk of them is in memory at a time."""
        settings = self.settings
        nested = any(tagger.nests for tagger in self.taggers)
        for chunk in in_chunks(documents):
            of_runs = [[spans for _, spans in tagger.read(chunk)] for tagger in self.taggers]
            for document, *spans in zip(chunk, *of_runs, strict=True):
                merged = vote(spans, settings.min_votes, self._voters, settings.min_votes_of, nested)
                merged = [span for span in merged if span.probability >= self.min_probability]
                yield document, with_patterns(document.text, merged, settings.back_up, settings.override)


def mixture_of(runs: Sequence[RunParts], folds: Sequence[int] | None = None) -> Mixture:
    """The mixture of some runs. The settings `mix` and `predict.min_probability` are those of the first run."""
    first = runs[0].config
    return Mixture([Tagger(run, folds) for run in runs], first.mix, first.predict.min_probability)
