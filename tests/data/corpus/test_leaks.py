"""Against Python's own `in`, over corpora made of shared pieces."""

import random

import pytest

from data.corpus.document import Document
from data.corpus.duplicates import leaking
from data.corpus.leaks import EXAMPLES, SHOWN, find_leaks, leak_table, longest_shared

WINDOW = 8
SENTENCE = "北京市海淀区中关村大街一号的李明同学"


def bare(text):
    return "".join(text.split())


def shared_characters(text, others):
    """Characters inside a window of eight that stands in another text, or all of a short text that is another one."""
    own = bare(text)
    if len(own) < WINDOW:
        return len(own) * any(own == bare(other) for other in others)
    places = set()
    for begin in range(len(own) - WINDOW + 1):
        if any(own[begin : begin + WINDOW] in bare(other) for other in others):
            places |= set(range(begin, begin + WINDOW))
    return len(places)


def substrings(text):
    return {text[begin:end] for begin in range(len(text) + 1) for end in range(begin, len(text) + 1)}


def corpus(*texts, name="d"):
    return [Document(f"{name}{number}", text) for number, text in enumerate(texts)]


def random_corpora(seed):
    """Three corpora of texts made of common pieces, of 1 to 25 characters, with white space in and around them."""
    draw = random.Random(seed)
    pieces = ["".join(draw.choices("天地玄黄宇宙洪荒日月盈昃辰宿列张", k=draw.randint(1, 25))) for _ in range(40)]

    def text():
        return draw.choice(["", " ", "\n", "\u3000"]).join(draw.choices(pieces, k=draw.randint(0, 4)))

    sizes = {"a": 30, "b": 12, "c": 5}
    return {name: corpus(*(text() for _ in range(size)), name=name) for name, size in sizes.items()}


def pairs(corpora, share=0.5):
    return {(leak.own, leak.other): leak for leak in find_leaks(corpora, share)}


@pytest.mark.parametrize("seed", range(8))
def test_agrees_with_substrings(seed):
    corpora = random_corpora(seed)
    leaks = pairs(corpora)
    assert list(leaks) == [("a", "b"), ("a", "c"), ("b", "a"), ("b", "c"), ("c", "a"), ("c", "b")]
    for (own, other), leak in leaks.items():
        texts, others = ([document.text for document in corpora[name]] for name in (own, other))
        assert leak.documents == len(texts)
        assert leak.characters == sum(len(bare(text)) for text in texts)
        assert leak.shared == sum(shared_characters(text, others) for text in texts)
        told = leaking(texts, others, 0.5)
        assert leak.leaking == [document.id for document, leaks in zip(corpora[own], told, strict=True) if leaks]


@pytest.mark.parametrize("seed", range(8))
def test_examples_are_shared_by_the_two_documents_they_name(seed):
    corpora = random_corpora(seed)
    texts = {document.id: bare(document.text) for documents in corpora.values() for document in documents}
    for leak in find_leaks(corpora, 0.5):
        assert len(leak.examples) <= EXAMPLES and bool(leak.examples) == bool(leak.shared)
        assert len({example.own for example in leak.examples}) == len(leak.examples)
        for example in leak.examples:
            assert example.own.startswith(leak.own) and example.other.startswith(leak.other)
            assert example.stretch in texts[example.own] and example.stretch in texts[example.other]
            assert len(example.stretch) >= WINDOW or texts[example.own] == texts[example.other]


@pytest.mark.parametrize("seed", range(20))
def test_the_longest_shared_text_is_the_longest_common_substring(seed):
    draw = random.Random(seed)
    one, other = ("".join(draw.choices("甲乙丙", k=draw.randint(0, 30))) for _ in range(2))
    found = longest_shared(one, other)
    common = substrings(one) & substrings(other)
    assert found in common and len(found) == max(map(len, common))


