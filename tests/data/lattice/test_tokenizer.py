import json
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from data.lattice.tokenizer import SPECIALS, Vocabulary, encoder_vocabulary
from utils.errors import UserError

LETTERS = [*SPECIALS, "中", "文", "a", "b", "1", "!", "㈱", "株", " ", "##c", "中文", "株式会社", "ß", "①", "é"]
VOCABULARY = Vocabulary(LETTERS)
UNKNOWN = LETTERS.index("[UNK]")


@pytest.mark.parametrize(
    ("character", "token"),
    [
        ("中", "中"),
        ("a", "a"),
        ("A", "a"),  # lower case
        ("ａ", "a"),  # full width
        ("Ａ", "a"),  # full width and upper case
        ("１", "1"),
        ("！", "!"),
        ("㈱", "㈱"),  # as it is, though its compatibility form is longer
        ("①", "①"),  # as it is, though its compatibility form is there too
        ("②", "[UNK]"),
        ("\u3000", " "),  # ideographic space
        ("\u00a0", " "),  # no-break space
        ("É", "é"),
        ("ẞ", "ß"),
        ("İ", "[UNK]"),  # two characters in lower case
        ("㍿", "[UNK]"),  # four characters in compatibility form
        ("😀", "[UNK]"),
        ("𠮷", "[UNK]"),
        ("\n", "[UNK]"),
        ("\t", "[UNK]"),
        ("c", "[UNK]"),  # only as a word piece
        ("\ud800", "[UNK]"),  # half a surrogate pair
        ("\x00", "[UNK]"),
    ],
)
def test_a_character_is_tried_as_it_is_then_compatible_then_lower(character, token):
    for _ in range(2):  # the second time it is remembered
        assert VOCABULARY.row(character) == LETTERS.index(token)
    assert VOCABULARY.encode(character).tolist() == [LETTERS.index(token)]


def test_a_character_of_its_own_row_comes_before_its_other_forms():
    assert Vocabulary([*SPECIALS, "a", "A", "Ａ"]).encode("aAＡ").tolist() == [5, 6, 7]
    assert Vocabulary([*SPECIALS, "a", "A"]).encode("aAＡ").tolist() == [5, 6, 6]


@pytest.mark.parametrize("seed", range(3))
def test_one_character_is_always_one_token(seed):
    draw = random.Random(seed)
    text = "".join(chr(draw.choice([draw.randrange(0x110000), draw.randrange(0x3000), 10])) for _ in range(3000))
    rows = VOCABULARY.encode(text)
    assert rows.shape == (len(text),)
    assert rows.dtype == np.int32
    assert rows.tolist() == [VOCABULARY.row(character) for character in text]


@pytest.mark.parametrize("text", ["👨‍👩‍👧", "e\u0301", "中\r\n文", "", "   ", "👍🏽"])
def test_composed_signs_count_as_their_characters(text):
    assert len(VOCABULARY.encode(text)) == len(text)


def test_specials_are_found_wherever_they_stand():
    vocabulary = Vocabulary(["x", "[SEP]", "[CLS]", "[UNK]", "[PAD]"])
    assert (vocabulary.pad, vocabulary.unknown, vocabulary.begin, vocabulary.end) == (4, 3, 2, 1)
    assert len(vocabulary) == 5


def test_a_special_in_the_text_is_read_as_characters():
    assert VOCABULARY.encode("[UNK]").tolist() == [VOCABULARY.row(character) for character in "[UNK]"]


@pytest.mark.parametrize("missing", SPECIALS[:4])
def test_a_vocabulary_without_its_specials_is_refused(missing):
    with pytest.raises(UserError, match="lacks") as caught:
        Vocabulary([token for token in LETTERS if token != missing])
    assert missing in str(caught.value)
    Vocabulary([token for token in LETTERS if token != "[MASK]"])


# -------------------------------------------------------------------------------------------------------------- files


ODD = [*SPECIALS, "\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c", " ", "\u3000", "", "中", "\ufeff", "", "末"]


def test_odd_characters_come_back_in_their_rows(tmp_path):
    Vocabulary(ODD).save(tmp_path / "vocab.txt")
    loaded = Vocabulary.load(tmp_path / "vocab.txt")
    assert loaded.tokens == ODD
    assert loaded.encode("\u2028\x85末").tolist() == [ODD.index(character) for character in "\u2028\x85末"]


@pytest.mark.parametrize("broken", ["\n", "\r", "\r\n", "a\nb"])
def test_line_breaks_in_a_vocabulary_do_not_shift_its_rows(tmp_path, broken):
    vocabulary = Vocabulary([*SPECIALS, "中", broken, "文"])
    vocabulary.save(tmp_path / "vocab.txt")
    loaded = Vocabulary.load(tmp_path / "vocab.txt")
    assert len(loaded) == len(vocabulary) == 8
    text = "中\r\n文"
    assert loaded.encode(text).tolist() == vocabulary.encode(text).tolist() == [5, 1, 1, 7]


