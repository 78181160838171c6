"""Checkpoints: the weights of the best and the last epoch, and all that a stopped training needs to continue."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from model.run_folder import load_tensors, save_tensors, weights_path
from model.training.callbacks.events import FoldCallback, RunningTrainer
from utils.errors import UserError
from utils.files import read_json, write_json

STATE = "state.json"
REMEDY = "start the run again without --resume"


class Checkpoint(FoldCallback):
    """Saves after every epoch.

    Training may be killed at any moment. Therefore each epoch writes its weights and optimizer to new files first. Then
    it replaces the state file, which names the epoch. Last it removes the files of the epoch before.
    """

    def on_evaluate(self, trainer: RunningTrainer) -> None:
        if trainer.main and trainer.state.best_epoch == trainer.state.epoch:
            best = trainer.weights[trainer.state.best_weights]
            save_tensors(best.state_dict(), weights_path(self.fold, "best"))

    def on_epoch_end(self, trainer: RunningTrainer) -> None:
        if not trainer.main:
            return
        folder = self.fold / "resume"
        epoch = trainer.state.epoch
        save_tensors(trainer.network.state_dict(), folder / f"model-{epoch}.safetensors")
        save_tensors(trainer.training_tensors(), folder / f"optimizer-{epoch}.safetensors")
        write_json(folder / STATE, asdict(trainer.state))
        for stale in folder.glob("*.safetensors"):
            if not stale.stem.endswith(f"-{epoch}"):
                stale.unlink()

    def on_train_end(self, trainer: RunningTrainer) -> None:
        if not trainer.main:
            return
        for name, network in trainer.weights.items():
            save_tensors(network.state_dict(), weights_path(self.fold, name))
        folder = self.fold / "resume"
        (folder / STATE).unlink()  # first: a state file without its tensors could not be resumed
        for leftover in folder.glob("*"):
            leftover.unlink()
        folder.rmdir()


def epochs_done(fold: Path) -> int:
    """The number of complete epochs of an unfinished training; 0 if nothing was saved."""
    state = fold / "resume" / STATE
    return read_json(state, REMEDY)["epoch"] + 1 if state.exists() else 0


def resume(trainer: RunningTrainer, fold: Path) -> None:
    """Load the checkpoint of a stopped training, if there is one, into a fresh trainer.

    Raises:
        UserError: its files are damaged.
    """
    folder = fold / "resume"
    if not (folder / STATE).exists():
        return
    state = read_json(folder / STATE, REMEDY)
    try:
        trainer.state = type(trainer.state)(**state)
        trainer.network.load_state_dict(load_tensors(folder / f"model-{trainer.state.epoch}.safetensors"))
        trainer.load_training_tensors(load_tensors(folder / f"optimizer-{trainer.state.epoch}.safetensors"))
    except (TypeError, KeyError, RuntimeError) as error:
        raise UserError(f"{folder}: does not fit this run ({str(error).splitlines()[0]}); {REMEDY}") from None