def test_examples_are_the_longest_and_not_the_same_twice():
    rest = ["".join(chr(code) for code in range(begin, begin + 30)) for begin in range(0x5000, 0x5200, 100)]
    own = corpus(SENTENCE[:9] + rest[0], SENTENCE + rest[1], SENTENCE, rest[2] + SENTENCE[2:14] + "。" + SENTENCE[:11],
                 "无关的一句话，谁也没有说过", SENTENCE[1:11])  # fmt: skip
    other = corpus(SENTENCE[:12], rest[3] + SENTENCE + rest[4], name="o")
    examples = pairs({"own": own, "other": other})["own", "other"].examples
    assert [(example.own, example.other, example.stretch) for example in examples] == [
        ("d1", "o1", SENTENCE), ("d3", "o1", SENTENCE[2:14]), ("d5", "o0", SENTENCE[1:11]),
    ]  # fmt: skip


def test_white_space_does_not_count():
    spaced = "\u3000".join(SENTENCE) + "\r\n\t "
    other = corpus("前" + " ".join(SENTENCE) + "后")
    leak = pairs({"own": corpus(spaced), "other": other})["own", "other"]
    assert (leak.leaking, leak.characters, leak.shared) == (["d0"], len(SENTENCE), len(SENTENCE))
    assert leak.examples[0].stretch == SENTENCE


def test_short_texts_are_shared_as_a_whole_or_not_at_all():
    own, other = corpus("李明", "李 明", "王芳", "李明先生"), corpus("李明", "王芳在家")
    leak = pairs({"own": own, "other": other})["own", "other"]
    assert (leak.leaking, leak.shared, leak.characters) == (["d0", "d1"], 4, 10)
    assert [(example.own, example.stretch) for example in leak.examples] == [("d0", "李明")]


def test_a_window_never_runs_from_one_text_into_the_next():
    halves = corpus(SENTENCE[:5], SENTENCE[5:10]), corpus(SENTENCE[:10])
    assert [leak.shared for leak in find_leaks(dict(zip("ab", halves, strict=True)), 0.5)] == [0, 0]


def test_nothing_shared_and_nothing_there():
    corpora = {"one": corpus("甲乙丙丁戊己庚辛壬癸"), "other": corpus("子丑寅卯辰巳午未申酉戌亥"), "none": []}
    for leak in find_leaks(corpora, 0.5):
        assert (leak.leaking, leak.shared, leak.examples) == ([], 0, [])
        assert (leak.to_dict()["leaking_share"], leak.to_dict()["shared_share"]) == (0, 0)
    assert len(leak_table(list(find_leaks(corpora, 0.5))).splitlines()) == 7
    assert list(find_leaks({"one": corpus("甲")}, 0.5)) == []


def test_a_corpus_that_leaks_entirely():
    sentences = [SENTENCE[:10], SENTENCE[8:], "电话是一三八零零一三八零零零"]
    leaks = pairs({"parts": corpus(*sentences), "whole": corpus("。".join([SENTENCE, sentences[2]]), name="w")})
    values = leaks["parts", "whole"].to_dict()
    assert (values["leaking_share"], values["shared_share"]) == (1, 1)
    assert values["leaking"] == ["d0", "d1", "d2"]
    assert leaks["whole", "parts"].shared == len(SENTENCE) + len(sentences[2])
    assert leaks["whole", "parts"].characters == leaks["whole", "parts"].shared + 1


def test_the_table_has_a_line_for_each_pair_and_shortens_examples():
    long = "".join(chr(code) for code in range(0x4E00, 0x4E00 + 100))
    corpora = {"train": corpus(long, "甲"), "test": corpus(f"前{long}", name="t")}
    lines = leak_table(list(find_leaks(corpora, 0.5))).splitlines()
    assert lines[1].split() == ["train", "test", "2", "1", "50.0%", "101", "100", "99.0%"]
    assert lines[2].split() == ["test", "train", "1", "1", "100.0%", "101", "100", "99.0%"]
    assert lines[3:] == [
        f"train d0 and test t0 share 100 characters: {long[:SHOWN]}…",
        f"test t0 and train d0 share 100 characters: {long[:SHOWN]}…",
    ]
