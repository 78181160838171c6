"""The rethinking CNN against its equations, one text, one n-gram and one word at a time."""

import pytest
import torch

from model.layers.rethinking_cnn import RethinkingCNN, words_by_length

LENGTHS, LAYERS, HIDDEN = [6, 3], 3, 4
WORDS = [(0, 0, 2), (0, 1, 3), (0, 4, 2), (0, 3, 3), (1, 1, 2), (1, 2, 1)]  # text, begin, length


def by_equations(cnn, vectors, words):
    """One text (L, I); words as {(begin, length): vector}."""
    length = len(vectors)
    zero, no_word = torch.zeros(HIDDEN), torch.zeros(5)
    grams = {(1, m): torch.tanh(cnn.first(vectors[m])) for m in range(length)}
    for layer, convolution in enumerate(cnn.convolutions, start=2):
        for m in range(length):
            pair = torch.cat([grams[layer - 1, m], grams.get((layer - 1, m + 1), zero)])
            grams[layer, m] = torch.tanh(convolution(pair))

    def gates(layer, m):
        return (cnn.grams(grams[layer, m]) + cnn.words(words.get((m, layer), no_word))).chunk(4)

    states = []
    for m in range(length):
        i, f, u, _ = gates(LAYERS, m)
        i, f = torch.stack([i.sigmoid(), f.sigmoid()]).softmax(0)
        top = i * u.tanh() + f * grams[LAYERS, m]
        refined = []
        for layer in range(1, LAYERS + 1):
            i, f, u, r = gates(layer, m)
            more = cnn.again(top).chunk(3)
            again = [(one + other).sigmoid() for one, other in zip((i, f, r), more, strict=True)]
            i, f, r = torch.stack(again).softmax(0)
            refined.append(i * u.tanh() + f * grams[layer, m] + r * top)
        weights = torch.cat([cnn.scale(one) for one in refined]).softmax(0)
        states.append(sum(weight * one for weight, one in zip(weights, refined, strict=True)))
    return torch.stack(states)


@pytest.fixture
def texts():
    torch.manual_seed(4)
    mask = torch.arange(max(LENGTHS)) < torch.tensor(LENGTHS)[:, None]
    return torch.randn(2, 6, 7), mask, torch.randn(len(WORDS), 5)


def table_of(words):
    text, begin, lengths = torch.tensor(WORDS).unbind(1)
    return words_by_length((LAYERS, 2, 6), words, text, begin, lengths)


@torch.no_grad()
def test_it_is_its_equations(texts):
    vectors, mask, words = texts
    cnn = RethinkingCNN(7, 5, HIDDEN, LAYERS)
    states = cnn(vectors, mask, table_of(words))
    for text, length in enumerate(LENGTHS):
        own = {(begin, size): vector for (of, begin, size), vector in zip(WORDS, words, strict=True) if of == text}
        torch.testing.assert_close(
            states[text, :length], by_equations(cnn, vectors[text, :length], own), rtol=1e-5, atol=1e-6
        )
    assert not states[~mask].any()


def test_the_table_of_words_holds_each_once(texts):
    words = texts[2]
    table = table_of(words)
    assert int((table != 0).any(dim=3).sum()) == len(WORDS)
    for (text, begin, length), vector in zip(WORDS, words, strict=True):
        assert torch.equal(table[length - 1, text, begin], vector)
