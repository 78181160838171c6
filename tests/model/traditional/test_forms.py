"""The memory of forms against a count over all substrings."""

import random

import pytest

from config import load_config
from data.corpus.document import Document
from data.spans import JudgedSpan, Span
from model.run_folder import RunParts
from model.traditional.forms import System, form_shares
from tests.conftest import random_documents
from utils.errors import UserError


def occurrences(text, form):
    return sum(text[place : place + len(form)] == form for place in range(len(text)))


@pytest.fixture
def documents():
    return random_documents(30, 5, alphabet="天地玄")


@pytest.fixture
def fitted(processed_of, documents, tmp_path):
    processed = processed_of(documents)
    path = tmp_path / System.filename
    assert System.fit(processed, range(20), path) == 1
    parts = RunParts(
        tmp_path, load_config(), processed.categories, processed.vocabulary, processed.lexicon, None, 0, ""
    )
    return System.load(path, parts)


def test_a_share_is_the_labelled_part_of_all_occurrences(documents):
    shares = form_shares(documents)
    labels = [(one.text[span.begin : span.end + 1], span.category) for one in documents for span in one.spans]
    assert {(form, category) for form, own in shares.items() for category in own} == set(labels)
    for form, category in set(labels):
        everywhere = sum(occurrences(one.text, form) for one in documents)
        assert shares[form][category] == pytest.approx(labels.count((form, category)) / (everywhere + 1))


def test_candidates_are_all_occurrences_of_likely_forms(fitted, documents):
    text = "".join(random.Random(1).choices("天地玄", k=40))
    shares = form_shares(documents[:20])
    expected = {
        (category, begin, begin + len(form) - 1, share)
        for form, own in shares.items()
        for category, share in own.items()
        for begin in range(len(text) - len(form) + 1)
        if text.startswith(form, begin) and share >= 0.05
    }
    (found,) = fitted.candidates([Document("x", text)], None)
    assert {one[:4] for one in found} == expected and len(found) == len(expected)
    assert all(one.found == (one.probability > 0.5) for one in found)
    assert fitted.parameters == sum(map(len, shares.values()))


def test_what_is_labelled_more_often_than_not_is_found():
    shares = {"北京": {"place": 0.9, "name": 0.3}, "北京人": {"place": 0.6}, "人": {"name": 0.4}}
    system = System(["name", "place"], shares)
    ((span,),) = system.read([Document("x", "在北京人")], None)
    assert span == ("place", 1, 2, 0.9), "of two that overlap the more probable one stays"
    (candidates,) = system.candidates([Document("x", "在北京人")], None)
    assert JudgedSpan("name", 3, 3, 0.4, False) in candidates and len(candidates) == 4


def test_texts_and_labels_may_be_empty(processed_of, tmp_path):
    processed = processed_of([Document("0", "天地")])
    System.fit(processed, [0], tmp_path / "forms.json")
    system = System.load(tmp_path / "forms.json", None)
    assert system.read([Document("x", ""), Document("y", "天地")], None) == [[], []]


@pytest.mark.parametrize("content", ["[]", "{}", '{"categories": ["a"], "shares": {"天": 1}}', "{"])
def test_a_damaged_file_is_refused(tmp_path, content):
    (tmp_path / "forms.json").write_text(content)
    with pytest.raises(UserError, match="train again"):
        System.load(tmp_path / "forms.json", None)


def test_labels_of_doubt_do_not_matter():
    assert form_shares([Document("0", "张三和张三", (Span("name", 0, 1),))]) == {"张三": {"name": pytest.approx(1 / 3)}}
