"""The states of PyTorch's random generators, which alone drive dropout."""

from __future__ import annotations

from types import ModuleType

import torch
from torch import Tensor


def random_states() -> dict[str, Tensor]:
    """A state for each kind of device in use."""
    states = {"random.cpu": torch.get_rng_state()}
    return states | {f"random.{kind}": device.get_rng_state() for kind, device in _accelerators()}


def restore_random_states(states: dict[str, Tensor]) -> None:
    """Undo `random_states`; a state of a device that is not here is left out."""
    torch.set_rng_state(states["random.cpu"])
    for kind, device in _accelerators():
        if f"random.{kind}" in states:
            device.set_rng_state(states[f"random.{kind}"])


def _accelerators() -> list[tuple[str, ModuleType]]:
    """The kind of accelerator that is here, such as cuda or mps, with the module of PyTorch for it; or none."""
    if not torch.accelerator.is_available():
        return []
    kind = torch.accelerator.current_accelerator().type
    return [(kind, torch.get_device_module(kind))]
