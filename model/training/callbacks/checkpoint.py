"""Checkpoints: the weights of the best and the last epoch, and all that a stopped training needs to continue."""

from __future__ import annotations

import contextlib
from dataclasses import asdict
from pathlib import Path

from model.run_folder import load_tensors, save_weights, write_tensors
from model.training.callbacks.events import FoldCallback, RunningTrainer
from utils.errors import UserError
from utils.files import atomic_file, digest_file
from utils.recorded_files import FILES, read_sealed, write_sealed

STATE = "state.json"
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
        if not trainer.main:
            return
        folder = self.fold / "resume"
        weights, rest = _files_of_epoch(folder, trainer.state.epoch)
        for path, tensors in ((weights, trainer.network.state_dict()), (rest, trainer.training_tensors())):
            with atomic_file(path) as temporary:
                write_tensors(tensors, temporary)
        digests = {path.name: digest_file(path) for path in (weights, rest)}
        write_sealed(folder / STATE, asdict(trainer.state) | {FILES: digests})
        for stale in folder.glob("*.safetensors"):
            if stale.name not in digests:
                stale.unlink()

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
    folder = fold / "resume"
    if not (folder / STATE).exists():
        return
    state = read_sealed(folder / STATE, REMEDY)
    digests = state.pop(FILES, {})
    try:
        trainer.state = type(trainer.state)(**state)
        files = _files_of_epoch(folder, trainer.state.epoch)
        for path in files:
            if path.name in digests and digest_file(path) != digests[path.name]:
                raise UserError(f"{path}: damaged; {REMEDY}")
        trainer.network.load_state_dict(load_tensors(files[0]))
        trainer.load_training_tensors(load_tensors(files[1]))
    except (OSError, TypeError, KeyError, RuntimeError) as error:
        raise UserError(f"{folder}: does not fit this run ({str(error).splitlines()[0]}); {REMEDY}") from None


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
