"""The batched Lattice LSTM against its equations, one text, one character and one word at a time."""

import pytest
import torch

from model.layers.lattice_cells import BidirectionalLatticeLSTM, LatticeLSTM

LENGTHS = [7, 4, 1]
PLACES = torch.tensor(
    [[0, 0, 1], [0, 0, 3], [0, 2, 3], [0, 3, 6], [0, 5, 6], [1, 1, 2], [1, 0, 2], [1, 2, 3], [0, 1, 3]]
)


def by_equations(lstm, vectors, words):
    """One text (L, I); words as (begin, end, vector). A dictionary of cells, as the paper writes it."""
    hidden = lstm.hidden

    def weights(layer, part):
        return layer.weight[part * hidden : (part + 1) * hidden]

    def bias(layer, part):
        return layer.bias[part * hidden : (part + 1) * hidden]

    h, c = [torch.zeros(hidden)], [torch.zeros(hidden)]  # of character j at place j + 1
    for j, x in enumerate(vectors):
        i, o, f, g = (
            weights(lstm.input, part) @ x + weights(lstm.state, part) @ h[j] + bias(lstm.input, part)
            for part in range(4)
        )
        i, o, f, g = i.sigmoid(), o.sigmoid(), f.sigmoid(), g.tanh()
        ending = []
        for begin, end, vector in words:
            if end != j:
                continue
            wi, wf, wg = (
                weights(lstm.word, part) @ vector + weights(lstm.word_state, part) @ h[begin + 1]
                + bias(lstm.word, part)
                for part in range(3)
            )  # fmt: skip
            cell = wf.sigmoid() * c[begin + 1] + wi.sigmoid() * wg.tanh()
            gate = (lstm.link_input.weight @ x + lstm.link_cell.weight @ cell + lstm.link_input.bias).sigmoid()
            ending.append((gate, cell))
        if ending:
            total = i.exp() + sum(gate.exp() for gate, _ in ending)
            cell = i.exp() / total * g + sum(gate.exp() / total * cell for gate, cell in ending)
        else:
            cell = f * c[j] + i * g
        c.append(cell)
        h.append(o * cell.tanh())
    return torch.stack(h[1:])


@pytest.fixture
def texts():
    torch.manual_seed(5)
    mask = torch.arange(max(LENGTHS)) < torch.tensor(LENGTHS)[:, None]
    return torch.randn(3, 7, 5), mask, torch.randn(len(PLACES), 6)


def words_of(text, words):
    found = zip(PLACES.tolist(), words, strict=True)
    return [(begin, end, vector) for (own, begin, end), vector in found if own == text]


@torch.no_grad()
def test_a_direction_is_its_equations(texts):
    vectors, mask, words = texts
    lstm = LatticeLSTM(5, 6, 4)
    states = lstm(vectors, mask, words, PLACES)
    for text, length in enumerate(LENGTHS):
        expected = by_equations(lstm, vectors[text, :length], words_of(text, words))
        torch.testing.assert_close(states[text, :length], expected, rtol=1e-5, atol=1e-6)
    assert not states[~mask].any()


@torch.no_grad()
def test_backwards_a_word_flows_into_its_first_character(texts):
    vectors, mask, words = texts
    lstm = BidirectionalLatticeLSTM(5, 6, 4)
    states = lstm(vectors, mask, words, PLACES)
    assert states.shape == (3, 7, 8)
    for text, length in enumerate(LENGTHS):
        own = words_of(text, words)
        turned = [(length - 1 - end, length - 1 - begin, vector) for begin, end, vector in own]
        expected = torch.cat([
            by_equations(lstm.forwards, vectors[text, :length], own),
            by_equations(lstm.backwards, vectors[text, :length].flip(0), turned).flip(0),
        ], dim=1)  # fmt: skip
        torch.testing.assert_close(states[text, :length], expected, rtol=1e-5, atol=1e-6)


def test_gradients_reach_words_and_characters_before_them(texts):
    vectors, mask, words = texts
    vectors.requires_grad_()
    words.requires_grad_()
    LatticeLSTM(5, 6, 4)(vectors, mask, words, PLACES)[0, 6].sum().backward()
    reaches = words.grad.abs().sum(dim=1) > 0
    # Where a word ends, what came before is forgotten but for the words: the character before 3 has no way around.
    assert reaches.tolist() == [True, True, True, True, True, False, False, False, True]
    assert (vectors.grad[0].abs().sum(dim=1) > 0).all() and not vectors.grad[1:].any()


@torch.no_grad()
def test_without_words_it_is_an_lstm(texts):
    vectors, mask, words = texts
    lstm = LatticeLSTM(5, 6, 4)
    plain = torch.nn.LSTM(5, 4, batch_first=True)
    order = torch.tensor([0, 2, 3, 1])  # theirs: enter, forget, new, leave
    for own, theirs in ((lstm.input.weight, plain.weight_ih_l0), (lstm.state.weight, plain.weight_hh_l0),
                        (lstm.input.bias, plain.bias_ih_l0)):  # fmt: skip
        theirs.copy_(own.unflatten(0, (4, 4))[order].flatten(0, 1))
    plain.bias_hh_l0.zero_()
    states = lstm(vectors[:1], mask[:1], words[:0], PLACES[:0])
    torch.testing.assert_close(states, plain(vectors[:1])[0], rtol=1e-5, atol=1e-6)


@pytest.mark.half_precision
@torch.no_grad()
def test_half_precision_ends_at_the_recurrence(texts):
    _, mask, _ = texts
    # One-hot inputs pick weights that half precision holds exactly, so its products of inputs are exact.
    vectors = torch.nn.functional.one_hot(torch.randint(5, (3, 7)), 5).float()
    words = torch.nn.functional.one_hot(torch.randint(6, (len(PLACES),)), 6).float()
    lstm = LatticeLSTM(5, 6, 4)
    for layer in (lstm.input, lstm.link_input, lstm.word):
        layer.weight.copy_(layer.weight.bfloat16())
        layer.bias.zero_()
    expected = lstm(vectors, mask, words, PLACES)
    with torch.autocast("cpu", torch.bfloat16):
        states = lstm(vectors, mask, words, PLACES)
    torch.testing.assert_close(states, expected, rtol=1e-6, atol=1e-7)
