"""Candidates: every span worth a thought, against the enumeration of all spans."""

import pytest
import torch

from data.batches.tags import TagScheme
from data.spans import Span
from model.heads import chain_decoding
from model.heads.chain_decoding import ChainDecoder
from model.layers.crf import ChainCRF, TaggedSpans, span_log_probabilities

SCHEMES = [TagScheme("per_type", ["a", "b"]), TagScheme("bmes", ["a", "b"])]
LENGTHS = [7, 4]


@pytest.fixture(params=SCHEMES, ids=lambda scheme: scheme.name)
def reading(request):
    """A decoder with random transitions; emissions and mask of two texts."""
    scheme = request.param
    torch.manual_seed(4)
    crf = ChainCRF(scheme)
    with torch.no_grad():
        for parameter in crf.parameters():
            parameter[parameter > -100] = torch.randn_like(parameter[parameter > -100])
    emissions = 2 * torch.randn(len(LENGTHS), scheme.num_chains, max(LENGTHS), scheme.num_tags)
    mask = torch.arange(max(LENGTHS)) < torch.tensor(LENGTHS)[:, None]
    return ChainDecoder(scheme, crf), emissions, mask


@torch.no_grad()
def probability_of(decoder, emissions, mask, text, span):
    code = decoder.scheme.tags_of(span.category)
    row = [text * decoder.scheme.num_chains + code.chain, span.begin, span.end, *code[1:]]
    spans = TaggedSpans(*torch.tensor([row]).unbind(1))
    opening = torch.from_numpy(decoder.scheme.opening())
    flat, chains = emissions.flatten(0, 1), mask.repeat_interleave(decoder.scheme.num_chains, dim=0)
    return span_log_probabilities(flat, chains, decoder.crf.scores, spans, opening).exp().item()


def all_spans(decoder, text, longest):
    length = LENGTHS[text]
    return [Span(category, begin, end) for begin in range(length) for end in range(begin, length)
            for category in decoder.scheme.categories if end - begin < longest]  # fmt: skip


@pytest.mark.parametrize("least", [0.02, 0.2])
@pytest.mark.parametrize("longest", [2, 7])
def test_candidates_are_all_that_are_likely_and_all_that_were_found(reading, least, longest, monkeypatch):
    monkeypatch.setattr(chain_decoding, "CANDIDATES", 1000)
    decoder, emissions, mask = reading
    best = decoder.decode(emissions, mask)
    candidates = decoder.judge(emissions, mask, [[], []], least, longest)
    assert any(best)
    for text, own in enumerate(candidates):
        found = {(one.category, one.begin, one.end): one.probability for one in best[text]}
        expected = {span for span in all_spans(decoder, text, longest)
                    if probability_of(decoder, emissions, mask, text, span) >= least} | set(found)  # fmt: skip
        assert {one[:3] for one in own} == expected
        assert [one[:3] for one in own] == sorted(expected, key=lambda span: (span[1], span[2], span[0]))
        for one in own:
            assert one.found == (one[:3] in found)
            assert one.probability == pytest.approx(
                probability_of(decoder, emissions, mask, text, Span(*one[:3])), rel=1e-4, abs=1e-6
            )


def test_what_is_asked_is_judged_however_unlikely(reading):
    decoder, emissions, mask = reading
    asked = [all_spans(decoder, 0, 7), [Span("b", 0, 3)]]
    candidates = decoder.judge(emissions, mask, asked, 1.0, 7)
    assert {one[:3] for one in candidates[0]} == set(asked[0])
    assert Span("b", 0, 3) in {one[:3] for one in candidates[1]}
    assert sum(one.probability < 0.01 for one in candidates[0]) > 10


def test_of_too_many_candidates_the_likely_ones_stay(reading, monkeypatch):
    """A network that has learned nothing finds every span likely. What is asked for and what is found stays in."""
    decoder, emissions, mask = reading
    flat = emissions / 100
    asked = [[Span(decoder.scheme.categories[0], 0, 3)], []]
    every = decoder.judge(flat, mask, asked, 1e-6, 7)
    few = decoder.judge(flat, mask, asked, 1e-6, 7)
    monkeypatch.setattr(chain_decoding, "CANDIDATES", 1000)
    every = decoder.judge(flat, mask, asked, 1e-6, 7)
    found = [{span[:3] for span in spans} for spans in decoder.decode(flat, mask)]
    for kept, of_text, best, own, length in zip(few, every, found, asked, mask.sum(dim=1).tolist(), strict=True):
        probability = {one[:3]: one.probability for one in of_text}
        must = best | {tuple(span) for span in own}
        assert must <= {one[:3] for one in kept} <= set(probability)
        assert len(kept) <= 4 * length + len(must)
        assert all(one.probability == pytest.approx(probability[one[:3]], abs=1e-6) for one in kept)
