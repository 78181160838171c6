"""Stop when the dev score no longer grows."""

from __future__ import annotations

from utils.callbacks.events import Callback, RunningTrainer


class EarlyStopping(Callback):
    """Asks the trainer to stop after `patience` epochs without a better dev F1."""

    def __init__(self, patience: int) -> None:
        self.patience = patience

    def on_evaluate(self, trainer: RunningTrainer) -> None:
        if trainer.state.epoch - trainer.state.best_epoch >= self.patience:
            trainer.state.stopped = True
