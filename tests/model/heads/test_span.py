"""The span head: its loss against loops over all spans, what it reads, and what it makes of doubts."""

import math

import pytest
import torch

from config import load_config
from data.spans import Doubt, ScoredSpan, Span
from model.heads import span as span_head
from model.heads.span import SpanHead
from model.layers.global_pointer import NO_SPAN, possible_spans

CATEGORIES = ["name", "place"]
LENGTHS = [7, 4]


@pytest.fixture
def head():
    torch.manual_seed(3)
    return SpanHead(load_config(), CATEGORIES, 6).eval()


@pytest.fixture
def mask():
    return torch.arange(max(LENGTHS)) < torch.tensor(LENGTHS)[:, None]


def random_scores(mask, seed=0):
    scores = 2 * torch.randn(len(LENGTHS), 2, 7, 7, generator=torch.Generator().manual_seed(seed))
    return scores.masked_fill(~possible_spans(mask), NO_SPAN)


def labels_of(head, texts, mask):
    written = [head.labeller.write(*text, length) for text, length in zip(texts, LENGTHS, strict=True)]
    assert not any(lost for _, lost in written)
    return head.labeller.collate([labels for labels, _ in written], mask.shape[1])


def loss_by_hand(scores, length, right, ignored):
    """One text, one category: scores (L, L)."""
    of_right = of_others = 1.0
    for begin in range(length):
        for end in range(begin, length):
            if (begin, end) in ignored:
                continue
            score = scores[begin, end].item()
            if (begin, end) in right:
                of_right += math.exp(-score)
            else:
                of_others += math.exp(score)
    return math.log(of_right) + math.log(of_others)


NESTED = [Span("name", 0, 5), Span("name", 1, 2), Span("name", 2, 4), Span("place", 1, 2)]


def test_the_loss_is_that_of_all_spans_one_by_one(head, mask):
    doubts = [Doubt("place", 3, 5), Doubt("*", -2, 0)]
    in_doubt = Span("place", 4, 4)
    labels = labels_of(head, [([*NESTED, in_doubt], doubts), ([Span("place", 3, 3)], [])], mask)
    scores = random_scores(mask)
    inside = {(begin, end) for begin in range(3, 6) for end in range(begin, 6)}
    expected = [
        loss_by_hand(scores[0, 0], 7, {(0, 5), (1, 2), (2, 4)}, {(0, 0)})
        + loss_by_hand(scores[0, 1], 7, {(1, 2), (4, 4)}, inside | {(0, 0)}),
        loss_by_hand(scores[1, 0], 4, set(), set()) + loss_by_hand(scores[1, 1], 4, {(3, 3)}, set()),
    ]
    torch.testing.assert_close(head.losses(scores, mask, labels), torch.tensor(expected), rtol=1e-4, atol=1e-4)
    mean = head.loss(scores, mask, labels, torch.tensor([1.0, 0.5]))
    assert mean.item() == pytest.approx((expected[0] + 0.5 * expected[1]) / 11, rel=1e-4)


def test_believed_doubts_count_in_part(head, mask):
    def loss(*doubts):
        labels = labels_of(head, [(NESTED, doubts), ([], [])], mask)
        return head.losses(random_scores(mask), mask, labels)

    half = loss(Doubt("name", 0, 5, 0.5))
    torch.testing.assert_close(half, (loss(Doubt("name", 0, 5)) + loss()) / 2)
    torch.testing.assert_close(loss(Doubt("name", 0, 5, 1.0)), loss())


def test_spans_that_overlap_within_a_category_are_all_read(head, mask):
    scores = torch.full((2, 2, 7, 7), -5.0).masked_fill(~possible_spans(mask), NO_SPAN)
    for category, begin, end in NESTED:
        scores[0, CATEGORIES.index(category), begin, end] = 3.0
    found = head.decode(scores, mask)
    assert found == [
        [ScoredSpan(*span, pytest.approx(1 / (1 + math.exp(-3))))
         for span in sorted(NESTED, key=lambda span: (span.begin, span.end, span.category))],
        [],
    ]  # fmt: skip


@pytest.mark.parametrize(("least", "longest"), [(0.1, 7), (0.4, 2), (0.9, 7)])
def test_candidates_are_all_that_are_likely_found_or_asked_for(head, mask, least, longest, monkeypatch):
    monkeypatch.setattr(span_head, "CANDIDATES", 1000)
    scores = random_scores(mask, 5)
    asked = [[Span("place", 0, 6)], []]
    for text, candidates in enumerate(head.judge(scores, mask, asked, least, longest)):
        expected = {}
        for number, category in enumerate(CATEGORIES):
            for begin in range(LENGTHS[text]):
                for end in range(begin, LENGTHS[text]):
                    score = scores[text, number, begin, end].item()
                    probability = 1 / (1 + math.exp(-score))
                    likely = probability >= least and end - begin < longest
                    if likely or score > 0 or Span(category, begin, end) in asked[text]:
                        expected[category, begin, end] = (pytest.approx(probability, rel=1e-4), score > 0)
        assert {one[:3]: one[3:] for one in candidates} == expected
        assert [one[:3] for one in candidates] == sorted(expected, key=lambda span: (span[1], span[2], span[0]))


def test_the_divergence_is_that_of_as_many_coins(head, mask):
    one, other = random_scores(mask, 1), random_scores(mask, 2)
    expected = [0.0, 0.0]
    for text, length in enumerate(LENGTHS):
        for category in range(2):
            for begin in range(length):
                for end in range(begin, length):
                    p, q = (scores[text, category, begin, end].sigmoid().item() for scores in (one, other))
                    expected[text] += p * math.log(p / q) + (1 - p) * math.log((1 - p) / (1 - q))
    torch.testing.assert_close(head.divergence(one, other, mask), torch.tensor(expected), rtol=1e-4, atol=1e-4)
    assert head.divergence(one, one, mask).abs().max() < 1e-5


def test_of_too_many_candidates_the_likely_ones_stay(head, mask, monkeypatch):
    scores, nothing = random_scores(mask, 5), [[], []]
    monkeypatch.setattr(span_head, "CANDIDATES", 2)
    few = head.judge(scores, mask, nothing, 0.1, 7)
    monkeypatch.setattr(span_head, "CANDIDATES", 1000)
    for kept, every, length in zip(few, head.judge(scores, mask, nothing, 0.1, 7), mask.sum(dim=1), strict=True):
        assert len(every) > 2 * length, "or the test shows nothing"
        likely = sorted((one.probability for one in every), reverse=True)[: 2 * length]
        assert sorted((one.probability for one in kept), reverse=True) == likely
