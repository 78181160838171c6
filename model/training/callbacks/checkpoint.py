"""Weights on disk: the best epoch's, the last epoch's, and all that a stopped run needs to go on."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from model.run_folder import load_tensors, save_tensors, weights_path
from model.training.callbacks.events import Callback, RunningTrainer
from utils.errors import UserError
from utils.files import read_json, write_json

STATE = "state.json"


class Checkpoint(Callback):
    """Saves after every epoch.

    The order of writing makes a stop at any moment harmless: weights and optimizer of an epoch go to files of their
    own, then the state file that names the epoch is replaced, and only then are the files of the epoch before removed.
    """

    def __init__(self, fold: Path) -> None:
        self.fold = fold

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
        (folder / STATE).unlink()  # first, for with it and without its tensors nothing could go on
        for leftover in folder.glob("*"):
            leftover.unlink()
        folder.rmdir()


def epochs_done(fold: Path) -> int:
    """Of a training that was stopped: how many epochs are whole."""
    state = fold / "resume" / STATE
    return read_json(state, "start the run again without --resume")["epoch"] + 1 if state.exists() else 0


def resume(trainer: RunningTrainer, fold: Path) -> bool:
    """Put a fresh trainer where a stopped one was; False where there is nothing to go on from.

    Raises:
        UserError: the files are damaged.
    """
    folder = fold / "resume"
    if not (folder / STATE).exists():
        return False
    remedy = "start the run again without --resume"
    state = read_json(folder / STATE, remedy)
    try:
        trainer.state = type(trainer.state)(**state)
        trainer.network.load_state_dict(load_tensors(folder / f"model-{trainer.state.epoch}.safetensors"))
        trainer.load_training_tensors(load_tensors(folder / f"optimizer-{trainer.state.epoch}.safetensors"))
    except (TypeError, KeyError, RuntimeError) as error:
        raise UserError(f"{folder}: does not fit this run ({str(error).splitlines()[0]}); {remedy}") from None
    return True
