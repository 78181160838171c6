"""Dictionaries on disk, maximum matching against a brute force, and what joins a dictionary."""

import random

import pytest

from data.corpus.dictionary import Matcher, label, read_dictionary, read_forms, write_dictionary
from data.corpus.document import Document
from data.problems import Problems
from data.spans import Span
from experiments.dictionary.growth import grow, take_dictionary
from utils.errors import UserError


def write(tmp_path, text):
    path = tmp_path / "dictionary.tsv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


# ------------------------------------------------------------------------------------------------------------ on disk


def test_a_dictionary_comes_back_as_it_was_written(tmp_path):
    dictionary = {"张 伟": "name", "天地集团": "company", "QQ": "vx", "a#b": "name"}
    write_dictionary(dictionary, tmp_path / "dictionary.tsv")
    assert read_dictionary(tmp_path / "dictionary.tsv", Problems()) == dictionary


def test_a_form_of_two_categories_says_nothing(tmp_path):
    problems = Problems()
    read = read_dictionary(write(tmp_path, "甲乙\tname\n\n丙丁\tplace\n甲乙\tplace\n丙丁\tplace\n"), problems)
    assert read == {"丙丁": "place"}
    assert problems.counts == {"surface form of several categories": 1}


@pytest.mark.parametrize(
    ("text", "telling"),
    [
        ("甲乙 name\n", "dictionary.tsv:1: expected a surface form, a tab"),
        ("甲乙\tname\n\tname\n", "dictionary.tsv:2: expected"),
        ("甲乙\t \n", ":1: expected"),
        ("甲乙\tname\t3\n", ":1: expected"),
        ("\n \n", "no surface form in it"),
        ("甲乙\tname\n甲乙\tplace\n", "no surface form in it"),
        ("甲乙\tname\n".encode("gbk"), "looks like GBK"),
    ],
)
def test_what_is_no_dictionary_is_one_line(tmp_path, text, telling):
    with pytest.raises(UserError, match=telling) as refused:
        read_dictionary(write(tmp_path, text), Problems())
    assert "\n" not in str(refused.value)


