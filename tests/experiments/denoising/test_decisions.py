"""What is doubtful, what is missing, and what becomes of it."""

import pytest

from config import DenoiseConfig, load_config
from data.corpus.document import Document
from data.spans import Doubt, Span
from experiments.denoising.decisions import Decision, apply_decisions, decide, label_support
from experiments.denoising.votes import Ballot, Tally

TEXT = "天地玄黄宇宙洪荒日月盈昃"
LABEL, OTHER = Span("name", 0, 1), Span("place", 4, 6)


def settings(*changes):
    """Thresholds on the votes alone, half of them, unless changed."""
    return load_config([], ["data.train=x", "denoise.finder=votes", "denoise.doubtful_below=0.5",
                            *(f"denoise.{one}" for one in changes)]).denoise  # fmt: skip


def found(spans, ballot, *changes, unsupported_below=1.0):
    """(kind, span) of the decisions on one document; not to be found is evidence enough, unless changed."""
    document = Document("0", TEXT, tuple(spans))
    decisions = decide([document], {"0": ballot}, ["name", "place"], settings(*changes), unsupported_below)
    return [(one.kind, one.span) for one in decisions]


def ballot(**votes):
    """Of four voters: a span's name is its category, begin and end."""
    spans = {}
    for name, count in votes.items():
        category, begin, end = name.split("_")
        spans[Span(category, int(begin), int(end))] = Tally(count, 4, count / 4)
    return Ballot(4, spans)


@pytest.mark.parametrize("finder", ["votes", "probability"])
def test_thresholds_at_their_edges(finder):
    for votes, doubtful, missing in ((0, True, False), (1, True, False), (2, False, True), (4, False, True)):
        changes = (f"finder={finder}", "doubtful_below=0.5", "missing_from=0.5")
        own = ballot(name_0_1=votes)
        assert found([LABEL], own, *changes) == ([("doubtful", LABEL)] if doubtful else [])
        assert found([], own, *changes) == ([("missing", LABEL)] if missing else [])
    assert found([LABEL], ballot(name_0_1=0), "doubtful_below=0") == []
    assert found([], ballot(name_0_1=4), "missing_from=1") == [("missing", LABEL)]
    assert found([], ballot(name_0_1=3), "missing_from=1") == []


def test_votes_and_probabilities_are_different_things():
    one = Ballot(2, {LABEL: Tally(2, 2, 0.4)})
    assert found([LABEL], one, "finder=votes") == []
    assert found([LABEL], one, "finder=probability") == [("doubtful", LABEL)]


def test_what_voters_think_of_labels_at_large():
    documents = [Document("0", TEXT, (LABEL, OTHER)), Document("1", TEXT, (LABEL,)), Document("2", TEXT, ())]
    ballots = {"0": ballot(name_0_1=3, name_7_8=4), "2": ballot(name_0_1=4)}
    assert label_support(documents, ballots) == pytest.approx((0.75 + 0 + 0) / 3), "spans without a label do not count"
    assert label_support(documents[2:], ballots) == 0


def test_not_finding_a_label_is_no_evidence_by_itself():
    own = Ballot(4, {LABEL: Tally(0, 4, 0.01), OTHER: Tally(0, 4, 0.01), Span("name", 5, 8): Tally(3, 4, 0.75)})
    assert set(found([LABEL, OTHER], own)) == {
        ("doubtful", LABEL), ("doubtful", OTHER), ("missing", Span("name", 5, 8))
    }  # fmt: skip
    strict = {"unsupported_below": 0.001}
    assert set(found([LABEL, OTHER], own, **strict)) == {("doubtful", OTHER), ("missing", Span("name", 5, 8))}
    assert found([LABEL, OTHER], own, "missing_from=0.8", **strict) == []
    own.spans[LABEL] = Tally(0, 4, 0.0005)
    assert found([LABEL], own, "missing_from=0.8", **strict) == [("doubtful", LABEL)], "practically impossible"
    assert found([LABEL], own, "missing_from=0.8", unsupported_below=0.0005) == []
    own.spans[OTHER] = Tally(2, 4, 0.5)
    assert ("doubtful", OTHER) not in found([OTHER], own, **strict), "a label with enough votes stands beside others"


@pytest.mark.parametrize(("probability", "doubtful"), [(2e-4, False), (5e-5, True)])
def test_by_default_a_label_is_unsupported_below_one_in_ten_thousand(probability, doubtful):
    document, own = Document("0", TEXT, (LABEL,)), Ballot(4, {LABEL: Tally(0, 4, probability)})
    decisions = decide([document], {"0": own}, ["name"], settings())
    assert [(one.kind, one.span) for one in decisions] == ([("doubtful", LABEL)] if doubtful else [])


def test_a_category_has_its_own_threshold():
    own = ballot(name_0_1=3, place_4_6=3)
    assert found([], own, "missing_from_of={name: 0.8}") == [("missing", OTHER)]
    assert found([], ballot(name_0_1=4), "missing_from_of={name: 0.8}") == [("missing", LABEL)]


