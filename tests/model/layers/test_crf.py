"""The CRF against plain loops and against the enumeration of every tag path of tiny problems."""

import itertools
import math

import numpy as np
import pytest
import torch
import torchcrf

from data.batches.tags import TagScheme
from data.spans import Span
from model.layers.crf import ChainCRF, TaggedSpans, Transitions, backward_scores, forward_scores, span_log_probabilities
from model.layers.softmax import SoftmaxChain

SCHEMES = [TagScheme("per_type", ["a"]), TagScheme("bmes", ["a"]), TagScheme("bmes", ["a", "b"])]


def make(scheme, lengths, seed=0):
    """A CRF with random learned scores, random emissions and the mask of some lengths."""
    torch.manual_seed(seed)
    crf = ChainCRF(scheme)
    with torch.no_grad():
        for parameter in crf.parameters():
            parameter[parameter > -100] = torch.randn_like(parameter[parameter > -100])
    emissions = torch.randn(len(lengths), max(lengths), scheme.num_tags)
    mask = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    return crf, emissions, mask


def path_score(scores, emissions, path):
    """One path, re-scored with a plain loop over numbers."""
    score = scores.start[path[0]] + emissions[0][path[0]]
    for position in range(1, len(path)):
        score += scores.pairs[path[position - 1]][path[position]] + emissions[position][path[position]]
    return score + scores.end[path[-1]]


