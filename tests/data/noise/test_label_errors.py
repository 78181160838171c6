import random
from dataclasses import fields

import pytest

from data.corpus.document import Document
from data.noise.label_errors import ERROR_KINDS, LabelError, count_errors, label_errors
from data.noise.noise import NoiseRates, add_noise
from data.sample.sample import make_documents
from data.spans import Span

NAME = Span("name", 4, 7)


@pytest.fixture(scope="module")
def documents():
    return make_documents(300, 7, "train")  # some 2,800 spans


@pytest.mark.parametrize(
    ("noisy", "kinds"),
    [
        (NAME, None),
        (Span("book", 4, 7), ("type",)),
        (Span("name", 4, 8), ("boundary",)),
        (Span("name", 7, 12), ("boundary",)),
        (Span("name", 0, 20), ("boundary",)),
        (Span("book", 3, 7), ("type", "boundary")),
    ],
)
def test_a_span_in_the_place_of_a_true_one(noisy, kinds):
    found = label_errors([NAME], [noisy])
    assert found == ([LabelError(NAME, noisy)] if kinds else [])
    assert [error.kinds for error in found] == ([kinds] if kinds else [])


@pytest.mark.parametrize("noisy", [Span("name", 8, 9), Span("name", 3, 3), Span("book", 8, 8)])
def test_a_span_beside_a_true_one_is_another(noisy):
    found = label_errors([NAME], [noisy])
    assert {(error.true, error.noisy, error.kinds) for error in found} == {
        (NAME, None, ("missing",)),
        (None, noisy, ("spurious",)),
    }
    places = [(error.true or error.noisy).begin for error in found]
    assert places == sorted(places)


def test_the_likest_are_paired_first():
    long, short = Span("address", 0, 9), Span("company", 3, 6)
    # One kind of error before two, though the other place has more in common.
    assert label_errors([long, short], [Span("company", 0, 8)]) == [
        LabelError(long, None), LabelError(short, Span("company", 0, 8)),
    ]  # fmt: skip
    # Of two that differ alike, the one with more in common.
    assert label_errors([long, short], [Span("name", 3, 7)]) == [
        LabelError(long, None), LabelError(short, Span("name", 3, 7)),
    ]  # fmt: skip
    # No true span stands for two.
    assert label_errors([long], [Span("address", 0, 8), Span("address", 1, 4)]) == [
        LabelError(long, Span("address", 0, 8)), LabelError(None, Span("address", 1, 4)),
    ]  # fmt: skip


def test_of_equal_ones_the_first_are_paired_whatever_the_order_of_sets():
    others = [Span(category, 4, 7) for category in "abcdefgh"]
    assert LabelError(NAME, others[0]) in label_errors([NAME], others)
    assert LabelError(others[0], NAME) in label_errors(others, [NAME])


def test_the_category_is_the_true_one_or_that_of_a_spurious_span():
    assert LabelError(NAME, Span("book", 4, 7)).category == LabelError(NAME, None).category == "name"
    assert LabelError(None, Span("book", 4, 7)).category == "book"


@pytest.mark.parametrize("seed", range(20))
def test_every_difference_is_told_once_in_any_order_of_the_spans(seed):
    draw = random.Random(seed)

    def spans():
        begins = [draw.randrange(30) for _ in range(draw.randrange(9))]
        return {Span(draw.choice("abc"), begin, begin + draw.randrange(5)) for begin in begins}

    true, noisy = spans(), spans()
    found = label_errors(true, noisy)
    assert label_errors(sorted(true, reverse=True), sorted(noisy)) == found
    for own, other, told in (
        (true, noisy, [error.true for error in found if error.true]),
        (noisy, true, [error.noisy for error in found if error.noisy]),
    ):
        assert len(told) == len(set(told)) and set(told) == own - other
    for error in found:
        if error.true and error.noisy:
            assert set(range(error.true.begin, error.true.end + 1)) & set(range(error.noisy.begin, error.noisy.end + 1))
    missing = [error.true for error in found if not error.noisy]
    spurious = [error.noisy for error in found if not error.true]
    assert not any(one.begin <= other.end and other.begin <= one.end for one in missing for other in spurious)
    places = [((error.true or error.noisy).begin, (error.true or error.noisy).end) for error in found]
    assert places == sorted(places)


@pytest.mark.parametrize("kind", ERROR_KINDS)
def test_noise_of_one_kind_is_told_as_that_kind(documents, kind):
    noisy = add_noise(documents, NoiseRates(**{kind: 0.3}), 1)
    counts = count_errors(documents, noisy)
    changed = sum(
        len(set(before.spans) - set(after.spans)) if kind != "spurious" else len(set(after.spans) - set(before.spans))
        for before, after in zip(documents, noisy, strict=True)
    )
    assert {told for of_category in counts.values() for told in of_category} == {kind}
    assert sum(of_category[kind] for of_category in counts.values()) == changed > 500


def test_noise_of_all_kinds_is_told_at_its_rates(documents):
    noisy = add_noise(documents, NoiseRates(0.1, 0.2, 0.3, 0.1), 1)
    counts = count_errors(documents, noisy)
    labels = sum(len(document.spans) for document in documents)
    shares = {kind: sum(of_category[kind] for of_category in counts.values()) / labels for kind in ERROR_KINDS}
    expected = {"missing": 0.1, "type": 0.9 * 0.2, "boundary": 0.9 * 0.3, "spurious": 0.1}
    assert shares == pytest.approx(expected, abs=0.03)


def test_the_kinds_are_those_of_the_rates():
    assert tuple(rate.name for rate in fields(NoiseRates)) == ERROR_KINDS


def test_counts_are_by_category():
    truth = [Document("1", "甲乙丙丁戊己庚辛", (Span("a", 0, 1), Span("b", 3, 4))), Document("2", "无")]
    noisy = [Document("1", "甲乙丙丁戊己庚辛", (Span("b", 0, 2), Span("a", 6, 6))), Document("2", "无")]
    assert count_errors(truth, noisy) == {"a": {"type": 1, "boundary": 1, "spurious": 1}, "b": {"missing": 1}}
    assert count_errors(truth, truth) == {}


@pytest.mark.parametrize("other", [Document("2", "甲"), Document("1", "乙")])
def test_other_documents_are_not_compared(other):
    with pytest.raises(ValueError, match="document '1' is compared with"):
        count_errors([Document("1", "甲")], [other])
    with pytest.raises(ValueError, match="shorter"):
        count_errors([Document("1", "甲")], [])
