"""A new training of a run that stands: the earlier one stays whole until the new one has weights of its own.

Until then the new training writes to a hidden folder in the run's folder:

    runs/A/.new/config.yaml, manifest.json, ...    what `run_folder.save_parts` writes
    runs/A/.new/fold0/                             the first fold that is trained
    runs/A/.new/replaced.json                      names in runs/A to replace; written when the new fold has weights
    runs/A/.new/old/                               what they named, until the exchange is done

From the moment that `replaced.json` is there, the new training counts. A process that is killed before it leaves the
earlier run as it was. One that is killed after it leaves the exchange to the next training.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from model.run_folder import NEW, PART_NAMES, fold_folder, fold_folders
from utils.errors import UserError
from utils.files import read_json, writable, write_json
from utils.recorded_files import MANIFEST

REPLACED, OLD, ALL_HERE = "replaced.json", "old", "all-here"
# What a training and `--mode eval` leave in a fold's folder and in eval/.
OURS = re.compile(r"""
    (best|last|swa|ema)/model\.\w+ | resume/(state\.json|(model|optimizer)-\d+\.safetensors)
    | tensorboard/events\..* | train\.log | metrics\.json | trained_on\.npy | started_from\.json
    | ([^/]+/)?[^/]+\.json
    | (.*/)?\.[^/]*
""", re.VERBOSE)  # fmt: skip


class TrainingFolder:
    """Where a training writes.

    Args:
        run: the run's folder.
        replaced: the folds that the new training replaces. If there are none, it writes to the run's folder at once.

    Attributes:
        path: the run's folder, or the hidden one in it until `take_place` is called.
    """

    def __init__(self, run: Path, replaced: Sequence[int] = ()) -> None:
        self._run = run
        self._replaced = [fold_folder(run, fold).name for fold in replaced]
        self.path = run / NEW if self._replaced else run

    def fold(self, number: int) -> Path:
        """The folder of a fold."""
        return fold_folder(self.path, number)

    def take_place(self) -> None:
        """Put the new training in the place of the earlier one. Does nothing if that is done."""
        if self.path != self._run:
            write_json(self.path / REPLACED, [*self._replaced, *PART_NAMES, "eval"])
            finish_exchange(self._run)
            self.path = self._run


def finish_exchange(run: Path) -> None:
    """Finish the exchange of a training that was stopped in it, or clear away one that was stopped before it.

    Raises:
        UserError: the files cannot be moved or read.
    """
    new = run / NEW
    if not new.is_dir():
        return
    with writable(run):
        if (new / REPLACED).exists():
            _exchange(run, new, read_json(new / REPLACED, f"remove {new}"))
        shutil.rmtree(new)


def _exchange(run: Path, new: Path, replaced: Sequence[str]) -> None:
    """Rename the replaced files into `old`, then the new ones into the run's folder. Safe to repeat."""
    old = new / OLD
    old.mkdir(exist_ok=True)
    if not (old / ALL_HERE).exists():
        for name in sorted(replaced, key=lambda name: name != MANIFEST):  # no reader takes a mixture for a run
            if (run / name).exists():
                os.replace(run / name, old / name)
        (old / ALL_HERE).touch()
    coming = [path for path in new.iterdir() if path.name not in (OLD, REPLACED)]
    for path in sorted(coming, key=lambda path: path.name == MANIFEST):
        os.replace(path, run / path.name)


def refuse_foreign_files(run: Path, folds: Sequence[int]) -> None:
    """Raise UserError if a folder that a training would replace holds a file that no training has made.

    Args:
        run: the run's folder.
        folds: those that would be replaced.
    """
    for folder in [*(fold_folder(run, fold) for fold in folds), run / "eval"]:
        for path in sorted(path for path in folder.rglob("*") if not path.is_dir()):
            if not OURS.fullmatch(path.relative_to(folder).as_posix()):
                raise UserError(f"{path}: was not made by a training and would be lost; move it elsewhere, or name "
                                "another run with --set run.name=NAME")  # fmt: skip


def refuse_to_lose(run: Path, folds: Sequence[int] | None = None) -> None:
    """Raise UserError if a training would replace finished folds.

    Args:
        run: the run's folder.
        folds: those that would be replaced; all by default.
    """
    finished = [fold for fold, folder in fold_folders(run).items() if (folder / "metrics.json").exists()]
    if lost := [fold for fold in finished if folds is None or fold in folds]:
        raise UserError(
            f"{run}: already trained (fold {', '.join(map(str, lost))}); keep it with --resume, replace it with "
            "--overwrite, or name another run with --set run.name=NAME"
        )
