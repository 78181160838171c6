"""The divergence of two chains against the enumeration of every tag sequence."""

import itertools

import pytest
import torch

from data.batches.tags import TagScheme
from model.layers.crf import ChainCRF
from model.layers.divergence import kl_divergence, marginals_of
from model.layers.softmax import SoftmaxChain

SCHEME = TagScheme("per_type", ["a"])
LENGTHS = [4, 1, 3]


def chain(kind):
    torch.manual_seed(1)
    if kind == "softmax":
        return SoftmaxChain(SCHEME.num_tags).double()
    crf = ChainCRF(SCHEME).double()
    with torch.no_grad():
        for parameter in crf.parameters():
            parameter[parameter > -100] = torch.randn_like(parameter[parameter > -100])
    return crf


def problem():
    torch.manual_seed(2)
    shape = (len(LENGTHS), max(LENGTHS), SCHEME.num_tags)
    mask = torch.arange(max(LENGTHS)) < torch.tensor(LENGTHS)[:, None]
    return torch.randn(shape, dtype=torch.float64), torch.randn(shape, dtype=torch.float64), mask


def log_probabilities(scores, emissions, length):
    """Of every tag sequence of this length, by a plain loop over its tags."""
    sequences = list(itertools.product(range(emissions.shape[1]), repeat=length))
    values = []
    for tags in sequences:
        value = scores.start[tags[0]] + scores.end[tags[-1]] + sum(emissions[i, tag] for i, tag in enumerate(tags))
        values.append(value + sum(scores.pairs[pair] for pair in itertools.pairwise(tags)))
    return sequences, torch.stack(values).log_softmax(0)


@pytest.mark.parametrize("kind", ["crf", "softmax"])
def test_the_divergence_is_that_of_the_enumeration(kind):
    scores = chain(kind).scores
    emissions, others, mask = problem()
    found = kl_divergence(emissions, others, mask, scores)
    for row, length in enumerate(LENGTHS):
        p, q = (log_probabilities(scores, one[row], length)[1] for one in (emissions, others))
        expected = (p.exp() * (p - q)).sum()
        torch.testing.assert_close(found[row], expected)
        assert expected > 0.01


@pytest.mark.parametrize("kind", ["crf", "softmax"])
def test_marginals_are_those_of_the_enumeration(kind):
    scores = chain(kind).scores
    emissions, _, mask = problem()
    _, found = marginals_of(emissions, mask, scores)
    for row, length in enumerate(LENGTHS):
        sequences, logs = log_probabilities(scores, emissions[row], length)
        expected = torch.zeros_like(emissions[row])
        for tags, log in zip(sequences, logs, strict=True):
            for place, tag in enumerate(tags):
                expected[place, tag] += log.exp()
        torch.testing.assert_close(found[row], expected)


def test_gradients_reach_both_sides_and_are_those_of_finite_differences():
    scores = chain("crf").scores
    emissions, others, mask = problem()
    emissions.requires_grad_()
    others.requires_grad_()
    assert torch.autograd.gradcheck(lambda e, f: kl_divergence(e, f, mask, scores), (emissions, others))


def test_equal_chains_are_not_apart_and_pads_and_transitions_do_not_matter():
    crf = chain("crf")
    emissions, others, mask = problem()
    assert kl_divergence(emissions, emissions.clone(), mask, crf.scores).abs().max() < 1e-12
    expected = kl_divergence(emissions, others, mask, crf.scores)
    padded = [torch.where(mask.unsqueeze(2), one, 7.0) for one in (emissions, others)]
    torch.testing.assert_close(kl_divergence(*padded, mask, crf.scores), expected)
    others.requires_grad_()
    kl_divergence(emissions, others, mask, crf.scores).sum().backward()
    assert all(parameter.grad is None for parameter in crf.parameters())
