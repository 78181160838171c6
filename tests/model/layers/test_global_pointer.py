"""The global pointer against its formula, one span at a time."""

import math

import pytest
import torch

from model.layers.global_pointer import BASE, NO_SPAN, GlobalPointer, possible_spans, rotary_angles, rotated

LENGTHS = [6, 3]


def turned(vector, position):
    """R_position times a vector (D,), as a matrix of blocks that turn pairs."""
    size = len(vector)
    matrix = torch.zeros(size, size)
    for pair in range(size // 2):
        angle = position * BASE ** (-2 * pair / size)
        here = slice(2 * pair, 2 * pair + 2)
        matrix[here, here] = torch.tensor([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    return matrix @ vector


@torch.no_grad()
@pytest.mark.parametrize("shared", [True, False])
def test_scores_are_the_formula(shared):
    torch.manual_seed(1)
    pointer = GlobalPointer(5, 3, shared, key_size=4)
    states = torch.randn(2, 6, 5)
    mask = torch.arange(6) < torch.tensor(LENGTHS)[:, None]
    scores = pointer(states, mask)
    assert scores.shape == (2, 3, 6, 6)
    for text in range(2):
        ends = pointer.ends(states[text])  # (L, 2 D) or (L, 3 * 2 D)
        for category in range(3):
            for begin in range(6):
                for end in range(6):
                    found = scores[text, category, begin, end].item()
                    if not begin <= end < LENGTHS[text]:
                        assert found == NO_SPAN
                        continue
                    start = 0 if shared else 8 * category
                    query, key = ends[begin, start : start + 4], ends[end, start + 4 : start + 8]
                    expected = turned(query, begin) @ turned(key, end) / 2
                    if shared:
                        weight, bias = pointer.kinds.weight, pointer.kinds.bias
                        expected = expected + weight[category] @ ends[begin] + bias[category]
                        expected = expected + weight[3 + category] @ ends[end] + bias[3 + category]
                    assert found == pytest.approx(expected.item(), rel=1e-4, abs=1e-5)


@pytest.mark.half_precision
@torch.no_grad()
@pytest.mark.parametrize("shared", [True, False])
def test_half_precision_ends_with_queries_and_keys(shared):
    """What is computed from them is float32, bit for bit."""
    torch.manual_seed(1)
    pointer = GlobalPointer(5, 3, shared, key_size=4)
    states, mask = torch.randn(2, 6, 5), torch.arange(6) < torch.tensor(LENGTHS)[:, None]
    with torch.autocast("cpu", torch.bfloat16):
        scores, ends = pointer(states, mask), pointer.ends(states)
    assert ends.dtype == torch.bfloat16 and scores.dtype == torch.float32
    pointer.ends = torch.nn.Identity()
    assert torch.equal(scores, pointer(ends.float(), mask))


def test_turned_products_depend_on_the_distance_alone():
    query, key = torch.randn(8), torch.randn(8)
    angles = rotary_angles(20, 8, torch.device("cpu"))
    products = [rotated(query, angles[i]) @ rotated(key, angles[i + 4]) for i in range(16)]
    torch.testing.assert_close(torch.stack(products), products[0].expand(16), rtol=1e-4, atol=1e-4)


def test_possible_spans_are_counted():
    mask = torch.arange(6) < torch.tensor(LENGTHS)[:, None]
    assert possible_spans(mask).sum(dim=(1, 2, 3)).tolist() == [21, 6]


def test_keys_of_odd_size_are_refused():
    with pytest.raises(ValueError, match="key size 5 is odd"):
        GlobalPointer(5, 3, True, key_size=5)
