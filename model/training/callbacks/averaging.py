"""Running means of the weights, scored and saved beside the weights themselves.

    swa: mean = (mean n + w) / (n + 1) at the n-th update after the first (Izmailov et al., "Averaging Weights Leads to
         Wider Optima and Better Generalization", UAI 2018)
    ema: mean = decay mean + (1 - decay) w (Tarvainen and Valpola, "Mean teachers are better role models", NeurIPS 2017)

The first update takes the weights as they are. Training itself does not see the mean.
"""

from __future__ import annotations

from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn, get_swa_multi_avg_fn

from config import AveragingConfig
from model.training.callbacks.events import Callback, RunningTrainer


class AverageWeights(Callback):
    """Adds the mean to `trainer.weights` under the method's name, once there is one."""

    def __init__(self, settings: AveragingConfig) -> None:
        self.settings = settings
        self._average: AveragedModel | None = None

    def on_step_end(self, trainer: RunningTrainer) -> None:
        begun = trainer.state.step - self.settings.start_epoch * trainer.steps_per_epoch
        if self.settings.unit == "step" and begun > 0 and begun % self.settings.every == 0:
            self._update(trainer)

    def on_epoch_trained(self, trainer: RunningTrainer) -> None:
        begun = trainer.state.epoch + 1 - self.settings.start_epoch
        if self.settings.unit == "epoch" and begun > 0 and begun % self.settings.every == 0:
            self._update(trainer)

    def _update(self, trainer: RunningTrainer) -> None:
        if self._average is None:
            self._begin(trainer)
        self._average.update_parameters(trainer.network)

    def _begin(self, trainer: RunningTrainer) -> None:
        swa = self.settings.method == "swa"
        update = get_swa_multi_avg_fn() if swa else get_ema_multi_avg_fn(self.settings.decay)
        self._average = AveragedModel(trainer.network, multi_avg_fn=update)
        trainer.weights[self.settings.method] = self._average.module

    def tensors(self) -> dict[str, Tensor]:
        return {} if self._average is None else self._average.state_dict()

    def load_tensors(self, trainer: RunningTrainer, tensors: dict[str, Tensor]) -> None:
        self._begin(trainer)
        self._average.load_state_dict(tensors)
