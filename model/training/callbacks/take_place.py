"""Puts a new training in the place of an earlier one as soon as it has weights."""

from __future__ import annotations

from collections.abc import Sequence

from model.training.callbacks.events import Callback, FoldCallback, RunningTrainer
from model.training.replacement import TrainingFolder


class TakePlace(Callback):
    """Acts after the first checkpoint, so it must be the last callback.

    Args:
        folder: where the training writes.
        number: of the fold.
        callbacks: the other callbacks; those that write files follow to the new place.
    """

    def __init__(self, folder: TrainingFolder, number: int, callbacks: Sequence[Callback]) -> None:
        self.folder = folder
        self.number = number
        self.writing = [callback for callback in callbacks if isinstance(callback, FoldCallback)]

    def on_epoch_end(self, trainer: RunningTrainer) -> None:
        if trainer.main:
            self.folder.take_place()
            for callback in self.writing:
                callback.fold = self.folder.fold(self.number)
