"""The training loop on accelerate: one process or many is the launcher's choice.

The loop holds the training step and nothing else; freezing, early stopping, checkpoints and logs are callbacks.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.utils.data import DataLoader

from config import TrainConfig
from model.model import LatticeTagger, parameter_groups
from model.schedule import linear
from utils.callbacks.events import Callback, TrainingState
from utils.metrics import Scores


class Trainer:
    """Trains one network on one split.

    Attributes:
        network: the network itself, unwrapped.
        state: where training stands; callbacks read it, and may set `stopped`.
        main: whether this process is the one that writes.
    """

    def __init__(
        self,
        network: LatticeTagger,
        loader: DataLoader,
        settings: TrainConfig,
        accelerator: Accelerator,
        evaluate: Callable[[], Scores] | None,
        callbacks: Sequence[Callback],
        name: str = "train",
    ) -> None:
        self.network = network
        self.settings = settings
        self.accelerator = accelerator
        self.evaluate = evaluate
        self.callbacks = callbacks
        self.name = name
        self.main = accelerator.is_main_process
        self.state = TrainingState()
        self.optimizer = build_optimizer(network, settings)
        self._wrapped, self._optimizer, self._loader = accelerator.prepare(network, self.optimizer, loader)
        self._sampler = loader.batch_sampler
        self.steps_per_epoch = -(-len(self._loader) // settings.accumulation)
        self.total_steps = self.steps_per_epoch * settings.epochs
        self.warmup_steps = round(settings.warmup * self.total_steps)
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
        self._tell("on_epoch_begin")
        self._wrapped.train()
        losses = []
        for batch in self._loader:
            losses.append(self._train_on(batch))
        seconds = time.perf_counter() - started
        loss = torch.stack(losses).mean().item()
        record = {"epoch": self.state.epoch + 1, "loss": loss, "seconds": round(seconds, 1)}
        self.state.history.append(record)
        if self.evaluate is not None:
            started = time.perf_counter()
            scores = self.evaluate()
            micro = scores.micro
            record |= {"precision": micro.precision, "recall": micro.recall, "f1": micro.f1}
            record["evaluation_seconds"] = round(time.perf_counter() - started, 1)
            if micro.f1 > self.state.best_f1:
                self.state.best_f1, self.state.best_epoch = micro.f1, self.state.epoch
            self._tell("on_evaluate")
        self._tell("on_epoch_end")

    def _train_on(self, batch: dict[str, Tensor]) -> Tensor:
        factor = linear(self.state.step, self.warmup_steps, self.total_steps)
        for group in self.optimizer.param_groups:
            group["lr"] = group["rate"] * factor
        with self.accelerator.accumulate(self._wrapped):
            # Forward, in half precision where asked; the loss itself is computed in float32.
            with torch.autocast(
                self.accelerator.device.type, torch.bfloat16, enabled=self.settings.precision == "bf16"
            ):
                loss = self._wrapped(**batch).loss
            # Backward; gradients of several batches add up until it is time for a step.
            self.accelerator.backward(loss)
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

    # ---------------------------------------------------------------------------------------------------- resuming

    def training_tensors(self) -> dict[str, Tensor]:
        """Moments of the optimizer by parameter name, and the states of the random generators."""
        tensors = random_states()
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
                # The step count stays on the processor, as AdamW keeps it.
                self.optimizer.state[parameter][key] = value if key == "step" else value.to(parameter.device)
        restore_random_states(tensors)


def random_states() -> dict[str, Tensor]:
    """The states of PyTorch's generators, which alone drive dropout."""
    states = {"random.cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        states["random.cuda"] = torch.cuda.get_rng_state()
    return states


def restore_random_states(states: dict[str, Tensor]) -> None:
    """Undo `random_states`."""
    torch.set_rng_state(states["random.cpu"])
    if "random.cuda" in states and torch.cuda.is_available():
        torch.cuda.set_rng_state(states["random.cuda"])


def build_optimizer(network: LatticeTagger, settings: TrainConfig) -> torch.optim.AdamW:
    """AdamW with a rate for each group, and no decay of biases, norms and transitions."""
    rates = {"encoder": settings.encoder_rate, "other": settings.other_rate, "crf": settings.crf_rate}
    exempt = {
        id(parameter)
        for module in network.modules()
        for name, parameter in module.named_parameters(recurse=False)
        if name.endswith("bias") or isinstance(module, nn.LayerNorm) or module is network.crf
    }
    groups = []
    for name, parameters in parameter_groups(network).items():
        for decays in (True, False):
            chosen = [parameter for parameter in parameters if (id(parameter) not in exempt) == decays]
            if chosen:
                decay = settings.weight_decay if decays else 0.0
                groups.append({"name": name, "params": chosen, "rate": rates[name], "weight_decay": decay})
    return torch.optim.AdamW(groups, fused=True)