def test_a_wrong_type_and_a_wrong_bound_are_both_doubtful_and_missing():
    rather = Span("place", 0, 1)
    assert set(found([LABEL], ballot(name_0_1=0, place_0_1=4))) == {("doubtful", LABEL), ("missing", rather)}
    longer = Span("name", 0, 2)
    assert set(found([LABEL], ballot(name_0_1=1, name_0_2=3))) == {("doubtful", LABEL), ("missing", longer)}


def test_a_missing_span_never_takes_the_place_of_a_label_that_stands():
    own = ballot(name_0_1=2, name_0_2=2, name_1_3=4)
    assert found([LABEL], own) == []
    assert found([LABEL], own, "doubtful_below=0.6") == [("missing", Span("name", 1, 3)), ("doubtful", LABEL)]


def test_of_missing_spans_that_overlap_the_one_with_most_votes_counts():
    own = ballot(name_0_1=2, name_1_3=3, place_0_1=2, name_3_4=2, name_4_5=2)
    assert found([], own) == [("missing", Span("name", 1, 3)), ("missing", Span("name", 4, 5))]


def test_what_overlaps_a_label_of_another_category_is_missing_only_if_that_is_doubtful():
    over = Span("place", 1, 3)
    assert found([LABEL], ballot(name_0_1=2, place_1_3=4, place_0_1=4)) == []
    assert found([LABEL], ballot(name_0_1=1, place_1_3=4)) == [("missing", over), ("doubtful", LABEL)]


def test_what_nobody_judged_is_left_alone():
    assert found([LABEL], Ballot(4, {})) == []
    document = Document("0", TEXT, (LABEL,))
    assert decide([document], {}, ["name"], settings()) == []
    assert decide([document], {"1": ballot(name_0_1=0)}, ["name"], settings()) == []


def test_most_certain_first():
    documents = [Document("0", TEXT, (LABEL,)), Document("1", TEXT, (LABEL, OTHER))]
    ballots = {"0": ballot(name_0_1=1, place_4_6=2), "1": ballot(name_0_1=0, place_4_6=1, name_8_9=4)}
    decisions = decide(documents, ballots, ["name", "place"], settings("doubtful=remove", "missing=add"), 1.0)
    certainties = [one.certainty for one in decisions]
    assert certainties == sorted(certainties, reverse=True) == [1, 1, 0.75, 0.75, 0.5]
    assert {(one.document, one.kind, one.span, one.action) for one in decisions} == {
        ("0", "doubtful", LABEL, "remove"), ("0", "missing", OTHER, "add"), ("1", "doubtful", LABEL, "remove"),
        ("1", "doubtful", OTHER, "remove"), ("1", "missing", Span("name", 8, 9), "add"),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("action", "spans", "doubtful"),
    [
        ("keep", {LABEL, OTHER}, set()),
        ("mask", {LABEL, OTHER}, {Doubt("name", 0, 1)}),
        ("mask_all", {LABEL, OTHER}, {Doubt("*", 0, 1)}),
        ("weight", {LABEL, OTHER}, {Doubt("name", 0, 1, 0.25)}),
        ("remove", {OTHER}, set()),
    ],
)
def test_what_becomes_of_a_doubtful_label(action, spans, doubtful):
    (cleaned,) = apply_decisions([Document("0", TEXT, (LABEL, OTHER))], [decision("doubtful", LABEL, action)])
    assert (set(cleaned.spans), set(cleaned.doubtful)) == (spans, doubtful)
    assert list(cleaned.spans) == sorted(spans, key=lambda span: span.begin)


@pytest.mark.parametrize(
    ("action", "spans", "doubtful"),
    [
        ("ignore", {OTHER}, set()),
        ("mask", {OTHER}, {Doubt("name", 0, 1)}),
        ("mask_all", {OTHER}, {Doubt("*", 0, 1)}),
        ("weight", {LABEL, OTHER}, {Doubt("name", 0, 1, 0.25)}),
        ("add", {LABEL, OTHER}, set()),
    ],
)
def test_what_becomes_of_a_missing_span(action, spans, doubtful):
    (cleaned,) = apply_decisions([Document("0", TEXT, (OTHER,))], [decision("missing", LABEL, action)])
    assert (set(cleaned.spans), set(cleaned.doubtful)) == (spans, doubtful)


def decision(kind, span, action, document="0"):
    return Decision(document, kind, span, Tally(1, 4, 0.25), 0.25, action)


LONG, SHORT = Span("name", 0, 2), Span("name", 0, 1)  # of a wrong bound: what was labelled, and what the votes see


