"""Several trained runs, of whatever systems, and patterns, read texts as one."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence

from config import MixConfig, PredictConfig
from data.corpus.document import Document
from data.spans import ScoredSpan
from model.reading.patterns import with_patterns
from model.reading.tagger import Tagger
from model.reading.vote import Voter, vote
from model.run_folder import RunParts
from utils.errors import UserError, refuse_unknown_categories


class Mixture:
    """Runs that vote, each with its folds as one voice; on a category vote those who know it.

    Args:
        taggers: the runs.
        settings: weights by the names of runs, shares, and where patterns have a say.
        reading: documents held at a time, and how probable a span must be after the vote.

    Raises:
        UserError: a weight for a run that is not there or is there twice, or a share or patterns for a category that no
            run knows.
    """

    def __init__(self, taggers: Sequence[Tagger], settings: MixConfig, reading: PredictConfig) -> None:
        self.taggers, self.settings, self.reading = taggers, settings, reading
        names = [tagger.parts.folder.name for tagger in taggers]
        if unknown := [name for name in settings.weights if name not in names]:
            raise UserError(f"mix.weights names {unknown[0]}, but the runs are {', '.join(names)}")
        if twice := [name for name in settings.weights if names.count(name) > 1]:
            raise UserError(f"mix.weights names {twice[0]}, but several of the runs are called so; rename a folder")
        self.categories = list(dict.fromkeys(itertools.chain.from_iterable(one.categories for one in taggers)))
        for setting in ("min_votes_of", "back_up", "override"):
            refuse_unknown_categories(f"mix.{setting}", getattr(settings, setting), self.categories)
        self._voters = [
            Voter(settings.weights.get(name, 1.0), frozenset(tagger.categories))
            for name, tagger in zip(names, taggers, strict=True)
        ]

    def predict_documents(self, documents: Iterable[Document]) -> Iterator[tuple[Document, list[ScoredSpan]]]:
        """Documents in their order, each with its spans."""
        stream, settings = iter(documents), self.settings
        nested = any(tagger.nests for tagger in self.taggers)
        while chunk := list(itertools.islice(stream, self.reading.chunk)):
            of_runs = [[spans for _, spans in tagger.read(chunk)] for tagger in self.taggers]
            for document, *spans in zip(chunk, *of_runs, strict=True):
                merged = vote(spans, settings.min_votes, self._voters, settings.min_votes_of, nested)
                merged = [span for span in merged if span.probability >= self.reading.min_probability]
                yield document, with_patterns(document.text, merged, settings.back_up, settings.override)


def mixture_of(runs: Sequence[RunParts], folds: Sequence[int] | None = None) -> Mixture:
    """One run or several, ready to read; how they vote is a setting of the first."""
    first = runs[0].config
    return Mixture([Tagger(run, folds) for run in runs], first.mix, first.predict)
