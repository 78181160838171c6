"""Systems, each trained with several seeds and compared with the first: `--mode ablate` and `--mode compare`.

    FOLDER/cells/SYSTEM_SEED/   the run of a cell
    FOLDER/logs/SYSTEM_SEED.log what its processes printed
    FOLDER/table.md, .csv, .png written anew after every cell

A cell is trained and scored in processes of its own, so that the measured memory is its own and a failure stops no
other cell.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from config import Config
from data.processed import load_processed
from experiments.bootstrap import Difference, bootstrap_difference
from experiments.commands import run_script
from experiments.comparison.grid import Cell, SystemSettings, as_overrides, make_cells
from experiments.comparison.table import Row, markdown, write_tables
from model.run_folder import fold_folders, read_metrics
from model.run_settings import reading_settings, refuse_other_run
from utils.errors import UserError
from utils.files import check_writable, read_json

REMEDY = "remove the cell's folder and give the command again"

Result = dict[str, Any]  # what dev.json holds
Costs = Callable[[Sequence[dict[str, Any]]], dict[str, float]]  # from the metrics of the folds of all seeds


def training_costs(folds: Sequence[dict[str, Any]]) -> dict[str, float]:
    """The columns that compare ways to train one network."""
    return {
        "seconds": float(np.mean([fold["train_seconds"] for fold in folds])),
        "MiB": max(fold["peak_mib"] or 0 for fold in folds),
    }


def system_costs(folds: Sequence[dict[str, Any]]) -> dict[str, float]:
    """The columns that compare systems.

    They are: parameters, seconds of a training, characters a second in training and in scoring, and peak memory.
    Training counts each character once a pass. The memory is that of the GPU, or else of the process.
    """
    trained = sum(fold["passes"] * fold["train_characters"] for fold in folds)
    training = sum(fold["train_seconds"] for fold in folds)
    scored = sum(fold["dev_characters"] for fold in folds)
    scoring = sum(fold["history"][-1].get("evaluation_seconds", 0) for fold in folds)
    return {
        "parameters": float(np.mean([fold["parameters"] for fold in folds])),
        "trains, s": training / len(folds),
        "trains, characters/s": _rate(trained, training),
        "reads, characters/s": _rate(scored, scoring),
        "MiB": max(fold["peak_mib"] or 0 for fold in folds),
    }


def _rate(characters: float, seconds: float) -> float:
    """Characters a second; NaN where nothing was read."""
    return characters / seconds if characters and seconds else math.nan


class Comparison:
    """The cells of some systems, and their tables.

    Args:
        systems: by name. The first is the baseline that the others are compared with.
        seeds: number of seeds, counted from 1.
        folder: of cells, logs and tables.
        title: of the plot.
        costs: makes the columns of a system beside its scores.

    Raises:
        UserError: fewer than one seed, or settings of a system that are refused.
    """

    def __init__(
        self, systems: dict[str, SystemSettings], seeds: int, folder: Path, title: str, costs: Costs = training_costs
    ) -> None:
        if seeds < 1:
            raise UserError(f"--seeds {seeds}: must be at least one")
        self.systems = systems
        self.folder = folder
        self.title = title
        self.costs = costs
        self.cells = make_cells(systems, seeds, folder / "cells")
        self.finished: set[Cell] = set()
        self.failures: dict[Cell, str] = {}

    def run(self, jobs: int = 1) -> str:
        """Train and score the cells that are not finished, `jobs` at a time; returns the table."""
        check_writable(self.folder)
        self.finished = {cell for cell, config in self.cells if is_finished(config)}
        waiting = [(cell, config) for cell, config in self.cells if cell not in self.finished]
        print(f"{len(self.cells)} cells, {len(self.finished)} of them finished", flush=True)
        unprepared = self._preprocess(waiting)
        for cell, config in waiting:
            self._note(cell, unprepared[config.processed_folder])
        waiting = [(cell, config) for cell, config in waiting if cell not in self.failures]
        pool = ThreadPoolExecutor(jobs)
        try:
            running = {pool.submit(self._train_and_score, cell, config): cell for cell, config in waiting}
            for done in as_completed(running):
                cell = running[done]
                failure = done.result()
                self._note(cell, failure)
                if not failure:
                    self.finished.add(cell)
                print(f"{cell.run_name}: {self.failures.get(cell, 'finished')}", flush=True)
                write_tables(self.rows(), self.folder, self.title)
        finally:  # after Ctrl-C, which the running commands get too, none of the others may begin
            pool.shutdown(cancel_futures=True)
        rows = self.rows()
        write_tables(rows, self.folder, self.title)
        return markdown(rows)

    def rows(self) -> list[Row]:
        """A row for each system, from the cells that are finished so far."""
        results: dict[str, dict[int, Result]] = defaultdict(dict)
        gold: dict[str, dict[int, Result]] = defaultdict(dict)
        for cell, config in self.cells:
            if cell in self.finished:
                results[cell.system][cell.seed] = read_json(config.run_folder / "eval" / "dev.json", REMEDY)
                gold_b = config.run_folder / "eval" / "gold_b.json"
                if config.data.gold and gold_b.exists():
                    gold[cell.system][cell.seed] = read_json(gold_b, REMEDY)
        first = next(iter(self.systems))
        rows = [self._row(system, results[system], results[first]) for system in self.systems]
        return [self._with_gold(row, gold[row.system], gold[first]) for row in rows]

    def _with_gold(self, row: Row, own: dict[int, Result], baseline: dict[int, Result]) -> Row:
        """The row with F1 on `gold_b` and, where all seeds were scored on the same gold labels, the difference."""
        if not own:
            return row
        difference = None if row.system == next(iter(self.systems)) else self._difference(own, baseline)
        f1 = tuple(100 * result["micro"]["f1"] for result in own.values())
        return replace(row, gold_f1=f1, gold_difference=difference)

    @staticmethod
    def _difference(own: dict[int, Result], baseline: dict[int, Result]) -> Difference | None:
        """The difference over the seeds that both have, or None if there is none or they have other documents."""
        common = sorted(set(own) & set(baseline))
        pairs = [[of[seed] for seed in common] for of in (own, baseline)]
        if len({result["digest"] for of in pairs for result in of}) != 1:
            return None
        counts = [np.stack([dev_counts(result) for result in of]) for of in pairs]
        return bootstrap_difference(counts[0], counts[1])

    def _row(self, system: str, own: dict[int, Result], baseline: dict[int, Result]) -> Row:
        configs = [config for cell, config in self.cells if cell.system == system and cell.seed in own]
        notes = [f"failed with seed {cell.seed}: {why}" for cell, why in self.failures.items() if cell.system == system]
        notes += sorted({result["note"] for result in own.values() if result.get("note")})
        if not own:
            return Row(system, note="; ".join(notes))
        micro = [result["micro"] for result in own.values()]
        difference = None
        if own is not baseline and set(own) & set(baseline):
            difference = self._difference(own, baseline)
            if difference is None:
                notes.append("scored on other documents, so there is no difference")
        folds = [read_metrics(fold) for config in configs for fold in fold_folders(config.run_folder).values()]
        return Row(
            system,
            precision=tuple(100 * one["precision"] for one in micro),
            recall=tuple(100 * one["recall"] for one in micro),
            f1=tuple(100 * one["f1"] for one in micro),
            difference=difference,
            costs=self.costs(folds),
            note="; ".join(notes),
        )

    # -------------------------------------------------------------------------------------------------- processes

    def _preprocess(self, cells: list[tuple[Cell, Config]]) -> dict[Path, str]:
        """Make the processed data of all cells, before any is trained: cells that run at a time may share a folder.

        Returns:
            What went wrong, by folder; an empty string where nothing did.
        """
        wanted = {config.processed_folder: cell for cell, config in reversed(cells)}
        return {folder: self._call(cell, "preprocess.py") for folder, cell in wanted.items()}

    def _train_and_score(self, cell: Cell, config: Config) -> str:
        training = self._call(cell, "main.py", "--mode", "train", "--resume")
        # An earlier run keeps the reading settings it was trained with, unless they are given here.
        reading = ((f"{section}.{name}", value) for section, own in reading_settings(config).items()
                   for name, value in own.items())  # fmt: skip
        settings = [f"--set={override}" for override in as_overrides(reading)]
        return training or self._call(cell, "main.py", "--mode", "eval", *settings)

    def _call(self, cell: Cell, script: str, *arguments: str) -> str:
        """Run a command with the settings of a cell; returns as `run_script`."""
        settings = [f"--config={path}" for path in cell.configs]
        settings += [f"--set={override}" for override in cell.overrides]
        return run_script(self.folder / "logs" / f"{cell.run_name}.log", script, *arguments, *settings)

    def _note(self, cell: Cell, failure: str) -> None:
        if failure:
            self.failures[cell] = failure


def is_finished(config: Config) -> bool:
    """Whether a run with these settings was trained on the current data and scored."""
    run = config.run_folder
    scores = run / "eval" / "dev.json"
    if not scores.exists() or not (run / "manifest.json").exists():
        return False
    try:
        refuse_other_run(run, config, load_processed(config).digest)
        return read_json(scores, REMEDY).get("settings") == reading_settings(config)
    except UserError:
        return False


def dev_counts(result: Result) -> np.ndarray:
    """The right, predicted and labelled spans of every dev document, (D, 3)."""
    return np.array(result["by_document"], dtype=np.int64)
