"""The training loop on accelerate: one process or many is the launcher's choice.

The loop holds the training step and nothing else; freezing, early stopping, checkpoints and logs are callbacks.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor
from torch.utils.data import DataLoader

from config import Config
from data.batches.inputs import Batch
from data.batches.repeating import RepeatingBatches
from data.metrics import Scores
from model.model import TaggingNetwork
from model.training.adversarial import Adversary
from model.training.callbacks.events import Callback, TrainingState
from model.training.optimizer import build_optimizer
from model.training.passes import Passes
from model.training.schedule import Schedule
from utils.device import choose_half
from utils.errors import UserError
from utils.random_states import random_states, restore_random_states


class Trainer:
    """Trains one network on one split.

    Attributes:
        network: the network itself, unwrapped.
        weights: what is scored after every epoch and saved at the end, by name: `last`, the network, and averages of
            it that a callback adds.
        state: where training stands; callbacks read it, and may set `stopped`.
        main: whether this process is the one that writes.
    """

    def __init__(
        self,
        network: TaggingNetwork,
        loader: DataLoader,
        config: Config,
        accelerator: Accelerator,
        evaluate: Callable[[TaggingNetwork], Scores] | None,
        callbacks: Sequence[Callback],
        name: str = "train",
        unlabelled: RepeatingBatches | None = None,
    ) -> None:
        self.network = network
        self.weights = {"last": network}
        self.settings = config.train
        self.accelerator = accelerator
        self.evaluate = evaluate
        self.callbacks = callbacks
        self.name = name
        self.main = accelerator.is_main_process
        self.state = TrainingState()
        self.optimizer = build_optimizer(network, config.train)
        self._wrapped, self._optimizer, self._loader = accelerator.prepare(network, self.optimizer, loader)
        self._sampler = loader.batch_sampler
        self.steps_per_epoch = -(-len(self._loader) // config.train.accumulation)
        self.schedule = Schedule(config.train, config.averaging, self.steps_per_epoch)
        self.total_steps = self.schedule.total_steps
        half = choose_half(config.train.precision, accelerator.device)
        self._passes = Passes(network, self._wrapped, accelerator, config.regularisation, half)
        adversarial = config.adversarial.method != "none"
        self._adversary = Adversary(network, config.adversarial, unlabelled) if adversarial else None
        self._unlabelled = unlabelled
        self._refuse_what_never_comes(config)
        self._losses: deque[Tensor] = deque(maxlen=50)

    def fit(self) -> TrainingState:
        """Train to the end, or until a callback stops it."""
        self._tell("on_train_begin")
        while self.state.epoch + 1 < self.settings.epochs and not self.state.stopped:
            self.state.epoch += 1
            self._epoch()
        self._tell("on_train_end")
        return self.state

    def recent_loss(self) -> float:
        """Mean loss of the last batches."""
        return torch.stack(list(self._losses)).mean().item() if self._losses else float("nan")

    def _epoch(self) -> None:
        started = time.perf_counter()
        # Accelerate counts epochs from 0 again after a resume, and among several processes does not reach the sampler.
        self._loader.set_epoch(self.state.epoch)
        self._sampler.set_epoch(self.state.epoch)
        if self._unlabelled:
            self._unlabelled.set_epoch(self.state.epoch)
        self._tell("on_epoch_begin")
        self._wrapped.train()
        losses = []
        for batch in self._loader:
            losses.append(self._train_on(batch))
        self._tell("on_epoch_trained")
        seconds = time.perf_counter() - started
        loss = torch.stack(losses).mean().item()
        record = {"epoch": self.state.epoch + 1, "loss": loss, "seconds": round(seconds, 3)}
        self.state.history.append(record)
        if self.evaluate is not None:
            self._evaluate(record)
            self._tell("on_evaluate")
        self._tell("on_epoch_end")

    def _evaluate(self, record: dict[str, Any]) -> None:
        """Score the network, and its averages under their names, and remember the best."""
        started = time.perf_counter()
        for name, network in self.weights.items():
            micro = self.evaluate(network).micro
            prefix = "" if name == "last" else f"{name}_"
            record |= {f"{prefix}precision": micro.precision, f"{prefix}recall": micro.recall, f"{prefix}f1": micro.f1}
            if micro.f1 > self.state.best_f1:
                self.state.best_f1, self.state.best_epoch, self.state.best_weights = micro.f1, self.state.epoch, name
        record["evaluation_seconds"] = round((time.perf_counter() - started) / len(self.weights), 3)  # of one network

    def _train_on(self, batch: Batch) -> Tensor:
        factor = self.schedule.factor(self.state.step)
        for group in self.optimizer.param_groups:
            group["lr"] = group["rate"] * factor
        with self.accelerator.accumulate(self._wrapped):
            # Forward and backward; gradients of several passes and batches add up until it is time for a step.
            if self._adversary and self._adversary.acts(self.state.epoch, self.state.step):
                loss = self._adversary.train_on(batch, self._passes)
            else:
                loss = self._passes.clean(batch).loss
                self._passes.backward(loss)
            if self.accelerator.sync_gradients and self.settings.clip:
                self.accelerator.clip_grad_norm_(self.network.parameters(), self.settings.clip)
            # Step: does nothing until all batches of the step have been seen.
            self._optimizer.step()
            self._optimizer.zero_grad()
        loss = loss.detach()
        self._losses.append(loss)
        if self.accelerator.sync_gradients:
            self.state.step += 1
            self._tell("on_step_end")
        return loss

    def _tell(self, event: str) -> None:
        for callback in self.callbacks:
            getattr(callback, event)(self)

    def _refuse_what_never_comes(self, config: Config) -> None:
        adversarial, averaging = config.adversarial, config.averaging
        if self._adversary and adversarial.start_step >= self.total_steps:
            raise UserError(
                f"adversarial.start_step {adversarial.start_step} never comes: training has {self.total_steps} steps"
            )
        left = (config.train.epochs - averaging.start_epoch) * self.steps_per_epoch
        if averaging.method != "none" and averaging.unit == "step" and averaging.every > left:
            raise UserError(
                f"averaging.every {averaging.every} steps after epoch {averaging.start_epoch} never comes: "
                f"{left} steps are left then"
            )

    # ---------------------------------------------------------------------------------------------------- resuming

    def training_tensors(self) -> dict[str, Tensor]:
        """Moments of the optimizer by parameter name, what callbacks keep, and the states of the random generators."""
        tensors = random_states()
        for callback in self.callbacks:
            kind = type(callback).__name__
            tensors |= {f"callback.{kind}.{name}": tensor for name, tensor in callback.tensors().items()}
        for name, parameter in self.network.named_parameters():
            for key, value in self.optimizer.state.get(parameter, {}).items():
                tensors[f"optimizer.{key}.{name}"] = value
        return tensors

    def load_training_tensors(self, tensors: dict[str, Tensor]) -> None:
        """Undo `training_tensors`; the rates follow from the step count."""
        parameters = dict(self.network.named_parameters())
        for full_name, value in tensors.items():
            kind, _, rest = full_name.partition(".")
            if kind == "optimizer":
                key, _, name = rest.partition(".")
                parameter = parameters[name]
                self.optimizer.state[parameter][key] = value.to(parameter.device)
        for callback in self.callbacks:
            prefix = f"callback.{type(callback).__name__}."
            own = {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
            if own:
                callback.load_tensors(self, own)
        restore_random_states(tensors)
