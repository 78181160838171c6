"""How patterns read characters, held against the Unicode database."""

import random
import sys
import unicodedata

import pytest

from model.reading.plain_text import WITHOUT_WIDTH, plain_text

EVERY = [chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code < 0xE000]
SEEN = ("ARABIC", "SYRIAC", "KAITHI", "EGYPTIAN")  # format characters that have a shape
FILLERS = ("VARIATION SELECTOR", "HANGUL FILLER", "SEONG FILLER", "INHERENT A", "GRAPHEME JOINER", "ENCLOSING KEYCAP")


def has_no_width(character):
    name = unicodedata.name(character, "")
    if unicodedata.category(character) == "Cf":
        return not name.startswith(SEEN) or name == "ARABIC LETTER MARK"
    return any(filler in name for filler in FILLERS)


def test_exactly_what_has_no_width_is_ignored():
    named = [one for one in EVERY if unicodedata.category(one) != "Cn"]
    expected = {one for one in named if has_no_width(one)}
    assert {one for one in named if WITHOUT_WIDTH.fullmatch(one)} == expected
    assert len(expected) > 400
    assert not any(WITHOUT_WIDTH.fullmatch(one) for one in plain_text("".join(EVERY)).text)


def test_digits_of_every_script_and_font_are_digits():
    for one in EVERY:
        if unicodedata.category(one) == "Nd":
            assert plain_text(one).text == str(unicodedata.decimal(one))
    assert plain_text("①²Ⅳ½").text == "①²Ⅳ½", "they are no digits of a number"


def test_every_blank_is_a_space_and_line_ends_stay():
    white = [one for one in EVERY if one.isspace()]
    blanks = {one for one in white if plain_text(one).text == " "}
    assert {one for one in white if one not in blanks} == set("\t\n\x0b\x0c\r\x1c\x1d\x1e\x1f\x85\u2028\u2029")
    assert {" ", "\xa0", "\u2009", "\u202f", "\u3000"} < blanks


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("ＡＢｃ＠．－＿＋（）％", "ABc@.-_+()%"), ("𝓪𝐙ℎ", "aZh"), ("﹫﹒﹣﹢", "@.-+"), ("\u2010\u2011", "--"),
        ("‒–—―−﹘", "——————"), ("，：；！", "，：；！"), ("周思平", "周思平"), ("ªⓐ", "ªⓐ"), ("~〜ー", "~〜ー"),
    ],
)  # fmt: skip
def test_marks_and_letters_have_one_form(written, read):
    assert plain_text(written).text == read


@pytest.mark.parametrize("seed", range(20))
def test_places_are_those_of_the_text(seed):
    draw = random.Random(seed)
    text = "".join(draw.choices("周1a\u200b\ufeff\u3000１—\n\U000e0100", k=draw.choice([0, 1, 5, 60])))
    plain, places = plain_text(text)
    slow = [(plain_text(character).text, place) for place, character in enumerate(text)]
    assert list(zip(plain, places, strict=True)) == [(form, place) for form, place in slow if form]
