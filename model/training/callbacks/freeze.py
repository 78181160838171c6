"""Freeze the encoder in the first epochs, and unfreeze it all at once or gradually."""

from __future__ import annotations

from model.training.callbacks.events import Callback, RunningTrainer


class FreezeEncoder(Callback):
    """In the first `epochs` epochs the encoder gets no gradients and no updates.

    Then all of it trains if `every` is 0. Otherwise its last layer trains, and one layer more every `every` epochs, the
    embeddings last (gradual unfreezing: Howard and Ruder, ULMFiT, ACL 2018).
    """

    def __init__(self, epochs: int, every: int = 0) -> None:
        self.epochs = epochs
        self.every = every

    def on_epoch_begin(self, trainer: RunningTrainer) -> None:
        encoder = trainer.network.encoder
        encoder.freeze(self.lowest(trainer.state.epoch, encoder.depth))

    def lowest(self, epoch: int, depth: int) -> int:
        """The lowest layer that trains in an epoch (counted from 0): 0 is the embeddings, depth + 1 is no layer."""
        if epoch < self.epochs:
            return depth + 1
        return max(0, depth - (epoch - self.epochs) // self.every) if self.every else 0