def all_paths(scores, emissions, length):
    """Every path of a length with its score. Illegal paths are included; their score makes them impossible."""
    numbers = Transitions(*(tensor.tolist() for tensor in scores))
    paths = list(itertools.product(range(len(numbers.start)), repeat=length))
    return paths, torch.tensor([path_score(numbers, emissions.tolist(), path) for path in paths])


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda scheme: f"{scheme.name}{len(scheme.categories)}")
def test_loss_is_that_of_the_enumeration(scheme):
    lengths = [4, 2, 1]
    crf, emissions, mask = make(scheme, lengths)
    gold = [scheme.encode([Span("a", 1, 2)], 4)[0][0], scheme.encode([Span("a", 0, 0)], 2)[0][0], [0]]
    tags = torch.zeros(3, 4, dtype=torch.long)
    for row, path in enumerate(gold):
        tags[row, : len(path)] = torch.as_tensor(path)
    losses = crf.loss(emissions, tags, mask)
    for row, length in enumerate(lengths):
        paths, scores = all_paths(crf.scores, emissions[row], length)
        gold_score = scores[paths.index(tuple(tags[row, :length].tolist()))]
        expected = torch.logsumexp(scores, 0) - gold_score
        torch.testing.assert_close(losses[row], expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("scheme", SCHEMES[:2], ids=lambda scheme: scheme.name)
def test_partial_loss_sums_over_every_path_that_agrees_with_what_is_known(scheme):
    crf, emissions, mask = make(scheme, [4, 3])
    tags = torch.tensor([[0, 1, 3, 0], [0, 0, 0, 0]])
    unknown = torch.tensor([[False, True, True, False], [True, True, True, False]])
    losses = crf.loss(emissions, tags, mask, unknown)
    for row, length in enumerate([4, 3]):
        paths, scores = all_paths(crf.scores, emissions[row], length)
        agrees = [all(unknown[row, i] or path[i] == tags[row, i] for i in range(length)) for path in paths]
        expected = torch.logsumexp(scores, 0) - torch.logsumexp(scores[torch.tensor(agrees)], 0)
        torch.testing.assert_close(losses[row], expected, rtol=1e-4, atol=1e-4)
    assert losses[1].item() == pytest.approx(0.0, abs=1e-5)  # nothing is known of the second text


def test_loss_and_gradients_are_pytorch_crfs():
    for scheme in SCHEMES:
        crf, emissions, mask = make(scheme, [7, 3, 1])
        tags = torch.zeros(3, 7, dtype=torch.long)
        tags[0] = torch.as_tensor(scheme.encode([Span("a", 1, 3), Span("a", 5, 5)], 7)[0][0])
        leaves = [emissions.requires_grad_(), *crf.parameters()]
        ours = crf.loss(emissions, tags, mask)
        theirs = -torchcrf.CRF.forward(crf, emissions, tags, mask, reduction="none")
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)
        gradients = [torch.autograd.grad(loss.sum(), leaves) for loss in (ours, theirs)]
        for one, other in zip(*gradients, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_partial_loss_with_nothing_unknown_is_the_ordinary_loss():
    crf, emissions, mask = make(SCHEMES[0], [5, 3])
    tags = torch.tensor([[0, 1, 2, 3, 0], [1, 3, 0, 0, 0]])
    torch.testing.assert_close(
        crf.loss(emissions, tags, mask, torch.zeros_like(mask)), crf.loss(emissions, tags, mask), rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize("softmax", [False, True])
@torch.no_grad()
def test_belief_mixes_the_partial_and_the_whole_loss(softmax):
    scheme = SCHEMES[0]
    crf, emissions, mask = make(scheme, [5, 3, 4])
    chain = SoftmaxChain(scheme.num_tags) if softmax else crf
    tags = torch.tensor([[0, 1, 2, 3, 0], [1, 3, 0, 0, 0], [0, 1, 3, 0, 0]])
    unknown = torch.tensor([[0, 1, 1, 1, 0], [1, 1, 0, 0, 0], [0, 0, 0, 0, 0]]).bool()
    partial, whole = chain.loss(emissions, tags, mask, unknown), chain.loss(emissions, tags, mask)
    assert (partial[:2] < whole[:2] - 0.01).all() and partial[2] == pytest.approx(whole[2].item(), abs=1e-5)
    for belief in (0.0, 0.3, 1.0):
        mixed = chain.loss(emissions, tags, mask, unknown, torch.full((3,), belief))
        torch.testing.assert_close(mixed, belief * whole + (1 - belief) * partial, rtol=1e-5, atol=1e-5)


def test_a_hole_in_the_mask_would_splice_the_chain():
    """What earlier code did for doubtful labels is another function than the partial likelihood."""
    crf, emissions, _ = make(SCHEMES[0], [3])
    tags, unknown = torch.tensor([[1, 0, 3]]), torch.tensor([[False, True, False]])
    hole = torch.tensor([[True, False, True]])
    spliced = -torchcrf.CRF.forward(crf, emissions, tags, hole, reduction="none")
    right = crf.loss(emissions, tags, torch.ones_like(hole), unknown)
    assert not torch.allclose(spliced, right, atol=1e-2)


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda scheme: f"{scheme.name}{len(scheme.categories)}")
def test_best_tags_are_the_best_of_the_enumeration_and_pytorch_crfs(scheme):
    for seed in range(5):
        crf, emissions, mask = make(scheme, [4, 3, 1], seed)
        best = crf.best_tags(emissions, mask)
        for row, expected in enumerate(torchcrf.CRF.decode(crf, emissions, mask)):
            assert best[row, : len(expected)].tolist() == expected
            assert not best[row, len(expected) :].any()
        for row, length in enumerate([4, 3, 1]):
            paths, scores = all_paths(crf.scores, emissions[row], length)
            assert tuple(best[row, :length].tolist()) == paths[int(scores.argmax())]


def test_best_tags_are_legal_even_where_emissions_want_otherwise():
    for scheme in SCHEMES:
        crf, emissions, mask = make(scheme, [6])
        best = crf.best_tags(emissions * 50, mask)[0].tolist()
        allowed, starts, ends = scheme.transitions()
        assert starts[best[0]] and ends[best[-1]]
        assert all(allowed[pair] for pair in itertools.pairwise(best))


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda scheme: f"{scheme.name}{len(scheme.categories)}")
@pytest.mark.parametrize("softmax", [False, True])
@torch.no_grad()
def test_span_probability_is_the_summed_weight_of_the_taggings_that_hold_the_span(scheme, softmax):
    lengths = [4, 3]
    crf, emissions, mask = make(scheme, lengths, seed=3)
    scores = SoftmaxChain(scheme.num_tags).scores if softmax else crf.scores
    category = scheme.categories[-1]
    code = scheme.tags_of(category)
    spans = [(row, b, e) for row, length in enumerate(lengths) for b in range(length) for e in range(b, length)]
    columns = [(row, b, e, code.first, code.inside, code.last, code.single) for row, b, e in spans]
    opening = torch.from_numpy(scheme.opening())
    logs = span_log_probabilities(
        emissions, mask, Transitions(*scores), TaggedSpans(*torch.tensor(columns).unbind(1)), opening
    )
    weights = dict.fromkeys(spans, 0.0)
    totals = [0.0 for _ in lengths]
    for row, length in enumerate(lengths):
        for path, score in zip(*all_paths(scores, emissions[row], length), strict=True):
            weight = math.exp(score)
            totals[row] += weight
            tags = np.zeros((scheme.num_chains, length), dtype=np.int64)
            tags[code.chain] = path
            for span in scheme.decode(tags):
                if span.category == category:
                    weights[row, span.begin, span.end] += weight
    for (row, begin, end), log in zip(spans, logs.tolist(), strict=True):
        assert math.exp(log) == pytest.approx(weights[row, begin, end] / totals[row], rel=1e-4, abs=1e-7)


