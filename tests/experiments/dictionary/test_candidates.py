"""Span candidates and what is known of them."""

import pytest

from experiments.dictionary.candidates import Candidate, Segmenter, features, find_candidates

TEXT = "张伟在北京工作，电话 123。"


class Words:
    """A segmenter that knows where the words are."""

    def __init__(self, words):
        self.words = words

    def cut(self, text):
        assert "".join(self.words) == text
        return iter(self.words)


@pytest.fixture
def segmenter():
    made = Segmenter()
    made._tokenizer = Words(["张伟", "在", "北京", "工作", "，", "电话", " ", "123", "。"])
    return made


def test_candidates_are_all_runs_of_words_without_punctuation(segmenter):
    words = [["张伟", "在", "北京", "工作"], ["电话"], ["123"]]
    expected = {
        "".join(run[first:last])
        for run in words
        for first in range(len(run))
        for last in range(first + 1, min(first + 3, len(run)) + 1)
        if len("".join(run[first:last])) <= 4
    }
    found = list(find_candidates(5, TEXT, segmenter, most_words=3, most_characters=4))
    assert {TEXT[one.begin : one.end + 1] for one in found} == expected
    assert len(found) == len(expected) and {one.document for one in found} == {5}
    assert {TEXT[one.begin : one.end + 1]: one.words for one in found}["张伟在"] == 2


def test_no_candidate_has_more_words_than_asked_for(segmenter):
    found = {TEXT[one.begin : one.end + 1] for one in find_candidates(0, TEXT, segmenter, 2, 100)}
    assert found == {"张伟", "张伟在", "在", "在北京", "北京", "北京工作", "工作", "电话", "123"}


def test_the_words_make_up_the_text():
    text = "我在 博物馆工作，\n好！"
    words = list(Segmenter().words(text))
    assert "".join(words) == text and "博物馆" in words


def test_jieba_finds_words_that_no_dictionary_has():
    words = list(Segmenter().runs("高轩和刘洁来了，大家都好。"))
    assert len(words) == 2
    assert words[0][0] == 0 and words[0][-1] == 7 and words[1][0] == 8 and words[1][-1] == 12
    assert all(bounds == sorted(set(bounds)) for bounds in words)


def test_features_of_a_candidate_in_the_middle():
    own = list(features(TEXT, Candidate(0, 3, 6, 2)))  # 北京工作 between 张伟在 and ，电话
    for expected in ("c 北", "cc 京工", "f 北", "e 作", "ff 北京", "ee 工作", "eee 京工作", "s 汉", "n 4", "w 2",
                     "-1 在", "-3 张", "1 ，", "3 话", "<< 伟在", ">> ，电"):  # fmt: skip
        assert own.count(expected) == 1


def test_no_feature_is_the_form_of_a_longer_candidate():
    for length in range(3, 7):
        own = [feature.partition(" ")[2] for feature in features(TEXT, Candidate(0, 0, length - 1, 1))]
        assert TEXT[:length] not in own


def test_at_the_ends_of_a_text_there_is_no_context():
    own = list(features("张伟", Candidate(0, 0, 1, 1)))
    assert {"-1 \0", "3 \0", "<< \0\0", ">> \0\0"} <= set(own)
    own = list(features("我张伟好", Candidate(0, 1, 2, 1)))
    assert {"-1 我", "-2 \0", "<< \0我", "1 好", "2 \0", ">> 好\0"} <= set(own)


def test_shapes_are_kinds_in_their_order():
    text = "A1座2号楼"
    assert "s a0汉0汉" in list(features(text, Candidate(0, 0, 5, 1)))