def test_a_dictionary_that_is_not_there(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        read_dictionary(tmp_path / "none.tsv", Problems())


def test_forms_are_lines_up_to_a_tab(tmp_path):
    assert read_forms(write(tmp_path, "甲乙\n\n丙 丁\tname\n")) == {"甲乙", "丙 丁"}
    with pytest.raises(UserError, match="empty"):
        read_forms(write(tmp_path, "\n"))


# ----------------------------------------------------------------------------------------------------------- matching


def match_by_hand(text, dictionary):
    """Every length at every place, longest first."""
    spans, place = [], 0
    while place < len(text):
        for end in range(len(text), place, -1):
            form = text[place:end]
            cuts = [
                0 < cut < len(text) and text[cut - 1].isascii() and text[cut - 1].isalnum()
                and text[cut].isascii() and text[cut].isalnum()
                for cut in (place, end)
            ]  # fmt: skip
            if form in dictionary and not any(cuts):
                spans.append(Span(dictionary[form], place, end - 1))
                place = end
                break
        else:
            place += 1
    return tuple(spans)


@pytest.mark.parametrize("seed", range(20))
def test_matching_is_forward_and_longest_first(seed):
    draw = random.Random(seed)
    alphabet = "天地玄a1，"
    dictionary = {
        "".join(draw.choices(alphabet, k=draw.randint(1, 4))): draw.choice(["name", "place"]) for _ in range(12)
    }
    matcher = Matcher(dictionary)
    for _ in range(30):
        text = "".join(draw.choices(alphabet, k=draw.randint(0, 25)))
        assert matcher.match(text) == match_by_hand(text, dictionary)


def test_a_longer_form_that_begins_earlier_hides_what_is_inside_and_what_overlaps():
    matcher = Matcher({"天地": "a", "天地玄": "b", "玄黄": "c", "地": "d"})
    assert matcher.match("天地玄黄天地") == (Span("b", 0, 2), Span("a", 4, 5))


def test_numbers_and_words_of_letters_are_not_cut_out_of_longer_ones():
    matcher = Matcher({"123": "QQ", "ab": "vx"})
    assert matcher.match("0123，123。abc ab他") == (Span("QQ", 5, 7), Span("vx", 13, 14))


def test_labels_take_the_place_of_all_others():
    document = Document("7", "天地玄黄", (Span("x", 0, 3),), (Span("*", 0, 0),))
    assert label([document], {"玄黄": "name"}) == [Document("7", "天地玄黄", (Span("name", 2, 3),))]


# ------------------------------------------------------------------------------------------------- out of a corpus


def labelled(number, *pieces):
    """A document of (text, category or nothing) pieces."""
    text, spans = "", []
    for piece, category in pieces:
        if category:
            spans.append(Span(category, len(text), len(text) + len(piece) - 1))
        text += piece
    return Document(str(number), text, tuple(spans))


def test_forms_are_taken_with_their_category_and_left_out_for_a_reason():
    documents = [
        labelled(0, ("张伟", "name"), ("在", ""), ("天地", "company"), ("。", "")),
        labelled(1, ("天地", "name"), ("王", "name"), ("玄\t黄", "company"), (" 宇宙", "company")),
    ]
    taken = take_dictionary(documents, 1.0, 0)
    assert taken.dictionary == {"张伟": "name"}
    assert taken.documents == documents
    assert taken.left_out == {"several categories": 1, "a single character": 1, "white space": 2}


def test_a_share_is_drawn_by_the_seed_and_near_duplicates_stay_together(documents_of):
    documents = documents_of(40, 3)
    copies = [Document(f"copy {one.id}", one.text, one.spans) for one in documents]
    halves = [take_dictionary([*documents, *copies], 0.5, seed) for seed in (1, 1, 2)]
    ids = [{one.id for one in half.documents} for half in halves]
    assert ids[0] == ids[1] != ids[2]
    assert 40 <= len(ids[0]) <= 42
    for own in ids:
        assert {name.removeprefix("copy ") for name in own} == {name for name in own if "copy" not in name}
    forms = {one.text[span.begin : span.end + 1] for one in halves[0].documents for span in one.spans}
    assert set(halves[0].dictionary) <= forms


# ------------------------------------------------------------------------------------------------------------ growth


def found(text, *forms):
    """The first places of forms in a text, as spans of a category."""
    return [Span(category, text.index(form), text.index(form) + len(form) - 1) for form, category in forms]


def grown(texts, spans, count=2, **how):
    return grow({"旧词": "name"}, texts, spans, count, **how)


def test_a_form_joins_that_is_found_at_every_place_and_often_enough():
    texts = ["张伟来了", "他叫张伟", "李四"]
    spans = [found(texts[0], ("张伟", "name")), found(texts[1], ("张伟", "name")), found(texts[2], ("李四", "name"))]
    assert grown(texts, spans) == {"旧词": "name", "张伟": "name"}
    assert grown(texts, spans, count=3) == {"旧词": "name"}
    assert grown(texts, spans, count=1) == {"旧词": "name", "张伟": "name", "李四": "name"}


def test_one_place_where_it_is_not_found_keeps_it_out():
    texts = ["张伟来了", "他叫张伟", "张伟"]
    spans = [found(text, ("张伟", "name")) for text in texts[:2]] + [[]]
    assert grown(texts, spans) == {"旧词": "name"}
    assert "张伟" in grown(texts, spans, agreement=2 / 3)
    assert "张伟" not in grown(texts, spans, agreement=0.67)


def test_one_place_inside_a_longer_find_keeps_it_out():
    texts = ["张伟来了", "他叫张伟", "张伟明"]
    spans = [found(texts[0], ("张伟", "name")), found(texts[1], ("张伟", "name")), found(texts[2], ("张伟明", "name"))]
    assert grown(texts, spans) == {"旧词": "name"}


def test_another_category_anywhere_keeps_it_out():
    texts = ["张伟来了", "他叫张伟", "张伟"]
    spans = [found(text, ("张伟", category)) for text, category in zip(texts, ["name", "name", "company"], strict=True)]
    assert grown(texts, spans, agreement=0.5) == {"旧词": "name"}


def test_what_is_in_the_dictionary_keeps_its_category():
    texts = ["旧词", "旧词"]
    assert grown(texts, [found(text, ("旧词", "company")) for text in texts]) == {"旧词": "name"}


def test_short_forms_and_forms_that_no_file_can_hold_stay_out():
    texts = ["王 来", "王 走", "天\t地", "天\t地", " 玄黄", " 玄黄"]
    forms = ["王", "王", "天\t地", "天\t地", " 玄黄", " 玄黄"]
    spans = [found(text, (form, "name")) for text, form in zip(texts, forms, strict=True)]
    assert grown(texts, spans, minimum_length=2) == {"旧词": "name"}
    assert grown(texts, spans, minimum_length=1) == {"旧词": "name", "王": "name"}
