"""Stop training when the dev score no longer improves."""

from __future__ import annotations

from model.training.callbacks.events import Callback, RunningTrainer


class EarlyStopping(Callback):
    """Stops the trainer after `patience` epochs without a better dev F1.

    If the run predicts with an average of the weights (`select` is swa or ema), it does not stop before there is one.
    """

    def __init__(self, patience: int, select: str) -> None:
        self.patience = patience
        self.select = select

    def on_evaluate(self, trainer: RunningTrainer) -> None:
        there = self.select in ("best", "last") or self.select in trainer.weights
        if there and trainer.state.epoch - trainer.state.best_epoch >= self.patience:
            trainer.state.stopped = True
