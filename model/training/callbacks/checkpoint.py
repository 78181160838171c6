"""Checkpoints: the weights of the best and the last epoch, and all that a stopped training needs to continue."""

from __future__ import annotations

import contextlib
import re
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from model.run_folder import load_tensors, save_weights, write_tensors
from model.training.callbacks.events import FoldCallback, RunningTrainer
from utils.errors import UserError
from utils.files import atomic_file, digest_file
from utils.recorded_files import FILES, read_sealed, write_sealed

STATE = "state.json"
OURS = re.compile(r"state\.json|(model|optimizer)-\d+\.safetensors|\..*\.tmp")
REMEDY = "start the run again without --resume"


class Checkpoint(FoldCallback):
    """Saves after every epoch.

    Training may be killed at any moment. Therefore each epoch writes its weights and optimizer to new files first. Then
    it replaces the state file, which names the epoch and holds the digests of these files. Last it removes the files of
    the epoch before. What a finished training no longer needs is removed by `remove_checkpoint`.
    """

    def on_evaluate(self, trainer: RunningTrainer) -> None:
        if trainer.main and trainer.state.best_epoch == trainer.state.epoch:
            save_weights(trainer.weights[trainer.state.best_weights].state_dict(), self.fold, "best")

    def on_epoch_end(self, trainer: RunningTrainer) -> None:
        if trainer.main:
            state = asdict(trainer.state)
            write_checkpoint(self.fold / "resume", state, trainer.network.state_dict(), trainer.training_tensors())

    def on_train_end(self, trainer: RunningTrainer) -> None:
        if trainer.main:
            for name, network in trainer.weights.items():
                save_weights(network.state_dict(), self.fold, name)


def epochs_done(fold: Path) -> int:
    """The number of complete epochs of an unfinished training; 0 if nothing was saved."""
    state = fold / "resume" / STATE
    return read_sealed(state, REMEDY)["epoch"] + 1 if state.exists() else 0


def resume(trainer: RunningTrainer, fold: Path) -> None:
    """Load the checkpoint of a stopped training, if there is one, into a fresh trainer.

    Raises:
        UserError: its files are damaged.
    """
    if (found := read_checkpoint(fold / "resume")) is None:
        return
    try:
        trainer.state = type(trainer.state)(**found.state)
        trainer.network.load_state_dict(found.weights)
        trainer.load_training_tensors(found.rest)
    except (TypeError, KeyError, RuntimeError) as error:
        raise misfit(fold / "resume", error) from None


class SavedState(NamedTuple):
    """What a checkpoint holds: numbers, the weights, and the optimizer's and random states."""

    state: dict[str, Any]
    weights: dict[str, Tensor]
    rest: dict[str, Tensor]


def write_checkpoint(folder: Path, state: dict[str, Any], weights: dict[str, Tensor], rest: dict[str, Tensor]) -> None:
    """Write a checkpoint in the place of the one before. `state` must hold the epoch."""
    files = _files_of_epoch(folder, state["epoch"])
    for path, tensors in zip(files, (weights, rest), strict=True):
        with atomic_file(path) as temporary:
            write_tensors(tensors, temporary)
    digests = {path.name: digest_file(path) for path in files}
    write_sealed(folder / STATE, state | {FILES: digests})
    for stale in folder.glob("*.safetensors"):
        if stale.name not in digests:
            stale.unlink()


def read_checkpoint(folder: Path) -> SavedState | None:
    """The checkpoint in a folder, if there is one.

    Raises:
        UserError: its files are damaged.
    """
    if not (folder / STATE).exists():
        return None
    state = read_sealed(folder / STATE, REMEDY)
    digests = state.pop(FILES, {})
    try:
        files = _files_of_epoch(folder, state["epoch"])
        if wrong := [path for path in files if path.name in digests and digest_file(path) != digests[path.name]]:
            raise UserError(f"{wrong[0]}: damaged; {REMEDY}")
    except (OSError, KeyError) as error:
        raise misfit(folder, error) from None
    return SavedState(state, *map(load_tensors, files))


def holds_checkpoint(folder: Path) -> bool:
    """Whether a folder holds a checkpoint or a part of one, and nothing else."""
    return all(OURS.fullmatch(path.name) for path in folder.iterdir())


def misfit(folder: Path, error: Exception) -> UserError:
    """The error for a checkpoint of another network."""
    return UserError(f"{folder}: does not fit this run ({str(error).splitlines()[0]}); {REMEDY}")


def remove_checkpoint(fold: Path) -> None:
    """Remove what a finished training no longer needs."""
    folder = fold / "resume"
    (folder / STATE).unlink(missing_ok=True)  # first: a state file without its tensors could not be resumed
    for leftover in folder.glob("*.safetensors"):
        leftover.unlink()
    with contextlib.suppress(OSError):  # there is no such folder, or somebody else's file is in it
        folder.rmdir()


def _files_of_epoch(folder: Path, epoch: int) -> tuple[Path, Path]:
    """The files of the weights, and of the optimizer and random states."""
    return folder / f"model-{epoch}.safetensors", folder / f"optimizer-{epoch}.safetensors"
