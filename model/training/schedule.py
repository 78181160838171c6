"""Learning rates over the optimizer steps, as factors of the full rates."""

from __future__ import annotations

import math
from dataclasses import dataclass

from config import AveragingConfig, TrainConfig

# The rate while swa averages (averaging.rate constant), or at the end of each cycle (cyclic), as a share of the full
# one. Izmailov et al. (2018) use rates of this order, higher than those at the end of a decaying schedule.
LOW_RATE = 0.5


def linear(step: int, warmup: int, total: int) -> float:
    """The factor after `step` finished steps: rises over `warmup` steps, then falls linearly to 0."""
    return _rising(step, warmup) if step < warmup else max(0.0, 1 - _progress(step, warmup, total))


def cosine(step: int, warmup: int, total: int) -> float:
    """Rises over `warmup` steps, then falls to 0 along half a cosine (Loshchilov and Hutter, SGDR, ICLR 2017)."""
    if step < warmup:
        return _rising(step, warmup)
    return 0.5 * (1 + math.cos(math.pi * min(1.0, _progress(step, warmup, total))))


def constant(step: int, warmup: int, total: int) -> float:
    """Rises over `warmup` steps, then stays at 1."""
    return _rising(step, warmup) if step < warmup else 1.0


def _rising(step: int, warmup: int) -> float:
    return (step + 1) / (warmup + 1)


def _progress(step: int, warmup: int, total: int) -> float:
    return (step - warmup) / max(1, total - warmup)


def cyclic(step: int, cycle: int, low: float) -> float:
    """Falls from 1 to `low` in every cycle of so many steps. An average should be updated at the end of a cycle.

    Izmailov et al., "Averaging Weights Leads to Wider Optima and Better Generalization", UAI 2018, section 3.2.
    """
    part = (step % cycle + 1) / cycle
    return (1 - part) + part * low


SCHEDULES = {"linear": linear, "cosine": cosine, "constant": constant}


@dataclass(frozen=True)
class Schedule:
    """The factor of the learning rates in every step of a training."""

    train: TrainConfig
    averaging: AveragingConfig
    steps_per_epoch: int

    @property
    def total_steps(self) -> int:
        return self.steps_per_epoch * self.train.epochs

    def factor(self, step: int) -> float:
        """The factor of the step that follows `step` finished steps."""
        averaged = step - self.averaging.start_epoch * self.steps_per_epoch  # steps since averaging began
        if self.averaging.rate == "schedule" or averaged < 0:
            warmup = round(self.train.warmup * self.total_steps)
            return SCHEDULES[self.train.schedule](step, warmup, self.total_steps)
        if self.averaging.rate == "constant":
            return LOW_RATE
        cycle = self.steps_per_epoch if self.averaging.unit == "epoch" else 1
        return cyclic(averaged, cycle, LOW_RATE)
