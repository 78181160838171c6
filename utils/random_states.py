"""The states of PyTorch's random generators, on which dropout depends."""

from __future__ import annotations

from types import ModuleType

import torch
from torch import Tensor


def random_states() -> dict[str, Tensor]:
    """The state of the processor's generator, and of the accelerator's if there is one."""
    states = {"random.cpu": torch.get_rng_state()}
    return states | {f"random.{kind}": device.get_rng_state() for kind, device in _accelerators()}


def restore_random_states(states: dict[str, Tensor]) -> None:
    """Restore what `random_states` returned. States of devices that this machine lacks are ignored."""
    torch.set_rng_state(states["random.cpu"])
    for kind, device in _accelerators():
        if f"random.{kind}" in states:
            device.set_rng_state(states[f"random.{kind}"])


def _accelerators() -> list[tuple[str, ModuleType]]:
    """The kind of the accelerator, such as cuda or mps, and its module in PyTorch; empty without an accelerator."""
    device = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    return [(device.type, torch.get_device_module(device.type))] if device else []
