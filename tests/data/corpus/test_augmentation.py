"""Augmented documents: every label still stands on its text, whatever was changed around it."""

import random

import pytest

from data.corpus.augmentation import drop_words, replace_words, rewrite, surface_forms, swap_entities
from data.corpus.document import Document
from data.spans import Doubt, Span
from tests.conftest import random_documents

TEXT = "天地玄黄宇宙洪荒"
DOCUMENT = Document("0", TEXT, (Span("name", 1, 2), Span("place", 5, 5)), (Doubt("name", 6, 7),))


def labelled(document):
    return sorted((span.category, document.text[span.begin : span.end + 1]) for span in document.spans)


def outside(document):
    """The text without its labels."""
    inside = {place for span in document.spans for place in range(span.begin, span.end + 1)}
    return "".join(character for place, character in enumerate(document.text) if place not in inside)


@pytest.mark.parametrize(
    ("edits", "text", "spans"),
    [
        ([], TEXT, [(1, 2), (5, 5)]),
        ([(1, 3, "日月星")], "天日月星黄宇宙洪荒", [(1, 3), (6, 6)]),
        ([(5, 6, "")], "天地玄黄宇洪荒", [(1, 2)]),
        ([(3, 5, "")], "天地玄宙洪荒", [(1, 2), (3, 3)]),
        ([(0, 1, "日月"), (8, 8, "！")], "日月地玄黄宇宙洪荒！", [(2, 3), (6, 6)]),
        ([(2, 3, "月月")], "天地月月黄宇宙洪荒", [(1, 3), (6, 6)]),
    ],
)
def test_labels_follow_their_text(edits, text, spans):
    after = rewrite(DOCUMENT, edits)
    assert after.text == text
    assert [(span.begin, span.end) for span in after.spans] == spans
    assert text[after.doubtful[0].begin : after.doubtful[0].end + 1].startswith("洪荒")


@pytest.mark.parametrize("edits", [[(0, 2, "x")], [(2, 4, "")], [(0, 3, ""), (2, 4, "")]])
def test_what_would_cut_a_label_is_refused(edits):
    with pytest.raises(ValueError, match=r"cuts the label|overlap at"):
        rewrite(DOCUMENT, edits)


@pytest.mark.parametrize("seed", range(5))
def test_swapped_entities_are_others_of_their_category_and_all_else_stays(seed):
    documents = random_documents(20, seed)
    forms = surface_forms(documents)
    changed = 0
    for document in documents:
        after = swap_entities(document, forms, 0.7, random.Random(seed))
        assert len(after.spans) == len(document.spans)
        assert all(text in forms[category] for category, text in labelled(after))
        changed += labelled(after) != labelled(document)
        assert outside(after) == outside(document)
    assert changed > 3
    assert swap_entities(documents[0], forms, 0.0, random.Random(0)) == documents[0]


@pytest.mark.parametrize("seed", range(5))
def test_words_that_go_or_change_are_outside_of_labels(seed):
    for document in random_documents(20, seed):
        shorter = drop_words(document, list, 0.5, random.Random(seed))
        assert labelled(shorter) == labelled(document) and 0 < len(shorter.text) <= len(document.text)
        other = replace_words(document, list, {"天": ["日月"], "地": ["山"]}, 1.0, random.Random(seed))
        assert labelled(other) == labelled(document)
        free = [place for place in range(len(document.text))
                if not any(span.begin <= place <= span.end for span in document.spans)]  # fmt: skip
        assert len(other.text) - len(document.text) == sum(document.text[place] == "天" for place in free)


def test_a_text_does_not_lose_its_last_word():
    assert drop_words(Document("0", "天地"), list, 1.0, random.Random(0)).text == "天"


def test_labels_that_overlap_are_not_swapped():
    crossing = Document("0", TEXT, (Span("name", 1, 3), Span("place", 2, 4)))
    assert swap_entities(crossing, {"name": ["日"], "place": ["月"]}, 1.0, random.Random(0)) == crossing
