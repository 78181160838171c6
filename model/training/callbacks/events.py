"""The events of a training and the base class of callbacks, which act on them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from torch import Tensor
from torch.optim import Optimizer

from model.model import TaggingNetwork


@dataclass
class TrainingState:
    """The progress of a training, which a checkpoint keeps. Epochs count from 0; `step` counts optimizer steps."""

    epoch: int = -1
    step: int = 0
    best_f1: float = -1.0
    best_epoch: int = -1
    best_weights: str = "last"  # the weights with that score: last, or the name of an average
    stopped: bool = False
    history: list[dict[str, Any]] = field(default_factory=list)


class RunningTrainer(Protocol):
    """What a callback may use of the trainer. It may set `state.stopped`."""

    name: str
    main: bool  # whether this process writes files
    network: TaggingNetwork
    weights: dict[str, TaggingNetwork]  # what is scored and saved, by name; a callback may add to it
    optimizer: Optimizer
    state: TrainingState
    epochs: int
    steps_per_epoch: int
    total_steps: int

    def recent_loss(self) -> float:
        """The mean loss of the last batches."""

    def training_tensors(self) -> dict[str, Tensor]:
        """All tensors that a resumed training needs, except the weights."""

    def load_training_tensors(self, tensors: dict[str, Tensor]) -> None:
        """Undo `training_tensors`."""


class Callback:
    """Does nothing. A subclass overrides the events it needs, which occur in the order given here."""

    def on_train_begin(self, trainer: RunningTrainer) -> None:
        """Before the first epoch, also after a resume."""

    def on_epoch_begin(self, trainer: RunningTrainer) -> None:
        """Before the batches of an epoch."""

    def on_step_end(self, trainer: RunningTrainer) -> None:
        """After each optimizer step."""

    def on_epoch_trained(self, trainer: RunningTrainer) -> None:
        """After the batches of an epoch, before evaluation."""

    def on_evaluate(self, trainer: RunningTrainer) -> None:
        """After the dev part was scored. The scores are in the last entry of `trainer.state.history`."""

    def on_epoch_end(self, trainer: RunningTrainer) -> None:
        """After the epoch and its evaluation."""

    def on_train_end(self, trainer: RunningTrainer) -> None:
        """After the last epoch, also after early stopping."""

    def tensors(self) -> dict[str, Tensor]:
        """The tensors of this callback that a resumed training needs."""
        return {}

    def load_tensors(self, trainer: RunningTrainer, tensors: dict[str, Tensor]) -> None:
        """Undo `tensors`."""


class FoldCallback(Callback):
    """A callback that writes to the fold's folder.

    Between two epochs the folder may move and `fold` change, so no file may be open then.
    """

    def __init__(self, fold: Path) -> None:
        self.fold = fold
