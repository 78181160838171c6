import zlib

import pytest

from data.corpus.document import Document, category_counts, to_json
from data.noise.label_errors import count_errors
from data.noise.noise import NoiseRates, add_noise
from data.sample.sample import make_documents
from data.spans import Span
from utils.errors import UserError

DIGEST = 1817003456  # of the documents with noise of every kind: what one rate for all categories draws never changes


@pytest.fixture(scope="module")
def documents():
    return make_documents(300, 7, "train")  # some 2,800 spans


def span_count(documents):
    return sum(len(document.spans) for document in documents)


def pairs(documents, noisy):
    return [(set(before.spans), set(after.spans)) for before, after in zip(documents, noisy, strict=True)]


def test_rate_zero_changes_nothing(documents):
    assert add_noise(documents, NoiseRates(), 1) == documents


def test_missing_rate(documents):
    noisy = add_noise(documents, NoiseRates(missing=0.3), 1)
    assert all(after <= before for before, after in pairs(documents, noisy))
    assert span_count(noisy) / span_count(documents) == pytest.approx(0.7, abs=0.03)


def test_type_rate_and_places_kept(documents):
    noisy = add_noise(documents, NoiseRates(type=0.9), 1)
    for before, after in zip(documents, noisy, strict=True):
        assert sorted(span[1:] for span in before.spans) == sorted(span[1:] for span in after.spans)
    changed = sum(len(before - after) for before, after in pairs(documents, noisy))
    assert changed / span_count(documents) == pytest.approx(0.9, abs=0.03)
    present = {span.category for document in documents for span in document.spans}
    assert {span.category for document in noisy for span in document.spans} == present


def test_boundary_rate_and_distance(documents):
    noisy = add_noise(documents, NoiseRates(boundary=0.25), 1)
    changed = 0
    for before, after in pairs(documents, noisy):
        for span in after - before:
            near = [
                abs(span.begin - other.begin) + abs(span.end - other.end)
                for other in before
                if other.category == span.category and span.begin <= other.end + 2 and other.begin <= span.end + 2
                if span.begin == other.begin or span.end == other.end
            ]
            assert min(near) in (1, 2)
        changed += len(before - after)
    assert changed / span_count(documents) == pytest.approx(0.25, abs=0.03)


def test_spurious_rate_stands_on_unlabelled_text(documents):
    noisy = add_noise(documents, NoiseRates(spurious=0.15), 1)
    added = 0
    for before, after in pairs(documents, noisy):
        assert before <= after
        for span in after - before:
            assert not any(span.begin <= other.end and other.begin <= span.end for other in after - {span})
        added += len(after - before)
    assert added / span_count(documents) == pytest.approx(0.15, abs=0.03)


def test_spans_stay_in_the_text_and_same_categories_apart(documents):
    for document in add_noise(documents, NoiseRates(0.1, 0.5, 0.9, 0.5), 1):
        spans = document.spans
        assert all(0 <= span.begin <= span.end < len(document.text) for span in spans)
        for index, span in enumerate(spans):
            assert not any(other.category == span.category and other.begin <= span.end for other in spans[index + 1 :])


def test_clean_documents_are_left_as_they_were(documents):
    add_noise(documents, NoiseRates(0.5, 0.5, 0.5, 0.5), 1)
    assert documents == make_documents(300, 7, "train")


def test_same_seed_same_noise_in_any_order(documents):
    rates = NoiseRates(0.1, 0.1, 0.1, 0.1)
    noisy = add_noise(documents, rates, 1)
    assert noisy == add_noise(documents, rates, 1)
    assert noisy == add_noise(documents[::-1], rates, 1)[::-1]
    assert noisy != add_noise(documents, rates, 2)


def test_equal_rates_draw_what_they_always_drew(documents):
    rates = NoiseRates(0.1, 0.2, 0.3, 0.4)
    noisy = add_noise(documents, rates, 1)
    assert zlib.crc32("\n".join(map(to_json, noisy)).encode()) == DIGEST
    by_category = dict.fromkeys(category_counts(documents), rates)
    assert add_noise(documents, NoiseRates(), 1, by_category) == noisy
    assert add_noise(documents, rates, 1, {"no such category": NoiseRates(0.9)}) == noisy


@pytest.mark.parametrize("kind", ["missing", "type", "boundary", "spurious"])
def test_a_category_may_have_rates_of_its_own(documents, kind):
    own = {"name": NoiseRates(**{kind: 0.5}), "company": NoiseRates(**{kind: 0.1}), "address": NoiseRates()}
    counts, labels = count_errors(documents, add_noise(documents, NoiseRates(), 1, own)), category_counts(documents)
    assert counts.keys() == {"name", "company"}
    assert all(of_category.keys() == {kind} for of_category in counts.values())
    for category, rate in (("name", 0.5), ("company", 0.1)):
        assert counts[category][kind] / labels[category] == pytest.approx(rate, abs=0.06)


def test_spurious_spans_without_room_do_not_become_others(documents):
    own = {"name": NoiseRates(spurious=0.5), "email": NoiseRates(spurious=0.9)}  # addresses are long, texts crowded
    counts, labels = count_errors(documents, add_noise(documents, NoiseRates(), 1, own)), category_counts(documents)
    assert counts["name"]["spurious"] / labels["name"] == pytest.approx(0.5, abs=0.04)
    assert 0 < counts["email"]["spurious"] / labels["email"] < 0.9


def test_what_becomes_of_a_span_its_true_category_decides(documents):
    """A name that is taken for something else keeps the boundary rate of names."""
    noisy = add_noise(documents, NoiseRates(boundary=0.5), 1, {"name": NoiseRates(type=0.9)})
    counts = count_errors(documents, noisy)
    assert counts["name"].keys() == {"type"} and counts["name"]["type"] > 500
    others = [of_category for category, of_category in counts.items() if category != "name"]
    assert sum(of_category["boundary"] for of_category in others) > 500
    assert sum(of_category["type"] for of_category in others) <= 2  # a name inside one of them can be taken for it


def test_a_text_without_room_is_left_alone():
    crowded = [Document("1", "甲", (Span("name", 0, 0),))]
    assert add_noise(crowded, NoiseRates(type=0.99, boundary=0.99, spurious=0.99), 1) == crowded


def test_documents_without_spans_pass():
    bare = [Document("1", "无"), Document("2", "")]
    assert add_noise(bare, NoiseRates(0.5, 0.5, 0.5, 0.5), 1) == bare


@pytest.mark.parametrize("rates", [{"missing": 1}, {"type": -0.1}, {"boundary": 1.5}, {"spurious": float("nan")}])
def test_rates_outside_their_range_are_refused(rates):
    with pytest.raises(UserError, match=next(iter(rates))):
        NoiseRates(**rates)