def test_forward_and_backward_agree_everywhere():
    crf, emissions, mask = make(SCHEMES[2], [5, 5])
    total = torch.logsumexp(forward_scores(emissions, crf.scores) + backward_scores(emissions, mask, crf.scores), 2)
    torch.testing.assert_close(total, total[:, :1].expand_as(total), rtol=1e-4, atol=1e-4)


def test_a_batch_equals_its_samples_and_more_padding_changes_nothing():
    crf, emissions, mask = make(SCHEMES[1], [5, 2, 4])
    tags = torch.zeros(3, 5, dtype=torch.long)
    losses = crf.loss(emissions, tags, mask)
    padded = torch.nn.functional.pad(emissions, (0, 0, 0, 3), value=7.0)
    longer = torch.nn.functional.pad(mask, (0, 3))
    torch.testing.assert_close(crf.loss(padded, torch.nn.functional.pad(tags, (0, 3)), longer), losses)
    assert torch.equal(crf.best_tags(padded, longer)[:, :5], crf.best_tags(emissions, mask))
    for row, length in enumerate([5, 2, 4]):
        alone = crf.loss(emissions[row : row + 1, :length], tags[row : row + 1, :length], mask[row : row + 1, :length])
        torch.testing.assert_close(alone[0], losses[row])


def test_forbidden_transitions_stay_forbidden_and_the_others_learn():
    crf, emissions, mask = make(SCHEMES[0], [5, 4])
    before = [parameter.detach().clone() for parameter in crf.parameters()]
    optimizer = torch.optim.AdamW(crf.parameters(), lr=0.1, weight_decay=0.0)
    for _ in range(3):
        crf.loss(emissions, torch.tensor([[0, 1, 3, 0, 0], [1, 2, 3, 0, 0]]), mask).sum().backward()
        optimizer.step()
        optimizer.zero_grad()
    for parameter, old in zip(crf.parameters(), before, strict=True):
        forbidden = old < -100
        assert torch.equal(parameter[forbidden], old[forbidden])
        assert not torch.equal(parameter[~forbidden], old[~forbidden])


def test_softmax_loss_is_the_sum_of_cross_entropies_and_unknown_costs_nothing():
    emissions = torch.randn(2, 3, 4)
    tags, mask = torch.tensor([[1, 2, 3], [0, 0, 0]]), torch.tensor([[True, True, True], [True, True, False]])
    unknown = torch.tensor([[False, True, False], [False, False, False]])
    logs = emissions.log_softmax(2)
    losses = SoftmaxChain(4).loss(emissions, tags, mask, unknown)
    torch.testing.assert_close(losses, -torch.stack([logs[0, 0, 1] + logs[0, 2, 3], logs[1, 0, 0] + logs[1, 1, 0]]))
