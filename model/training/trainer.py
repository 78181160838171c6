"""The training loop on accelerate. Whether it runs in one process or several is the launcher's choice.

The loop contains the training step only. Freezing, early stopping, checkpoints and logs are callbacks.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor
from torch.optim import Optimizer
from torch.utils.data import DataLoader

from config import AdversarialConfig, AveragingConfig, RegularisationConfig, TrainConfig
from data.batches.inputs import Batch
from data.batches.repeating import RepeatingBatches
from data.metrics import Scores, score_record
from model.model import TaggingNetwork
from model.training.adversarial import Adversary
from model.training.callbacks.events import Callback, TrainingState
from model.training.loaders import bucket_sampler
from model.training.loss import loss_of
from model.training.optimizer import build_optimizer
from model.training.passes import Passes
from model.training.schedule import Schedule
from utils.device import choose_half
from utils.errors import UserError
from utils.random_states import random_states, restore_random_states

CALMER = "lower train.encoder_rate, train.other_rate and train.crf_rate, or set train.precision to float32"


class Trainer:
    """Trains one network on one split.

    Args:
        network: with fresh weights.
        loader: the training batches, from `training_loader`.
        accelerator: device, processes and gradient accumulation.
        train: epochs, rates, clipping and precision.
        averaging: changes the learning rates while weights are averaged. The averaging itself is a callback.
        regularisation: R-Drop.
        adversarial: adversarial training, if a method is set.
        evaluate: scores a network after every epoch by part (data/gold_parts.py); None if there is nothing to score.
        callbacks: in the order in which they act on an event.
        name: in the progress bar and the log.
        unlabelled: batches without labels, for `vat`.

    Attributes:
        network: the network itself, not as accelerate wraps it.
        weights: what is scored after every epoch and saved at the end, by name. `last` is the network; a callback may
            add averages of it.
        state: the progress of training. Callbacks read it and may set `stopped`.
        main: whether this process writes files.
    """

    def __init__(
        self,
        network: TaggingNetwork,
        loader: DataLoader,
        accelerator: Accelerator,
        train: TrainConfig,
        averaging: AveragingConfig | None = None,
        regularisation: RegularisationConfig | None = None,
        adversarial: AdversarialConfig | None = None,
        evaluate: Callable[[TaggingNetwork], Mapping[str, Scores]] | None = None,
        callbacks: Sequence[Callback] = (),
        name: str = "train",
        unlabelled: RepeatingBatches | None = None,
    ) -> None:
        self.network = network
        self.weights = {"last": network}
        self.accelerator = accelerator
        self.evaluate = evaluate
        self.callbacks = callbacks
        self.name = name
        self.main = accelerator.is_main_process
        self.state = TrainingState()
        self.epochs = train.epochs
        self.optimizer: Optimizer = build_optimizer(network, train)
        self._clip = train.clip
        self._wrapped, self._optimizer, self._loader = accelerator.prepare(network, self.optimizer, loader)
        self._sampler = bucket_sampler(loader)
        self.steps_per_epoch = -(-len(self._loader) // train.accumulation)
        self.schedule = Schedule(train, averaging or AveragingConfig(), self.steps_per_epoch)
        self.total_steps = self.schedule.total_steps
        half = choose_half(train.precision, accelerator.device)
        self._passes = Passes(network, self._wrapped, accelerator, regularisation or RegularisationConfig(), half)
        self._adversary: Adversary | None = None
        if adversarial is not None and adversarial.method != "none":
            self._adversary = Adversary(network, adversarial, unlabelled)
        self._unlabelled = unlabelled
        self._losses: deque[Tensor] = deque(maxlen=50)

    def fit(self) -> TrainingState:
        """Train to the end, or until a callback stops it."""
        self._notify("on_train_begin")
        while self.state.epoch + 1 < self.epochs and not self.state.stopped:
            self.state.epoch += 1
            self._epoch()
        self._notify("on_train_end")
        return self.state

    def recent_loss(self) -> float:
        """The mean loss of the last 50 batches."""
        return torch.stack(list(self._losses)).mean().item() if self._losses else float("nan")

    def _epoch(self) -> None:
        started = time.perf_counter()
        # After a resume accelerate counts epochs from 0 again. With several processes it does not tell the sampler.
        self._loader.set_epoch(self.state.epoch)
        self._sampler.set_epoch(self.state.epoch)
        if self._unlabelled:
            self._unlabelled.set_epoch(self.state.epoch)
        self._notify("on_epoch_begin")
        self._wrapped.train()
        losses: list[Tensor] = []
        for batch in self._loader:
            self._refuse_infinite(losses)
            losses.append(self._train_on(batch))
        self._refuse_infinite(losses)
        self._refuse_infinite_weights()
        self._notify("on_epoch_trained")
        seconds = time.perf_counter() - started
        loss = torch.stack(losses).mean().item()
        record = {"epoch": self.state.epoch + 1, "loss": loss, "seconds": round(seconds, 3)}
        self.state.history.append(record)
        if self.evaluate is not None:
            self._evaluate(self.evaluate, record)
            self._notify("on_evaluate")
        self._notify("on_epoch_end")

    def _refuse_infinite(self, losses: Sequence[Tensor]) -> None:
        """Raise UserError if the last loss is not a finite number.

        It is looked at one batch late, so that a GPU computes while the processor prepares the next batch. No weights
        are saved before the end of the epoch.
        """
        if losses and not torch.isfinite(losses[-1]):
            raise UserError(f"{self.name}: the loss of batch {len(losses)} in epoch {self.state.epoch + 1} is "
                            f"{losses[-1].item()}; {CALMER}")  # fmt: skip

    def _refuse_infinite_weights(self) -> None:
        """Raise UserError if the last step of an epoch has made a weight infinite."""
        for name, parameter in self.network.named_parameters():
            if not torch.isfinite(parameter).all():
                raise UserError(f"{self.name}: after epoch {self.state.epoch + 1}, {name} holds values that are not "
                                f"finite numbers; {CALMER}")  # fmt: skip

    def _evaluate(self, evaluate: Callable[[TaggingNetwork], Mapping[str, Scores]], record: dict[str, Any]) -> None:
        """Score the network and its averages, add the scores to the record and remember the best of the dev part."""
        started = time.perf_counter()
        for name, network in self.weights.items():
            scores = evaluate(network)
            record |= score_record(scores, "" if name == "last" else f"{name}_")
            if "dev" in scores and (f1 := scores["dev"].micro.f1) > self.state.best_f1:
                self.state.best_f1, self.state.best_epoch, self.state.best_weights = f1, self.state.epoch, name
        record["evaluation_seconds"] = round((time.perf_counter() - started) / len(self.weights), 3)  # of one network

    def _train_on(self, batch: Batch) -> Tensor:
        factor = self.schedule.factor(self.state.step)
        for group in self.optimizer.param_groups:
            group["lr"] = group["rate"] * factor
        with self.accelerator.accumulate(self._wrapped):
            # Forward and backward: gradients of several passes and batches add up until the optimizer's step.
            if self._adversary and self._adversary.acts(self.state.epoch):
                loss = self._adversary.train_on(batch, self._passes)
            else:
                loss = loss_of(self._passes.clean(batch))
                self._passes.backward(loss)
            if self.accelerator.sync_gradients and self._clip:
                self.accelerator.clip_grad_norm_(self.network.parameters(), self._clip)
            # Step: does nothing until all batches of the step have been seen.
            self._optimizer.step()
            self._optimizer.zero_grad()
        loss = loss.detach()
        self._losses.append(loss)
        if self.accelerator.sync_gradients:
            self.state.step += 1
            self._notify("on_step_end")
        return loss

    def _notify(self, event: str) -> None:
        for callback in self.callbacks:
            getattr(callback, event)(self)

    # ---------------------------------------------------------------------------------------------------- resuming

    def training_tensors(self) -> dict[str, Tensor]:
        """The optimizer's state by parameter name, the tensors of callbacks, and the random states."""
        tensors = random_states()
        for callback in self.callbacks:
            kind = type(callback).__name__
            tensors |= {f"callback.{kind}.{name}": tensor for name, tensor in callback.tensors().items()}
        for name, parameter in self.network.named_parameters():
            for key, value in self.optimizer.state.get(parameter, {}).items():
                tensors[f"optimizer.{key}.{name}"] = value
        return tensors

    def load_training_tensors(self, tensors: dict[str, Tensor]) -> None:
        """Undo `training_tensors`. Learning rates follow from the step count."""
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
