"""Averages of the weights during training, scored and saved beside the weights themselves.

    swa: mean = (mean n + w) / (n + 1) at the n-th update after the first (Izmailov et al., "Averaging Weights Leads to
         Wider Optima and Better Generalization", UAI 2018)
    ema: mean = decay mean + (1 - decay) w (Tarvainen and Valpola, "Mean teachers are better role models", NeurIPS 2017)

The first update copies the weights. Training does not depend on the average.
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn, get_swa_multi_avg_fn

from model.model import TaggingNetwork
from model.training.callbacks.events import Callback, RunningTrainer


class AverageWeights(Callback):
    """Adds the average to `trainer.weights` under the method's name at the first update.

    Args:
        method: swa or ema.
        start_epoch: epochs before the first update.
        unit: whether to update after every epoch or every optimizer step.
        decay: of ema.
    """

    def __init__(self, method: str, start_epoch: int, unit: Literal["epoch", "step"], decay: float) -> None:
        self.method = method
        self.start_epoch = start_epoch
        self.unit = unit
        self.decay = decay
        self._average: AveragedModel | None = None

    def on_step_end(self, trainer: RunningTrainer) -> None:
        if self.unit == "step" and trainer.state.step > self.start_epoch * trainer.steps_per_epoch:
            self._update(trainer)

    def on_epoch_trained(self, trainer: RunningTrainer) -> None:
        if self.unit == "epoch" and trainer.state.epoch >= self.start_epoch:
            self._update(trainer)

    def _update(self, trainer: RunningTrainer) -> None:
        average = self._begin(trainer) if self._average is None else self._average
        average.update_parameters(trainer.network)

    def _begin(self, trainer: RunningTrainer) -> AveragedModel:
        update = get_swa_multi_avg_fn() if self.method == "swa" else get_ema_multi_avg_fn(self.decay)
        self._average = AveragedModel(trainer.network, multi_avg_fn=update)
        network = self._average.module
        assert isinstance(network, TaggingNetwork)
        trainer.weights[self.method] = network
        return self._average

    def tensors(self) -> dict[str, Tensor]:
        return {} if self._average is None else self._average.state_dict()

    def load_tensors(self, trainer: RunningTrainer, tensors: dict[str, Tensor]) -> None:
        self._begin(trainer).load_state_dict(tensors)
