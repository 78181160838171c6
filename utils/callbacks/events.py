"""The trainer's named events. Whatever is not the training step itself hangs on one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from model.trainer import Trainer


class Callback:
    """Does nothing; a subclass overrides the events it cares for. They are called in the order given here."""

    def on_train_begin(self, trainer: Trainer) -> None:
        """Before the first epoch, or the first after a resume."""

    def on_epoch_begin(self, trainer: Trainer) -> None:
        """Before the batches of an epoch."""

    def on_step_end(self, trainer: Trainer) -> None:
        """After each optimizer step."""

    def on_evaluate(self, trainer: Trainer) -> None:
        """After the dev part was scored (`trainer.state.scores`), once an epoch, if there is a dev part."""

    def on_epoch_end(self, trainer: Trainer) -> None:
        """After evaluation."""

    def on_train_end(self, trainer: Trainer) -> None:
        """After the last epoch, also when stopped early."""
