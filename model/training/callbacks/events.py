"""The trainer's named events. Whatever is not the training step itself hangs on one of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from torch import Tensor, nn
from torch.optim import Optimizer

from config import TrainConfig


@dataclass
class TrainingState:
    """What a resumed run must know. Epochs count from 0; `step` counts optimizer steps."""

    epoch: int = -1
    step: int = 0
    best_f1: float = -1.0
    best_epoch: int = -1
    best_weights: str = "last"  # whose score that was: the network's, or that of an average
    stopped: bool = False
    history: list[dict[str, Any]] = field(default_factory=list)


class RunningTrainer(Protocol):
    """What a callback may see of the trainer. It may set `state.stopped`."""

    name: str
    main: bool  # whether this process is the one that writes
    network: nn.Module
    weights: dict[str, nn.Module]  # what is scored and saved, by name; a callback may add to it
    optimizer: Optimizer
    settings: TrainConfig
    state: TrainingState
    steps_per_epoch: int
    total_steps: int

    def recent_loss(self) -> float:
        """Mean loss of the last batches."""

    def training_tensors(self) -> dict[str, Tensor]:
        """All that training needs besides weights and state."""

    def load_training_tensors(self, tensors: dict[str, Tensor]) -> None:
        """Undo `training_tensors`."""


class Callback:
    """Does nothing; a subclass overrides the events it cares for. They are called in the order given here."""

    def on_train_begin(self, trainer: RunningTrainer) -> None:
        """Before the first epoch, or the first after a resume."""

    def on_epoch_begin(self, trainer: RunningTrainer) -> None:
        """Before the batches of an epoch."""

    def on_step_end(self, trainer: RunningTrainer) -> None:
        """After each optimizer step."""

    def on_epoch_trained(self, trainer: RunningTrainer) -> None:
        """After the batches of an epoch, before the dev part is scored."""

    def on_evaluate(self, trainer: RunningTrainer) -> None:
        """After the dev part was scored (the last entry of `trainer.state.history`), if there is a dev part."""

    def on_epoch_end(self, trainer: RunningTrainer) -> None:
        """After evaluation."""

    def on_train_end(self, trainer: RunningTrainer) -> None:
        """After the last epoch, also when stopped early."""

    def tensors(self) -> dict[str, Tensor]:
        """What a resumed training needs of this callback."""
        return {}

    def load_tensors(self, trainer: RunningTrainer, tensors: dict[str, Tensor]) -> None:
        """Undo `tensors`."""
