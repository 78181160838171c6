"""The stages of one round: train folds, let each vote on its held-out documents, decide, apply the decisions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from config import Config
from data.corpus.document import category_counts
from data.corpus.format_labelstudio import to_labelstudio
from data.problems import Problems
from data.processed import load_processed
from data.spans import Span
from data.split import make_splits
from experiments.denoising.decision_table import keep_corrections, read_decisions, write_report
from experiments.denoising.decisions import Decision, apply_decisions, decide, label_support
from experiments.denoising.files import read_documents, write_documents
from experiments.denoising.gold_stages import GoldStages, deciding_settings, pooled_ballots
from experiments.denoising.known_truth import truth_stage
from experiments.denoising.runs import DenoiseRuns, VotingRun, learning_settings
from experiments.denoising.votes import count_votes
from experiments.stages import Stage
from model.run_folder import fold_folder, read_metrics, selected_epoch
from utils.errors import UserError
from utils.files import write_text

# Where labels had a mean probability of 0.23, cleaning won most of the loss back; where it was 0.12, next to nothing.
LITTLE_SUPPORT = 0.2
LITTLE_F1 = 0.1  # of a fold on the labels that it has not seen
LEARN_MORE = "train the folds longer, or with smaller batches"


class RoundStages:
    """One round.

    Args:
        runs: make the settings of the folds and train them.
        number: of the round, from 1.
        labels: what the folds train on. The labels that are judged are always those of `runs.files.train`.
    """

    def __init__(self, runs: DenoiseRuns, number: int, labels: Path) -> None:
        self.runs = runs
        self.number = number
        self.labels = labels
        self.came = runs.files.train
        self.files = runs.files.round(number)

    def stages(self) -> Iterator[Stage]:
        on_gold = None
        if not self.runs.watches:
            for run in self.runs.voting_runs():
                config = self.runs.folds(self.files.folder, run, self.labels)
                yield self._train(config, run)
                yield from (self._vote(config, run, fold) for fold in range(config.folds.count))
            on_gold = GoldStages(self.runs, self.number, self.labels) if self.runs.config.data.gold else None
        if on_gold:
            yield from on_gold.before_decisions()
        pooled = [self.files.pool] if self.runs.config.denoise.finder == "pooled" else []
        yield Stage(
            f"round {self.number}, decide",
            "compare the labels as they came with the votes",
            self._decide,
            [self.came, *self._votes(), *pooled],
            [self.files.decisions, self.files.page, self.files.labelstudio],
            deciding_settings(self.runs.config),
        )
        if on_gold:
            yield on_gold.detection()
        if truth := self.runs.config.denoise.truth:
            yield truth_stage(self.runs.files, self.number, Path(truth))
        yield Stage(
            f"round {self.number}, clean",
            f"apply {self.files.decisions}, which may be corrected by hand before",
            self._clean,
            [self.came, self.files.decisions],
            [self.files.cleaned],
        )

    def _votes(self) -> list[Path]:
        return self.runs.dynamics() or [self.files.votes(run.name, fold) for run, fold in self.runs.voters()]

    def _train(self, config: Config, run: VotingRun) -> Stage:
        count = config.folds.count
        return Stage(
            f"round {self.number}, folds {run.short}",
            f"train {count} folds of {run.system}, each without the documents that it will vote on",
            partial(self.runs.fit, config),
            [self.labels, *self.runs.other_inputs()],
            [fold_folder(config.run_folder, fold) / "metrics.json" for fold in range(count)],
            learning_settings(config),
        )

    def _vote(self, config: Config, run: VotingRun, fold: int) -> Stage:
        output = self.files.votes(run.name, fold)

        def work() -> None:
            # Here, because --dry-run needs no PyTorch, which takes seconds to import.
            from experiments.denoising.fold_votes import write_fold_votes

            self._warn_of_little(fold_folder(config.run_folder, fold))
            processed = load_processed(config)
            split = make_splits(processed, config.data, config.folds)[fold]
            held_out = {processed.documents[number].id for number in split.dev}
            documents = [document for document in read_documents(self.came) if document.id in held_out]
            write_fold_votes(config.run_folder, fold, documents, output)

        return Stage(
            f"round {self.number}, votes {run.short}.{fold}",
            f"fold {fold} votes on its held-out documents",
            work,
            [self.came, self.labels, fold_folder(config.run_folder, fold) / "metrics.json"],
            [output],
            learning_settings(config),
        )

    def _warn_of_little(self, fold: Path) -> None:
        """Say before the votes that a fold has learned too little for them. It was scored on what it votes on."""
        f1 = selected_epoch(read_metrics(fold)).get("f1", 0.0)
        if f1 < LITTLE_F1:
            print(f"{fold.name} agrees with the labels of its held-out documents by F1 {f1:.2f} only; {LEARN_MORE}",
                  flush=True)  # fmt: skip

    def _decide(self) -> None:
        documents = read_documents(self.came)
        ballots = count_votes(self._votes())
        if self.runs.config.denoise.finder == "pooled":
            ballots = pooled_ballots(self.runs, self.files.pool, ballots, self.files.votes)
        decisions = decide(documents, ballots, self.runs.categories, self.runs.config.denoise)
        labels = sum(category_counts(documents).values())
        shares: dict[str, dict[str, dict[Span, float]]] = {"missing": {}, "doubtful": {}}
        for decision in decisions:
            shares[decision.kind].setdefault(decision.document, {})[decision.span] = decision.share
        write_text(self.files.labelstudio, to_labelstudio(documents, **shares))
        if kept := keep_corrections(self.files.folder):
            print(f"{self.files.decisions} was corrected by hand and is made anew; the corrections are in {kept}",
                  flush=True)  # fmt: skip
        name = f"{self.runs.config.run.name}, {self.files.folder.name}"
        title = f"{name}: {labels} labels in {len(documents)} documents"
        write_report(decisions, documents, self.files.folder, title)
        print(summary(decisions, labels, label_support(documents, ballots), self.runs.watches), flush=True)

    def _clean(self) -> None:
        documents = read_documents(self.came)
        problems = Problems()
        decisions = read_decisions(self.files.decisions, documents, problems)
        if problems.found:
            print(problems.report(), flush=True)
        if unknown := {decision.span.category for decision in decisions} - set(self.runs.categories):
            known = ", ".join(self.runs.categories)
            raise UserError(f"{self.files.decisions}: unknown category {min(unknown)}; the categories are {known}")
        write_documents(self.files.cleaned, apply_decisions(documents, decisions))


def summary(decisions: Sequence[Decision], labels: int, support: float, watched: bool = False) -> str:
    """How many labels of which category are doubtful or missing, and how probable the voters find labels on average.

    Args:
        decisions: of a round.
        labels: their number.
        support: the mean probability of labels.
        watched: whether the voters are the epochs of one training, which has seen the labels.
    """
    lines = []
    for kind in ("doubtful", "missing"):
        of_kind = [decision.span.category for decision in decisions if decision.kind == kind]
        each = ", ".join(f"{category} {of_kind.count(category)}" for category in sorted(set(of_kind)))
        lines.append(f"{kind}: {len(of_kind)} beside {labels} labels" + (f" ({each})" if each else ""))
    who = "over its epochs the network gives a label" if watched else "voters give a label that they have not seen"
    lines.append(f"{who} a probability of {support:.2f} on average")
    if not watched and support < LITTLE_SUPPORT:
        lines.append(f"the folds have learned too little to find wrong labels; {LEARN_MORE}")
    return "\n".join(lines)