@pytest.mark.parametrize(("doubted", "seen"), [(LONG, SHORT), (SHORT, LONG)])
@pytest.mark.parametrize(
    ("doubtful", "missing", "labels", "doubts"),
    [
        ("weight", "weight", "seen", "seen"),
        ("mask", "add", "seen", ""),
        ("remove", "weight", "seen", "seen"),
        ("keep", "weight", "doubted", ""),
        ("keep", "add", "doubted", ""),
        ("keep", "mask", "doubted", ""),
        ("weight", "mask", "doubted", "both"),
        ("mask", "ignore", "doubted", "doubted"),
    ],
)
def test_of_a_doubtful_label_and_what_is_seen_in_its_place_one_is_left(
    doubted, seen, doubtful, missing, labels, doubts
):
    of = {"": set(), "seen": {seen}, "doubted": {doubted}, "both": {seen, doubted}}
    decisions = [decision("doubtful", doubted, doubtful), decision("missing", seen, missing)]
    for order in (decisions, decisions[::-1]):
        (cleaned,) = apply_decisions([Document("0", TEXT, (doubted,))], order)
        assert set(cleaned.spans) == of[labels]
        assert {Span(*doubt[:3]) for doubt in cleaned.doubtful} == of[doubts]


@pytest.mark.parametrize(
    ("action", "spans", "doubtful"),
    [
        ("keep", [Span("name", 0, 2)], []),
        ("remove", [], []),
        ("mask", [Span("name", 0, 2)], [Doubt("name", 0, 2)]),
        ("weight", [Span("name", 0, 2)], [Doubt("name", 0, 2, 0.25)]),
    ],
)
def test_a_corrected_label_takes_the_place_of_the_one_that_stands(action, spans, doubtful):
    moved = decision("doubtful", Span("name", 0, 2), action)._replace(corrected=LABEL)
    (cleaned,) = apply_decisions([Document("0", TEXT, (LABEL,))], [moved])
    assert (list(cleaned.spans), list(cleaned.doubtful)) == (spans, doubtful)


@pytest.mark.parametrize("action", ["add", "mask"])
def test_beside_a_label_whose_row_was_deleted_nothing_is_missing(action):
    document = Document("0", TEXT, (LABEL,))
    assert apply_decisions([document], [decision("missing", Span("name", 1, 3), action)]) == [document]


def test_a_label_of_another_category_does_not_give_way():
    other = Span("place", 0, 1)
    decisions = [decision("doubtful", other, "weight"), decision("missing", LABEL, "weight")]
    (cleaned,) = apply_decisions([Document("0", TEXT, (other,))], decisions)
    assert set(cleaned.spans) == {other, LABEL} and len(cleaned.doubtful) == 2


def test_other_documents_and_earlier_doubts_stay():
    doubt = Doubt("place", 8, 9)
    documents = [Document("0", TEXT, (LABEL,), (doubt,), 0.5), Document("1", TEXT, (LABEL,))]
    cleaned = apply_decisions(documents, [decision("doubtful", LABEL, "mask")])
    assert cleaned == [Document("0", TEXT, (LABEL,), (Doubt("name", 0, 1), doubt), 0.5), documents[1]]
    assert documents[0].doubtful == (doubt,)


def test_confidence_sets_its_own_thresholds():
    labels = [Span("name", 0, 1), Span("name", 4, 5), Span("name", 8, 9)]
    place = Span("place", 10, 11)
    documents = [Document(str(number), TEXT, (*labels, place)) for number in range(3)]
    sure, wrong = Tally(1, 1, 0.9), Tally(0, 1, 0.02)
    ballots = {str(number): Ballot(1, dict.fromkeys((*labels, place), sure)) for number in range(3)}
    ballots["1"].spans[labels[1]] = wrong
    ballots["1"].spans[Span("place", 4, 5)] = Tally(1, 1, 0.95)
    ballots["2"].spans[labels[2]] = wrong
    ballots["0"].spans[Span("name", 6, 7)] = Tally(1, 1, 0.97)
    ballots["0"].spans[Span("name", 2, 3)] = Tally(0, 1, 0.3)
    decisions = decide(documents, ballots, ["name", "place"], settings("finder=confidence", "missing_from=1"))
    assert [(one.document, one.kind, one.span) for one in decisions] == [
        ("1", "doubtful", labels[1]), ("2", "doubtful", labels[2]), ("0", "missing", Span("name", 6, 7)),
        ("1", "missing", Span("place", 4, 5)),
    ]  # fmt: skip


@pytest.mark.parametrize(("probability", "doubtful"), [(0.01, True), (0.03, False)])
def test_a_watched_network_doubts_alone_what_it_finds_improbable_after_being_taught_it(probability, doubtful):
    document, own = Document("0", TEXT, (LABEL,)), Ballot(4, {LABEL: Tally(0, 4, probability)})
    watched = decide([document], {"0": own}, ["name"], DenoiseConfig(finder="dynamics", doubtful_below=0.2))
    assert [one.kind for one in watched] == ["doubtful"] * doubtful
    assert not decide([document], {"0": own}, ["name"], DenoiseConfig(doubtful_below=0.2)), "folds must be surer"
