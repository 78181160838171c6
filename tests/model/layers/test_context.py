"""What reads vectors in their order: a batch equals its texts one by one."""

import pytest
import torch

from config import ContextConfig
from model.layers.context import BidirectionalLSTM, Context

LENGTHS = [5, 9, 1]


@torch.no_grad()
@pytest.mark.parametrize("kind", ["lstm", "transformer", "none"])
@pytest.mark.parametrize("layers", [1, 2])
def test_a_batch_equals_its_texts_one_by_one(kind, layers):
    torch.manual_seed(1)
    context = Context(ContextConfig(kind=kind, layers=layers, hidden=8), 6).eval()
    vectors = torch.randn(3, 9, 6)
    mask = torch.arange(9) < torch.tensor(LENGTHS)[:, None]
    states = context(vectors, mask)
    assert states.shape == (3, 9, context.size) and context.size == (6 if kind == "none" else 8)
    assert not states[~mask].any()
    for row, length in enumerate(LENGTHS):
        alone = context(vectors[row : row + 1, :length], mask[row : row + 1, :length])
        torch.testing.assert_close(states[row, :length], alone[0], rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_it_is_the_librarys_bidirectional_lstm():
    own, theirs = BidirectionalLSTM(6, 4, 2), torch.nn.LSTM(6, 4, 2, batch_first=True, bidirectional=True)
    for layer in range(2):
        for lstm, suffix in ((own.forwards[layer], ""), (own.backwards[layer], "_reverse")):
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
                getattr(theirs, f"{name}_l{layer}{suffix}").copy_(getattr(lstm, f"{name}_l0"))
    vectors, mask = torch.randn(3, 9, 6), torch.arange(9) < torch.tensor(LENGTHS)[:, None]
    states = own(vectors, mask)
    for row, length in enumerate(LENGTHS):
        torch.testing.assert_close(states[row, :length], theirs(vectors[row : row + 1, :length])[0][0])


@torch.no_grad()
def test_an_lstm_reads_in_both_directions():
    context = Context(ContextConfig(hidden=8), 6).eval()
    vectors, mask = torch.randn(1, 6, 6), torch.ones(1, 6, dtype=torch.bool)
    changed = vectors.clone()
    changed[0, 3] += 1
    moved = (context(changed, mask) - context(vectors, mask)).abs()[0] > 1e-7  # (L, H)
    assert moved.any(dim=1).all()
    assert not moved[:3, :4].any() and not moved[4:, 4:].any()


@pytest.mark.half_precision
@torch.no_grad()
def test_half_precision_ends_at_the_recurrence():
    torch.manual_seed(1)
    lstm = BidirectionalLSTM(6, 4, 2)
    vectors, mask = torch.randn(2, 5, 6), torch.ones(2, 5, dtype=torch.bool)
    expected = lstm(vectors, mask)
    with torch.autocast("cpu", torch.bfloat16):
        states = lstm(vectors, mask)
    assert torch.equal(states, expected)
