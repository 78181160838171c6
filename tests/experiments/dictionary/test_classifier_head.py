"""The network of yes-or-no classifiers: its scheme, its loss, what is read out of it."""

from functools import partial

import numpy as np
import pytest
import torch

from config import load_config
from data.corpus.document import Document
from data.spans import Span
from experiments.dictionary.head import PositiveScheme, PositiveUnlabelledHead
from experiments.dictionary.risk import PositiveUnlabelledRisk
from model.build import fresh_network
from model.training.optimizer import build_optimizer
from tests.model import batches

SMALL = ["encoder.name=scratch", "encoder.hidden=16", "encoder.heads=2", "encoder.depth=1", "encoder.feed_forward=16",
         "flat.hidden=16", "flat.heads=2", "flat.feed_forward=16", "lexicon.dimension=8",
         "data.max_len=40"]  # fmt: skip


@pytest.fixture
def processed(documents_of, processed_of):
    return processed_of(documents_of(6, 1), words=("天地", "宇宙"))


@pytest.fixture
def network_of():
    """A function: a network for processed data, with priors of a half and everything labelled."""

    def make(processed, *changes):
        shares = torch.full((len(processed.categories),), 0.5)
        risk = PositiveUnlabelledRisk(shares, shares, "cross_entropy")
        head = partial(PositiveUnlabelledHead, risk=risk)
        return fresh_network(load_config([], [*SMALL, *changes]), processed, 1, head)

    return make


def batch_of(processed, network):
    everything = range(len(processed.documents))
    return batches.batch_of(network, batches.samples_of(network, processed, 0, everything), processed)


# ------------------------------------------------------------------------------------------------------------- scheme


def test_spans_are_positive_characters_of_their_chain():
    tags, left_out = PositiveScheme(["a", "b"]).encode([Span("a", 0, 2), Span("b", 1, 1), Span("a", 2, 3)], 5)
    assert tags.tolist() == [[1, 1, 1, 1, 0], [0, 1, 0, 0, 0]]
    assert left_out == []


def test_the_rest_of_a_span_that_was_cut_is_positive_too(processed_of, network_of):
    documents = [Document("0", "天" * 100, (Span("name", 30, 70),)), Document("1", "地天地", (Span("name", 0, 0),))]
    processed = processed_of(documents, max_len=40)
    network = network_of(processed)
    seen = []
    head = network.head
    head.risk.forward = lambda logits, positive, mask: seen.append((positive & mask[:, None]).sum()) or logits.sum()
    network(**batch_of(processed, network))
    assert seen[0] == 42


# ------------------------------------------------------------------------------------------------------------ network


@pytest.mark.parametrize("changes", [[], ["model.name=encoder"], ["regularisation.dropout_samples=3"]])
def test_every_parameter_learns(processed, network_of, changes):
    network = network_of(processed, *changes)
    batch = batch_of(processed, network)
    output = network(**batch)
    assert output.scores.shape == batch["labels"]["tags"].shape
    output.loss.backward()
    without = [name for name, parameter in network.named_parameters() if parameter.grad is None]
    assert without == []
    grouped = [parameter for group in build_optimizer(network, load_config().train).param_groups
               for parameter in group["params"]]  # fmt: skip
    assert {id(one) for one in grouped} == {id(one) for one in network.parameters()}


def test_the_loss_is_the_risk_of_the_logits(processed, network_of):
    network = network_of(processed).eval()
    batch = batch_of(processed, network)
    output = network(**batch)
    expected = network.head.risk(output.scores, batch["labels"]["tags"] == 1, batch["character_mask"])
    assert output.loss.item() == pytest.approx(expected.item())


# ----------------------------------------------------------------------------------------------------------- decoding


def decode_by_hand(logits, length):
    """One text (K, L), a character at a time."""
    spans = []
    for place in range(length):
        probabilities = [1 / (1 + np.exp(-float(logits[k, place]))) for k in range(3)]
        best = int(np.argmax(probabilities))
        category = "abc"[best]
        if probabilities[best] <= 0.5:
            continue
        if spans and spans[-1][0] == category and spans[-1][2] == place - 1:
            spans[-1][2] = place
            spans[-1][3].append(probabilities[best])
        else:
            spans.append([category, place, place, [probabilities[best]]])
    return [(category, begin, end, np.mean(all_of)) for category, begin, end, all_of in spans]


@pytest.mark.parametrize("seed", range(5))
def test_runs_of_the_surest_category_are_spans(seed):
    logits = torch.randn(4, 3, 12, generator=torch.Generator().manual_seed(seed))
    lengths = [12, 9, 1, 5]
    mask = torch.arange(12) < torch.tensor(lengths)[:, None]
    shares = torch.full((3,), 0.5)
    risk = PositiveUnlabelledRisk(shares, shares, "cross_entropy")
    head = PositiveUnlabelledHead(load_config([], SMALL), ["a", "b", "c"], 8, risk)
    for text, spans in enumerate(head.decode(logits, mask)):
        expected = decode_by_hand(logits[text], lengths[text])
        assert [tuple(span)[:3] for span in spans] == [one[:3] for one in expected]
        np.testing.assert_allclose([span.probability for span in spans], [one[3] for one in expected], rtol=1e-5)
