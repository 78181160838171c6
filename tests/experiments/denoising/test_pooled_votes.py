"""Votes are pooled by weights that fit gold labels, one fold of each system at a time."""

import math
import random

import pytest

from config import DenoiseConfig
from data.corpus.document import Document
from data.spans import Span
from experiments.denoising.decisions import decide
from experiments.denoising.pooled_votes import VotePool, fit_vote_pool, with_pooled
from experiments.denoising.votes import Ballot, Tally
from utils.errors import UserError

PLACES = [Span("name", place, place + 1) for place in range(0, 40, 2)]


def ballots_of(documents, knows, seed):
    """Votes that agree with the truth as often as `knows`, all with probability 0.8 or 0.2."""
    draw = random.Random(seed)
    ballots = {}
    for document in documents:
        said = {span: 0.8 if (span in document.spans) == (draw.random() < knows) else 0.2 for span in PLACES}
        ballots[document.id] = Ballot(1, {span: Tally(int(p > 0.5), 1, p) for span, p in said.items()})
    return ballots


@pytest.fixture
def gold():
    draw = random.Random(1)
    return [Document(str(number), "字" * 40, tuple(span for span in PLACES if draw.random() < 0.5))
            for number in range(30)]  # fmt: skip


def test_a_system_that_knows_more_weighs_more_and_the_pool_is_calibrated(gold):
    folds = [{"good": ballots_of(gold, 0.9, seed), "guess": ballots_of(gold, 0.5, 10 + seed)} for seed in range(3)]
    pool = fit_vote_pool(gold, folds)
    # A vote of 0.8 that is right nine times of ten has log odds log 9, where 0.8 has log 4.
    assert pool.weights["good"] == pytest.approx(math.log(9) / math.log(4), abs=0.15)
    assert pool.weights["guess"] == pytest.approx(0, abs=0.1)
    assert pool.categories == {"good": ["name"], "guess": ["name"]}


def test_the_pooled_probability_is_the_formula(gold):
    good, guess = ballots_of(gold, 0.9, 1), ballots_of(gold, 0.5, 2)
    del guess["0"].spans[PLACES[0]]  # not recorded, which counts as the floor of the pool
    both = {identity: Ballot(2, {span: Tally(0, 2, 0.5) for span in PLACES}) for identity in good}
    pool = VotePool({"good": 1.5, "guess": 0.25}, {"good": ["name"], "guess": ["name"]}, -0.5)
    pooled = with_pooled(both, {"good": good, "guess": guess}, pool)
    for identity, ballot in pooled.items():
        for span, tally in ballot.spans.items():
            first, second = good[identity].of(span).probability, guess[identity].of(span).probability or 0.02
            z = -0.5 + 1.5 * math.log(first / (1 - first)) + 0.25 * math.log(second / (1 - second))
            assert tally.pooled == pytest.approx(1 / (1 + math.exp(-z)))
            assert (tally.votes, tally.probability) == (0, 0.5), "the rest of the ballot stays"


def test_labels_judged_only_because_they_are_labels_do_not_count(gold):
    plain = [{"good": ballots_of(gold, 0.9, 1)}]
    asked = [{"good": ballots_of(gold, 0.9, 1)}]
    for ballot in asked[0]["good"].values():
        ballot.spans[Span("name", 1, 1)] = Tally(0, 1, 0.001)
    assert fit_vote_pool(gold, plain) == fit_vote_pool(gold, asked)


def test_the_pooled_finder_compares_the_pooled_probability(gold):
    document = gold[0]
    missing = next(span for span in PLACES if span not in document.spans)
    ballots = {document.id: Ballot(2, {missing: Tally(0, 2, 0.2, 0.7)})}
    found = decide([document], ballots, ["name"], DenoiseConfig(finder="pooled", missing_from=0.6))
    assert [(one.span, one.share) for one in found] == [(missing, 0.7)]
    assert not decide([document], ballots, ["name"], DenoiseConfig(missing_from=0.6))


def test_a_pool_is_written_and_read(tmp_path):
    pool = VotePool({"flat": 0.5, "forms": 0.25}, {"flat": ["name"], "forms": ["book", "name"]}, -0.1)
    pool.write(tmp_path / "pool.json")
    assert VotePool.read(tmp_path / "pool.json") == pool
    (tmp_path / "pool.json").write_text("{")
    with pytest.raises(UserError, match="damaged"):
        VotePool.read(tmp_path / "pool.json")
