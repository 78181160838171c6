"""States of random generators: what was drawn once is drawn again."""

import pytest
import torch

from utils.random_states import random_states, restore_random_states


def test_the_processor_draws_again_what_it_drew():
    states = random_states()
    first = torch.rand(3)
    restore_random_states(states)
    assert torch.equal(torch.rand(3), first)


@pytest.mark.parametrize("kind", ["cuda", "mps"])
def test_the_accelerator_has_a_generator_of_its_own(monkeypatch, kind):
    """A made-up one, whose state counts what was drawn."""
    drawn = [torch.tensor([7])]
    module = torch.get_device_module(kind)
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: True)
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda: torch.device(kind))
    monkeypatch.setattr(module, "is_available", lambda: True)
    monkeypatch.setattr(module, "get_rng_state", lambda: drawn[0])
    monkeypatch.setattr(module, "set_rng_state", lambda state: drawn.__setitem__(0, state))
    states = random_states()
    drawn[0] = torch.tensor([8])
    restore_random_states(states)
    assert drawn[0].item() == 7


def test_states_of_another_machine_leave_out_what_is_not_here():
    restore_random_states(random_states() | {"random.cuda": torch.zeros(16, dtype=torch.uint8)})
