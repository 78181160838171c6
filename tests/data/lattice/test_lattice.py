import random

import numpy as np
import pytest

from data.lattice.lattice import Lattices, build_lattices
from data.lattice.lexicon import Lexicon
from data.lattice.tokenizer import SPECIALS, Vocabulary

ALPHABET = "中国人民大学生"
VOCABULARY = Vocabulary([*SPECIALS, *ALPHABET])


def random_case(seed):
    draw = random.Random(seed)
    words = sorted({"".join(draw.choices(ALPHABET, k=draw.randint(2, 4))) for _ in range(80)})
    draw.shuffle(words)
    texts = ["".join(draw.choices(ALPHABET + "，", k=draw.choice([0, 1, 5, 30]))) for _ in range(12)]
    return draw, words, texts


def words_inside(text, words, begin, end):
    """(word, head, tail) of every word that stands wholly in text[begin:end], places counted from begin."""
    known = set(words)
    return [
        (text[head : tail + 1], head - begin, tail - begin)
        for head in range(begin, end)
        for tail in range(head, end)
        if text[head : tail + 1] in known
    ]


def readable(part, words):
    found = zip(part.words.tolist(), part.heads.tolist(), part.tails.tolist(), strict=True)
    return [(words[word - 1], head, tail) for word, head, tail in found]


@pytest.mark.parametrize("seed", range(5))
def test_every_slice_has_just_the_words_that_lie_wholly_inside(seed):
    draw, words, texts = random_case(seed)
    lattices = build_lattices(texts, VOCABULARY, Lexicon(words, "all"))
    assert len(lattices) == len(texts)
    seen = 0
    for number, text in enumerate(texts):
        assert lattices.length(number) == len(text)
        cuts = [sorted(draw.choices(range(len(text) + 1), k=2)) for _ in range(20)]
        for begin, end in [(0, len(text)), *cuts]:
            part = lattices.slice(number, begin, end)
            assert part.tokens.tolist() == VOCABULARY.encode(text[begin:end]).tolist()
            assert readable(part, words) == words_inside(text, words, begin, end)
            seen += len(part.words)
    assert seen > 100


def test_words_never_cross_the_border_of_documents():
    lattices = build_lattices(["大中", "国人", "", "中国"], VOCABULARY, Lexicon(["中国"], "all"))
    assert lattices.words.tolist() == [1]
    assert lattices.word_offsets.tolist() == [0, 0, 0, 0, 1]
    assert (lattices.slice(3, 0, 2).heads.tolist(), lattices.slice(3, 0, 2).tails.tolist()) == ([0], [1])


def test_a_slice_leaves_the_whole_as_it_was():
    lattices = build_lattices(["人中国中国"], VOCABULARY, Lexicon(["中国"], "all"))
    assert lattices.slice(0, 3, 5).heads.tolist() == [0]
    assert lattices.heads.tolist() == [1, 3]
    assert lattices.slice(0, 3, 5).heads.tolist() == [0]


def test_words_are_sorted_by_head_then_tail_within_each_document():
    _, words, texts = random_case(7)
    lattices = build_lattices(texts, VOCABULARY, Lexicon(words, "all"))
    for number in range(len(texts)):
        first, last = lattices.word_offsets[number : number + 2]
        places = list(zip(lattices.heads[first:last], lattices.tails[first:last], strict=True))
        assert places == sorted(places)


def test_word_numbers_begin_at_one_because_zero_is_the_pad():
    lattices = build_lattices(["中国人民"], VOCABULARY, Lexicon(["中国", "人民"], "all"))
    assert lattices.words.tolist() == [1, 2]


def test_arrays_have_the_promised_types():
    for texts in (["中国人民", "大学"], ["中"], []):
        lattices = build_lattices(texts, VOCABULARY, Lexicon(["中国"], "all"))
        for name in ("tokens", "words", "heads", "tails"):
            assert getattr(lattices, name).dtype == np.int32
        for name in ("token_offsets", "word_offsets"):
            assert getattr(lattices, name).dtype == np.int64
            assert len(getattr(lattices, name)) == len(texts) + 1


def test_saved_lattices_are_mapped_and_slice_the_same(tmp_path):
    _, words, texts = random_case(11)
    lattices = build_lattices(texts, VOCABULARY, Lexicon(words, "all"))
    lattices.save(tmp_path)
    loaded = Lattices.load(tmp_path)
    assert isinstance(loaded.tokens, np.memmap)
    assert len(loaded) == len(lattices)
    for number, text in enumerate(texts):
        for begin, end in ((0, len(text)), (len(text) // 3, len(text) // 2)):
            for one, other in zip(lattices.slice(number, begin, end), loaded.slice(number, begin, end), strict=True):
                assert np.array_equal(one, other)


def test_lattices_without_a_word_can_be_saved_and_loaded(tmp_path):
    build_lattices(["中国", ""], VOCABULARY, Lexicon([], "none")).save(tmp_path)
    part = Lattices.load(tmp_path).slice(0, 0, 2)
    assert (len(part.tokens), len(part.words)) == (2, 0)


def test_the_tags_of_a_slice_are_those_of_its_characters(tmp_path):
    texts = ["张三在北京市工作。", "", "李四住上海"]
    lexicon = Lexicon([], "none", "lac")
    lattices = build_lattices(texts, VOCABULARY, lexicon)
    lattices.save(tmp_path)
    names = lexicon.character_tags
    for own in (lattices, Lattices.load(tmp_path)):
        assert [names[tag] for tag in own.slice(0, 0, 4).tags] == ["B-PER", "E-PER", "S-p", "B-LOC"]
        assert [names[tag] for tag in own.slice(2, 1, 5).tags] == ["E-PER", "S-v", "B-LOC", "E-LOC"]
        assert len(own.slice(1, 0, 0).tags) == 0 and own.has_tags_of(lexicon)
        assert not own.has_tags_of(Lexicon([], "none"))
    assert build_lattices([], VOCABULARY, lexicon).has_tags_of(lexicon)
    plain = build_lattices(texts, VOCABULARY, Lexicon([], "none"))
    assert plain.tags is None and plain.slice(0, 0, 4).tags is None and not plain.has_tags_of(lexicon)
