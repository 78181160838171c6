"""Pseudo-labels from votes."""

from config import PseudoConfig, load_config
from data.corpus.document import Document
from data.spans import Doubt, Span
from experiments.denoising.pseudo_labels import pseudo_label
from experiments.denoising.votes import Ballot, Tally

TEXT = "天地玄黄宇宙洪荒日月盈昃"


def labelled(spans, *changes, texts=1, **thresholds):
    pseudo = load_config([], ["data.train=x", *(f"pseudo.{one}" for one in changes)]).pseudo
    ballots = {"0": Ballot(10, {Span(*span): Tally(votes, 10, votes / 10) for span, votes in spans.items()})}
    return pseudo_label([Document(str(number), TEXT) for number in range(texts)], ballots, pseudo, **thresholds)


def test_thresholds_at_their_edges():
    spans = {("a", 0, 1): 9, ("a", 3, 4): 8, ("a", 6, 7): 2, ("a", 9, 9): 1, ("b", 0, 1): 2}
    (document,) = labelled(spans, "certain_from=0.9", "weight=0.3", uncertain_from=0.2)
    assert document.spans == (Span("a", 0, 1),)
    assert document.doubtful == (Doubt("b", 0, 1), Doubt("a", 3, 4), Doubt("a", 6, 7))
    assert document.weight == 0.3


def test_by_default_one_in_ten_is_masked():
    (document,) = labelled({("a", 0, 1): 9, ("a", 3, 4): 1, ("a", 6, 7): 0})
    assert (document.spans, document.doubtful) == ((Span("a", 0, 1),), (Doubt("a", 3, 4),))


def test_what_counts_is_the_probability_and_not_the_votes():
    ballots = {"0": Ballot(2, {Span("a", 0, 1): Tally(0, 2, 0.9), Span("a", 3, 4): Tally(2, 2, 0.5)})}
    (document,) = pseudo_label([Document("0", TEXT)], ballots, PseudoConfig())
    assert (document.spans, document.doubtful) == ((Span("a", 0, 1),), (Doubt("a", 3, 4),))


def test_a_pool_of_votes_is_what_counts_where_there_is_one():
    ballots = {"0": Ballot(2, {Span("a", 0, 1): Tally(0, 2, 0.3, 0.95), Span("a", 3, 4): Tally(2, 2, 0.95, 0.3)})}
    (document,) = pseudo_label([Document("0", TEXT)], ballots, PseudoConfig(), pooled=True)
    assert (document.spans, document.doubtful) == ((Span("a", 0, 1),), (Doubt("a", 3, 4),))


def test_of_certain_spans_that_overlap_one_is_a_label_and_the_other_no_doubt():
    """A doubt over a certain label would take it back."""
    spans = {("a", 0, 3): 5, ("a", 2, 5): 6, ("b", 2, 5): 5}
    (document,) = labelled(spans, "certain_from=0.5")
    assert (document.spans, document.doubtful) == ((Span("a", 2, 5), Span("b", 2, 5)), ())


def test_texts_in_which_nothing_is_certain_or_that_nobody_read_are_left_out():
    assert labelled({("a", 0, 1): 8}) == []
    assert [document.id for document in labelled({("a", 0, 1): 10}, texts=3)] == ["0"]
