"""Word features of characters against a plain reading of their definitions."""

import pytest
import torch
from torch import nn

from model.layers.word_features import ExSoftwordFeatures, SoftLexiconFeatures, SoftwordFeatures

SETS = torch.tensor(
    [  # one text of four characters; begin, middle, end, single
        [[[1, 2], [0, 0], [0, 0], [3, 0]], [[0, 0], [1, 0], [2, 0], [0, 0]], [[0, 0], [0, 0], [1, 0], [4, 0]],
         [[0, 0], [0, 0], [0, 0], [0, 0]]]
    ]
)  # fmt: skip
FREQUENCIES = torch.tensor([0.0, 5.0, 0.0, 2.0, 1.0])


@pytest.fixture
def words():
    torch.manual_seed(2)
    return nn.Embedding(5, 3, padding_idx=0)


@torch.no_grad()
def test_sets_are_pooled_by_frequency_and_empty_ones_say_so(words):
    features = SoftLexiconFeatures(words)
    features.frequencies.copy_(FREQUENCIES)
    found = features(SETS, words(SETS))
    assert found.shape == (1, 4, 12) and features.size == 12
    for place in range(4):
        own = [[word for word in kind if word] for kind in SETS[0, place].tolist()]
        weight = {word: max(1.0, FREQUENCIES[word].item()) for kind in own for word in kind}
        total = sum(sum(weight[word] for word in kind) if kind else 1.0 for kind in own)
        expected = [
            4 / total * (sum(weight[word] * words.weight[word] for word in kind) if kind else features.empty)
            for kind in own
        ]
        torch.testing.assert_close(found[0, place], torch.cat(expected))


def test_frequencies_are_saved_with_the_weights_and_do_not_learn(words):
    features = SoftLexiconFeatures(words)
    assert "frequencies" in features.state_dict()
    assert [name for name, _ in features.named_parameters()] == ["empty"]


def test_exsoftword_is_a_switch_for_every_tag():
    assert ExSoftwordFeatures()(SETS).tolist() == [[[1, 0, 0, 1, 0], [0, 1, 1, 0, 0], [0, 0, 1, 1, 0], [0, 0, 0, 0, 1]]]


def test_softword_is_the_embedding_of_the_one_tag():
    segmented = torch.tensor([[[[1], [0], [0], [0]], [[0], [1], [0], [0]], [[0], [0], [1], [0]], [[0], [0], [0], [2]],
                               [[0], [0], [0], [0]]]])  # fmt: skip
    features = SoftwordFeatures(6)
    assert torch.equal(features(segmented)[0], features.tags.weight)
