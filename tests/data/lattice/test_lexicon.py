import itertools
import random

import jieba
import pytest

from data.lattice.lexicon import Lexicon, Match, jieba_words, load_words, save_words, usable_words
from utils.errors import UserError

ALPHABET = "中国人民大学生活动"
SENTENCES = [
    "他来到了网易杭研大厦，工号12345。",
    "小明硕士毕业于中国科学院计算所，后在日本京都大学深造",
    "南京市长江大桥\n　　研究生命起源 email: a_b@c.com!!",
    "，。！？",
    "𠀀𠀁北京",
    "",
]


def random_words(draw):
    return sorted({"".join(draw.choices(ALPHABET, k=draw.randint(2, 5))) for _ in range(120)})


def every_substring(text, words):
    numbers = {word: number for number, word in enumerate(words)}
    return [
        Match(numbers[text[head : tail + 1]], head, tail)
        for head in range(len(text))
        for tail in range(head, len(text))
        if text[head : tail + 1] in numbers
    ]


@pytest.mark.parametrize("seed", range(5))
def test_all_equals_looking_up_every_substring(seed):
    draw = random.Random(seed)
    words = random_words(draw)
    lexicon = Lexicon(words, "all")
    found = 0
    for _ in range(40):
        text = "".join(draw.choices(ALPHABET + "，𠀀", k=draw.randint(0, 60)))
        matches = lexicon.find(text)
        assert matches == every_substring(text, words)
        found += len(matches)
    assert found > 100


def test_words_inside_words_and_overlapping_words_are_all_found():
    words = ["南京", "南京市", "市长", "长江", "长江大桥", "大桥"]
    found = Lexicon(words, "all").find("南京市长江大桥")
    assert [(words[match.word], match.head, match.tail) for match in found] == [
        ("南京", 0, 1),
        ("南京市", 0, 2),
        ("市长", 2, 3),
        ("长江", 3, 4),
        ("长江大桥", 3, 6),
        ("大桥", 5, 6),
    ]


@pytest.fixture(scope="module")
def jieba_lexicon():
    return Lexicon(jieba_words(), "segment")


@pytest.mark.parametrize("text", SENTENCES)
def test_segment_gives_the_words_and_places_of_jieba(jieba_lexicon, text):
    expected, head = [], 0
    known = set(jieba_lexicon.words)
    for word in jieba.lcut(text, HMM=False):
        if word in known:
            expected.append((word, head, head + len(word) - 1))
        head += len(word)
    assert head == len(text)
    assert [(jieba_lexicon.words[m.word], m.head, m.tail) for m in jieba_lexicon.find(text)] == expected
    assert expected or not any("一" <= character <= "鿿" for character in text)


def test_segmented_words_never_overlap(jieba_lexicon):
    matches = jieba_lexicon.find("".join(SENTENCES) * 3)
    assert all(one.tail < other.head for one, other in itertools.pairwise(matches))
    assert len(matches) > 20


def test_segment_keeps_only_words_of_the_lexicon():
    """来到 is a word of the segmentation but not of the lexicon; 厦有 the other way round."""
    assert Lexicon(["厦有", "大厦"], "segment").find("他来到了网易大厦有事") == [Match(1, 6, 7)]


@pytest.mark.parametrize("lexicon", [Lexicon(["中国"], "none"), Lexicon([], "all"), Lexicon([], "segment")])
def test_nothing_to_find(lexicon):
    assert lexicon.find("中国人民") == []


def test_the_dictionary_of_jieba_has_the_promised_words(jieba_lexicon):
    words = jieba_lexicon.words
    assert len(words) == 337_394
    assert len(set(words)) == len(words)
    assert min(map(len, words)) == 2
    assert {"中国", "长江大桥"} <= set(words)
    assert not {"AT&T", "的", "3C", "T恤"} & set(words)


def test_usable_words_are_chinese_long_enough_and_come_once():
    words = ["中国", "中", "T恤", "中国", "a", "", "人 民", "㐀䶿", "𠀀𠀁", "豈更", "中国。", "日の丸", "人民"]
    assert list(usable_words(words)) == ["中国", "㐀䶿", "𠀀𠀁", "豈更", "人民"]


@pytest.mark.parametrize("words", [[], ["中国"], ["中国", "人民", "𠀀𠀁"]])
def test_words_come_back_in_their_order(tmp_path, words):
    save_words(words, tmp_path / "lexicon.txt")
    assert load_words(tmp_path / "lexicon.txt") == words


def test_a_missing_lexicon_says_what_to_do(tmp_path):
    with pytest.raises(UserError, match=r"the lexicon is missing; .* make it again"):
        load_words(tmp_path / "lexicon.txt")
