"""The stages of one round on documents with gold labels: votes on them, weights of the systems, detection."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from config import Config
from data.corpus.document import Document
from data.corpus.gold import read_gold
from experiments.denoising.decisions import decide
from experiments.denoising.files import read_documents
from experiments.denoising.gold_detection import (
    comma_separated,
    detections,
    labels_before_and_after,
    parts_with_labels,
    summary,
)
from experiments.denoising.pooled_votes import VotePool, fit_vote_pool, with_pooled
from experiments.denoising.runs import DenoiseRuns
from experiments.denoising.votes import Ballot, count_votes
from experiments.stages import Stage
from model.run_folder import fold_folder
from utils.files import write_text

VoteFile = Callable[[str, int], Path]  # of a run's name and a fold


class GoldStages:
    """What a round does with gold labels. No fold trains on their documents, so all folds vote on them.

    Args:
        runs: make the settings of the folds.
        number: of the round, from 1.
        labels: what the folds train on.
    """

    def __init__(self, runs: DenoiseRuns, number: int, labels: Path) -> None:
        assert runs.dev, "documents with gold labels are in the dev part"
        self.runs = runs
        self.number = number
        self.labels = labels
        self.files = runs.files.round(number)
        self._dev, self._gold = runs.dev, Path(runs.config.data.gold)
        self._votes = [self.files.gold_votes(run.name, fold) for run, fold in runs.voters()]

    def before_decisions(self) -> Iterator[Stage]:
        """Votes, and the weights of the systems that fit `gold_a`."""
        for run, fold in self.runs.voters():
            config = self.runs.folds(self.files.folder, run, self.labels)
            output = self.files.gold_votes(run.name, fold)
            yield Stage(
                f"round {self.number}, gold votes {run.short}.{fold}",
                f"fold {fold} votes on the documents with gold labels",
                partial(self._vote, config, fold, output),
                [self._dev, self._gold, fold_folder(config.run_folder, fold) / "metrics.json"],
                [output],
            )
        yield Stage(
            f"round {self.number}, pool",
            "weigh the systems by their votes on gold_a",
            self._fit_pool,
            [self._dev, self._gold, *self._votes],
            [self.files.pool],
        )

    def detection(self) -> Stage:
        """How well the decisions find wrong labels."""
        return Stage(
            f"round {self.number}, detection",
            "measure on gold how well the votes find wrong labels",
            self._detect,
            [self._dev, self._gold, *self._votes, self.files.pool],
            [self.files.detection],
            deciding_settings(self.runs.config),
        )

    def _parts(self) -> dict[str, tuple[list[Document], list[Document]]]:
        documents = read_documents(self._dev)
        return parts_with_labels(documents, read_gold(self._gold, documents))

    def _vote(self, config: Config, fold: int, output: Path) -> None:
        # Here, because --dry-run needs no PyTorch, which takes seconds to import.
        from experiments.denoising.fold_votes import write_fold_votes

        write_fold_votes(config.run_folder, fold, [one for own, _ in self._parts().values() for one in own], output)

    def _fit_pool(self) -> None:
        _, gold = self._parts()["gold_a"]
        folds = range(self.runs.config.folds.count)
        pool = fit_vote_pool(gold, [_of_systems(self.runs, self.files.gold_votes, [fold]) for fold in folds])
        pool.write(self.files.pool)
        print(pool, flush=True)

    def _detect(self) -> None:
        settings, categories = self.runs.config.denoise, self.runs.categories
        ballots = pooled_ballots(self.runs, self.files.pool, count_votes(self._votes), self.files.gold_votes)
        table = {}
        for part, (documents, gold) in self._parts().items():
            table[part] = list(detections(documents, gold, ballots, categories, settings))
            decisions = decide(documents, ballots, categories, settings)
            print(
                summary(part, table[part], *labels_before_and_after(documents, gold, decisions), settings), flush=True
            )
        write_text(self.files.detection, comma_separated(table))


def pooled_ballots(runs: DenoiseRuns, pool: Path, ballots: Mapping[str, Ballot], files: VoteFile) -> dict[str, Ballot]:
    """The ballots with the probabilities of a round's pool.

    Args:
        runs: know who votes.
        pool: the file of the pool.
        ballots: the votes of all voters.
        files: where the votes of each voter are.
    """
    return with_pooled(ballots, _of_systems(runs, files, range(runs.config.folds.count)), VotePool.read(pool))


def deciding_settings(config: Config) -> dict[str, Any]:
    """What `decide` reads. The number of rounds is no part of it, so that another round undoes no correction."""
    return config.denoise.model_dump(exclude={"rounds", "truth", "voters"})


def _of_systems(runs: DenoiseRuns, files: VoteFile, folds: Sequence[int]) -> dict[str, dict[str, Ballot]]:
    """The votes of some folds, by system."""
    of_system: dict[str, list[Path]] = {}
    for run, fold in runs.voters():
        if fold in folds:
            of_system.setdefault(run.system, []).append(files(run.name, fold))
    return {system: count_votes(paths) for system, paths in of_system.items()}
