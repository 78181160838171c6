"""The states of PyTorch's random generators, which alone drive dropout."""

from __future__ import annotations

import torch
from torch import Tensor


def random_states() -> dict[str, Tensor]:
    """A state for each kind of device in use."""
    states = {"random.cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        states["random.cuda"] = torch.cuda.get_rng_state()
    return states


def restore_random_states(states: dict[str, Tensor]) -> None:
    """Undo `random_states`."""
    torch.set_rng_state(states["random.cpu"])
    if "random.cuda" in states and torch.cuda.is_available():
        torch.cuda.set_rng_state(states["random.cuda"])
