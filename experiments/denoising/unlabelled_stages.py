"""The stages on unlabelled texts: votes of the last round's folds, pseudo-labels, predictions of the final run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from data.corpus.document import Document, category_counts
from data.corpus.formats import read_corpus
from data.problems import Problems
from experiments.denoising.files import write_documents
from experiments.denoising.gold_stages import pooled_ballots
from experiments.denoising.pseudo_labels import pseudo_label
from experiments.denoising.runs import DenoiseRuns, VotingRun
from experiments.denoising.votes import count_votes
from experiments.stages import Stage
from model.run_folder import fold_folder
from model.run_settings import reading_settings


class UnlabelledStages:
    """Stages on the texts of data.unlabelled.

    Args:
        runs: make the settings of the folds and of the final run.
        last: number of the last round, whose folds vote.
    """

    def __init__(self, runs: DenoiseRuns, last: int) -> None:
        self.runs = runs
        self.last = last
        self.files = runs.files
        self._pool = self.files.round(last).pool
        self._unlabelled = runs.config.data.unlabelled.model_dump()

    def pseudo_labels(self) -> Iterator[Stage]:
        """One vote of each fold, or of the clean run where there are no folds, then the pseudo-labels."""
        if self.runs.watches:
            votes = [self._vote("clean", self.files.folder / "clean", 0)]
        else:
            votes = [self._vote(run.name, self._folds(run), fold) for run, fold in self.runs.voters()]
        yield from votes
        files = [stage.outputs[0] for stage in votes]
        yield Stage(
            "pseudo-label",
            "label unlabelled texts where the votes are certain, mask what is uncertain",
            lambda: self._label(files),
            [*files, *([self._pool] if self.runs.config.denoise.finder == "pooled" else [])],
            [self.files.pseudo],
            self.runs.config.pseudo.model_dump(),
        )

    def submit(self) -> Stage:
        """Read the texts with the final run, and with the runs that decide together with it."""
        final = self.runs.single("final", self.files.train)
        names = self.runs.reading_runs("final")
        trained = [fold_folder(self.files.folder / name, 0) / "metrics.json" for name in names]
        folder = self.files.submission

        def work() -> None:
            texts = folder / "texts.jsonl"
            write_documents(texts, [Document(document.id, document.text) for document in self._read()])
            places = f"--input={texts}", f"--output={folder}"
            if len(names) > 1:
                self.runs.read_together(names, "predict", f"--config={self.files.mixture}", *places)
            else:
                self.runs.call(final, "main.py", "--mode", "predict", *places)

        return Stage(
            "submit",
            "read the unlabelled texts with the final run",
            work,
            [*trained, *([self.files.mixture] if len(names) > 1 else []), *self.runs.other_inputs()],
            [folder / "predict.csv"],
            [self._unlabelled, reading_settings(final)],
        )

    def _folds(self, run: VotingRun) -> Path:
        return self.runs.folds(self.files.round(self.last).folder, run, self.files.train).run_folder

    def _vote(self, name: str, run: Path, fold: int) -> Stage:
        output = self.files.unlabelled_votes(name, fold)

        def work() -> None:
            from experiments.denoising.fold_votes import write_fold_votes

            write_fold_votes(run, fold, self._read(), output)

        return Stage(
            f"unlabelled, votes {name.replace('repeat', '')}.{fold}",
            f"fold {fold} of {run} votes on the unlabelled texts",
            work,
            [fold_folder(run, fold) / "metrics.json", *self.runs.other_inputs()],
            [output],
            self._unlabelled,
        )

    def _label(self, votes: Sequence[Path]) -> None:
        documents = self._read()
        ballots, pooled = count_votes(votes), self.runs.config.denoise.finder == "pooled"
        if pooled:
            ballots = pooled_ballots(self.runs, self._pool, ballots, self.files.unlabelled_votes)
        labelled = pseudo_label(documents, ballots, self.runs.config.pseudo, pooled=pooled)
        if not labelled:
            print("no span of the unlabelled texts is certain, so the final run trains without pseudo-labels; "
                  "pseudo.certain_from sets what is", flush=True)  # fmt: skip
        spans = sum(category_counts(labelled).values())
        doubts = sum(len(document.doubtful) for document in labelled)
        print(f"{len(labelled)} of {len(documents)} texts get {spans} labels; {doubts} stretches are masked",
              flush=True)  # fmt: skip
        write_documents(self.files.pseudo, labelled)

    def _read(self) -> list[Document]:
        return read_corpus(self.runs.config.data.unlabelled, Problems(), "text")
