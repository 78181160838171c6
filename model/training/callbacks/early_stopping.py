"""Stop when the dev score no longer grows."""

from __future__ import annotations

from model.training.callbacks.events import Callback, RunningTrainer


class EarlyStopping(Callback):
    """Asks the trainer to stop after `patience` epochs without a better dev F1.

    Not before there is an average, where the run is to predict with one (`train.select`).
    """

    def __init__(self, patience: int) -> None:
        self.patience = patience

    def on_evaluate(self, trainer: RunningTrainer) -> None:
        selected = trainer.settings.select
        there = selected in ("best", "last") or selected in trainer.weights
        if there and trainer.state.epoch - trainer.state.best_epoch >= self.patience:
            trainer.state.stopped = True
