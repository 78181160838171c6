"""What heads say before they have learned anything."""

import pytest
import torch

from config import load_config
from data.batches.tags import OUTSIDE
from model.heads.chains import ChainHead
from model.heads.query import QueryHead
from model.heads.span import SpanHead
from model.layers.crf import log_partition
from model.layers.global_pointer import possible_spans

CATEGORIES = ["name", "place", "mail"]
STATES = torch.zeros(2, 5, 8)  # of which nothing is known
MASK = torch.ones(2, 5, dtype=torch.bool)


def untrained(kind, *changes):
    torch.manual_seed(3)
    return kind(load_config([], changes), CATEGORIES, 8).eval()


@pytest.mark.parametrize("scheme", ["per_type", "bmes"])
@pytest.mark.parametrize("prior", [0.01, 0.2])
def test_every_chain_holds_every_character_for_outside_but_for_the_prior(scheme, prior):
    head = untrained(ChainHead, "model.head=softmax", f"crf.scheme={scheme}", f"model.prior={prior}")
    outside = head.scores(STATES, MASK).softmax(dim=3)[..., OUTSIDE]  # (B, K, L)
    assert torch.allclose(outside, torch.full_like(outside, 1 - prior))


@pytest.mark.parametrize("scheme", ["per_type", "bmes"])
def test_a_crf_hardly_changes_that(scheme):
    head = untrained(ChainHead, f"crf.scheme={scheme}", "model.prior=0.01")
    emissions = head.scores(STATES, MASK).flatten(0, 1).detach().requires_grad_()
    log_partition(emissions, head.chain_mask(MASK), head.crf.scores).sum().backward()  # its gradients are marginals
    inside = 1 - emissions.grad[..., OUTSIDE]
    assert inside.min() > 0 and inside.max() < 0.011


def test_a_span_head_holds_every_span_for_none_but_for_the_prior():
    head = untrained(SpanHead, "model.prior=0.05")
    scores = head.scores(STATES, MASK)
    of_spans = scores.sigmoid()[possible_spans(MASK).expand_as(scores)]
    # What stands where moves it a little: queries and keys have biases of their own.
    assert torch.allclose(of_spans, torch.full_like(of_spans, 0.05), atol=0.02)


def test_a_question_holds_every_character_for_neither_begin_nor_end_but_for_the_prior():
    head = untrained(QueryHead, "model.prior=0.05")
    ends = head.scores(STATES.unsqueeze(1), MASK)[:, :, :2].sigmoid()
    assert torch.allclose(ends, torch.full_like(ends, 0.05))


@pytest.mark.parametrize("kind", [ChainHead, SpanHead, QueryHead])
def test_without_a_prior_all_is_as_drawn_and_with_one_only_biases_are_not(kind):
    drawn, given = untrained(kind).state_dict(), untrained(kind, "model.prior=0.01").state_dict()
    changed = {name for name in drawn if not torch.equal(drawn[name], given[name])}
    assert changed == {ChainHead: {"emission.bias"}, SpanHead: {"pointer.kinds.bias"}, QueryHead: {"ends.bias"}}[kind]
    assert all(drawn[name].any() for name in changed)
