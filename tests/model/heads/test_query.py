"""The head of questions: its loss against loops, nested and crossing spans of one category."""

import math

import pytest
import torch

from config import load_config
from data.spans import Doubt, Span
from model.heads.query import QueryHead, span_scores
from model.layers.global_pointer import NO_SPAN, possible_spans

CATEGORIES = ["name", "place"]
LENGTHS = [6, 3]


@pytest.fixture
def head():
    torch.manual_seed(3)
    return QueryHead(load_config(), CATEGORIES, 5).eval()


@pytest.fixture
def mask():
    return torch.arange(max(LENGTHS)) < torch.tensor(LENGTHS)[:, None]


def random_scores(mask, seed=0):
    scores = 2 * torch.randn(2, 2, 8, 6, generator=torch.Generator().manual_seed(seed))
    scores[:, :, :2].masked_fill_(~mask[:, None, None], NO_SPAN)
    scores[:, :, 2:].masked_fill_(~possible_spans(mask), NO_SPAN)
    return scores


def cost(score, right):
    return math.log1p(math.exp(score)) - score * right


def loss_by_hand(scores, length, right, doubtful=None):
    """One text and question: scores (2 + L, L), spans as pairs, a doubtful stretch as a pair."""
    begins, ends, pairs = scores[0], scores[1], scores[2:]
    inside = set() if doubtful is None else set(range(doubtful[0], doubtful[1] + 1))
    total = 0.0
    for place in range(length):
        if place not in inside:
            total += cost(begins[place].item(), any(begin == place for begin, _ in right))
            total += cost(ends[place].item(), any(end == place for _, end in right))
    for begin in range(length):
        for end in range(begin, length):
            begun = begins[begin] > 0 or any(begin == other for other, _ in right)
            ended = ends[end] > 0 or any(end == other for _, other in right)
            if begun and ended and not {begin, end} <= inside:
                total += cost(pairs[begin, end].item(), (begin, end) in right)
    return total


def losses(head, scores, mask, spans, doubts=()):
    written = [head.labeller.write(spans, doubts, 6)[0], head.labeller.write([], [], 3)[0]]
    return head.losses(scores, mask, head.labeller.collate(written, 6))


SPANS = [Span("name", 0, 4), Span("name", 1, 2), Span("name", 2, 5), Span("place", 3, 3)]


def test_the_loss_is_that_of_begins_ends_and_pairs(head, mask):
    scores = random_scores(mask)
    right = [{(0, 4), (1, 2), (2, 5)}, {(3, 3)}]
    plain = sum(loss_by_hand(scores[0, question], 6, right[question]) for question in range(2))
    of_second = sum(loss_by_hand(scores[1, question], 3, set()) for question in range(2))
    expected = torch.tensor([plain, of_second])
    torch.testing.assert_close(losses(head, scores, mask, SPANS), expected, rtol=1e-4, atol=1e-4)
    doubted = loss_by_hand(scores[0, 0], 6, right[0], (1, 3)) + loss_by_hand(scores[0, 1], 6, right[1])
    found = losses(head, scores, mask, SPANS, [Doubt("name", 1, 3)])
    torch.testing.assert_close(found, torch.tensor([doubted, of_second]), rtol=1e-4, atol=1e-4)
    half = losses(head, scores, mask, SPANS, [Doubt("name", 1, 3, 0.5)])
    torch.testing.assert_close(half[0], torch.tensor((plain + doubted) / 2), rtol=1e-4, atol=1e-4)


def test_nested_and_crossing_spans_of_one_category_are_read(head, mask):
    scores = torch.full((2, 2, 8, 6), -4.0)
    for category, begin, end in SPANS:
        number = CATEGORIES.index(category)
        scores[0, number, 0, begin] = scores[0, number, 1, end] = 2.0
        scores[0, number, 2 + begin, end] = 3.0
    scores[0, 0, 2 + 0, 5] = -1.0  # begins and ends, and does not match
    found = head.decode(scores.clone(), mask)
    assert [one[:3] for one in found[0]] == sorted(SPANS, key=lambda span: (span.begin, span.end, span.category))
    assert all(one.probability == pytest.approx(1 / (1 + math.exp(-2))) for one in found[0])
    assert found[1] == []
    candidates = head.judge(scores, mask, [[Span("name", 0, 5)], []], 0.1, 6)[0]
    assert next(one.probability for one in candidates if one[:3] == ("name", 0, 5)) == pytest.approx(1 / (1 + math.e))


def test_a_span_is_as_sure_as_its_weakest_part(mask):
    scores = random_scores(mask, 4)
    weakest = span_scores(scores)
    for begin in range(6):
        for end in range(6):
            parts = scores[0, 1, 0, begin], scores[0, 1, 1, end], scores[0, 1, 2 + begin, end]
            assert weakest[0, 1, begin, end] == min(parts)


def test_scores_of_pads_are_those_of_no_span(head, mask):
    scores = head.scores(torch.randn(2, 2, 6, 5), mask)
    assert scores.shape == (2, 2, 8, 6)
    assert (scores[1, :, :2, 3:] == NO_SPAN).all() and (scores[1, :, 2:, 3:] == NO_SPAN).all()
    assert (scores[0, :, :2] > NO_SPAN).all()


def test_the_divergence_counts_every_coin_once(head, mask):
    one, other = random_scores(mask, 1), random_scores(mask, 2)
    expected = []
    for text, length in enumerate(LENGTHS):
        cells = [(row, place) for row in (0, 1) for place in range(length)]
        cells += [(2 + begin, end) for begin in range(length) for end in range(begin, length)]
        total = 0.0
        for question in range(2):
            for row, column in cells:
                p, q = (scores[text, question, row, column].sigmoid().item() for scores in (one, other))
                total += p * math.log(p / q) + (1 - p) * math.log((1 - p) / (1 - q))
        expected.append(total)
    torch.testing.assert_close(head.divergence(one, other, mask), torch.tensor(expected), rtol=1e-4, atol=1e-4)
