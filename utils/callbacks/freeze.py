"""Keep the encoder still in the first epochs."""

from __future__ import annotations

from utils.callbacks.events import Callback, RunningTrainer


class FreezeEncoder(Callback):
    """In the first `epochs` epochs the encoder gets no gradients and does not move; then it trains."""

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs

    def on_epoch_begin(self, trainer: RunningTrainer) -> None:
        trainer.network.encoder.freeze(trainer.state.epoch < self.epochs)