def test_a_vocabulary_with_windows_line_ends_is_read(tmp_path):
    (tmp_path / "vocab.txt").write_bytes("\r\n".join(LETTERS).encode() + b"\r\n")
    assert encoder_vocabulary(str(tmp_path)).tokens == LETTERS


def test_characters_often_enough_are_learned_most_frequent_first():
    vocabulary = Vocabulary.from_texts(["乙乙乙甲甲", "丙丙甲丁\n\n\n\r\r\r", "  \u2028\u2028"], min_count=2)
    assert vocabulary.tokens == [*SPECIALS, "乙", "甲", " ", "\u2028", "丙"]
    assert vocabulary.row("丁") == vocabulary.row("\n") == vocabulary.row("\r") == vocabulary.unknown


def test_the_learned_vocabulary_does_not_depend_on_the_order_of_texts(tmp_path):
    texts = ["甲乙丙丁" * 2, "戊己", "己戊"]
    assert Vocabulary.from_texts(texts).tokens == Vocabulary.from_texts(texts[::-1]).tokens


def test_an_encoder_folder_gives_its_vocab_txt(tmp_path):
    (tmp_path / "vocab.txt").write_text("\n".join(LETTERS) + "\n", encoding="utf-8")
    (tmp_path / "tokenizer.json").write_text("{}")
    assert encoder_vocabulary(str(tmp_path)).tokens == LETTERS


def test_an_encoder_folder_gives_its_tokenizer_json_with_every_token_in_its_row(tmp_path):
    rows = {token: 2 * row for row, token in enumerate(LETTERS)}  # every other row has no token
    shuffled = dict(random.Random(1).sample(list(rows.items()), len(rows)))
    (tmp_path / "tokenizer.json").write_text(json.dumps({"model": {"vocab": shuffled}}))
    vocabulary = encoder_vocabulary(str(tmp_path))
    assert vocabulary.row("文") == rows["文"]
    assert vocabulary.unknown == rows["[UNK]"]
    assert len(vocabulary) == 2 * len(LETTERS) - 1


def test_an_encoder_folder_without_a_vocabulary_names_the_ways_out(tmp_path):
    with pytest.raises(UserError, match=r"no vocab\.txt or tokenizer\.json") as caught:
        encoder_vocabulary(str(tmp_path))
    assert all(way in str(caught.value) for way in (str(tmp_path), "encoder.name=PATH", "HF_ENDPOINT", "scratch"))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("vocab.txt", "中文".encode("gbk")),
        ("tokenizer.json", b"{"),
        ("tokenizer.json", b"[]"),
        ("tokenizer.json", b"{}"),
        ("tokenizer.json", b'{"model": {"vocab": [["a", 0.5]]}}'),  # not BERT-like
    ],
)
def test_a_damaged_or_foreign_vocabulary_is_named(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match="not the vocabulary of a BERT-like encoder") as caught:
        encoder_vocabulary(str(tmp_path))
    assert str(caught.value).startswith(str(tmp_path / name))


def test_an_empty_vocabulary_is_refused(tmp_path):
    (tmp_path / "vocab.txt").write_text("")
    with pytest.raises(UserError, match=r"lacks \[PAD\]"):
        encoder_vocabulary(str(tmp_path))


def test_a_hub_out_of_reach_is_one_line(tmp_path):
    program = "from data.lattice.tokenizer import encoder_vocabulary as e; e('nobody/nothing')"
    root = Path(__file__).parents[3]
    environment = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path), "PATH": ""}
    run = subprocess.run([sys.executable, "-c", program], cwd=root, env=environment, capture_output=True, text=True)
    last = run.stderr.strip().splitlines()[-1]
    assert last.startswith("utils.errors.UserError: encoder nobody/nothing: no vocab.txt or tokenizer.json")
    assert "HF_ENDPOINT" in last


def test_a_byte_order_mark_is_no_part_of_the_first_token(tmp_path):
    (tmp_path / "vocab.txt").write_bytes(("\ufeff" + "\r\n".join(LETTERS) + "\r\n").encode())
    assert encoder_vocabulary(str(tmp_path)).tokens == LETTERS
    (tmp_path / "vocab.txt").unlink()
    rows = {token: row for row, token in enumerate(LETTERS)}
    (tmp_path / "tokenizer.json").write_text("\ufeff" + json.dumps({"model": {"vocab": rows}}), encoding="utf-8")
    assert encoder_vocabulary(str(tmp_path)).tokens == LETTERS
