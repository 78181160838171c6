"""Against Python sets of substrings, over texts made of shared pieces."""

import itertools
import random

import numpy as np
import pytest

from data.corpus.duplicates import closest, group_near_duplicates, leaking, shared_stretches, shingles


def windows(text: str, size: int) -> set[str]:
    bare = "".join(text.split())
    return {bare[begin : begin + size] for begin in range(max(len(bare) - size, 0) + 1)} - {""}


def groups_by_sets(texts: list[str], share: float, size: int) -> list[int]:
    sets = [windows(text, size) for text in texts]
    groups = list(range(len(texts)))
    for one, other in itertools.combinations(range(len(texts)), 2):
        smaller = min(len(sets[one]), len(sets[other]))
        if smaller and len(sets[one] & sets[other]) >= share * smaller:
            low, high = sorted((groups[one], groups[other]))
            groups = [low if group == high else group for group in groups]
    return groups


def leaking_by_sets(texts: list[str], held_out: list[str], share: float, size: int) -> list[bool]:
    held_sets = [windows(text, size) for text in held_out]
    everything = set().union(*held_sets)
    return [
        bool(own)
        and (
            len(own & everything) >= share * len(own)
            or any(held and len(own & held) >= share * len(held) for held in held_sets)
        )
        for own in (windows(text, size) for text in texts)
    ]


def shared_by_substrings(text: str, others: list[str], size: int) -> list[bool]:
    """For every character: is it in a window that stands in another text? A short text is a window, but in no other."""
    own, others = "".join(text.split()), ["".join(other.split()) for other in others]
    shared = [False] * len(own)
    for begin in range(max(len(own) - size, 0) + 1):
        window = own[begin : begin + size]
        if any(window in other if len(window) == size else window == other for other in others):
            shared[begin : begin + size] = [True] * len(window)
    return shared


def texts_of_shared_pieces(seed: int, count: int) -> list[str]:
    """Pieces of 3 to 30 characters, some of them in many texts, with white space strewn in; some texts are empty."""
    generator = random.Random(seed)
    alphabet = [chr(0x4E00 + number) for number in range(300)] + ["\U0002070e", "A", "，"]
    pieces = ["".join(generator.choices(alphabet, k=generator.randint(3, 30))) for _ in range(count)]
    often = pieces[:3]
    texts = []
    for _ in range(count):
        chosen = generator.choices(often, k=generator.choice([0, 0, 1])) + generator.choices(
            pieces, k=generator.randint(0, 4)
        )
        generator.shuffle(chosen)
        texts.append(generator.choice(["", " ", "\n", "\u3000"]).join(chosen))
    return texts


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("share", "size"), [(0.2, 8), (0.5, 8), (0.8, 5), (1.0, 3), (0.7, 1)])
def test_agrees_with_sets_of_substrings(seed: int, share: float, size: int):
    texts = texts_of_shared_pieces(seed, 120)
    groups = group_near_duplicates(texts, share, size)
    assert groups.tolist() == groups_by_sets(texts, share, size)
    held_out, rest = texts[:25], texts[25:]
    assert leaking(rest, held_out, share, size).tolist() == leaking_by_sets(rest, held_out, share, size)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("size", [8, 5, 3, 1])
def test_shared_stretches_agree_with_substrings(seed: int, size: int):
    texts = texts_of_shared_pieces(seed, 80)
    others, texts = texts[:25], texts[25:]
    expected = [shared_by_substrings(text, others, size) for text in texts]
    found = [[False] * len(shared) for shared in expected]
    previous = (-1, 0)
    for text, begin, end in shared_stretches(texts, others, size).tolist():
        assert 0 <= begin < end and (text, begin) > previous, "in order, and none could be longer"
        found[text][begin:end] = [True] * (end - begin)
        previous = (text, end)
    assert found == expected
    assert any(map(any, expected)) and not all(map(all, expected))


@pytest.mark.parametrize("seed", range(5))
def test_the_closest_text_shares_most_windows(seed: int):
    texts = texts_of_shared_pieces(seed, 80)
    others, texts = texts[:25], texts[25:]
    for text, found in zip(texts, closest(texts, others, 5).tolist(), strict=True):
        common = [len(windows(text, 5) & windows(other, 5)) for other in others]
        assert found == (common.index(max(common)) if any(common) else -1)


def test_shingles_are_those_of_every_window_and_never_change():
    text = "甲乙丙丁 戊己庚辛\n壬癸甲乙丙丁戊己庚辛"
    assert len(shingles(text)) == len(windows(text, 8)) == 10
    found = shingles("甲乙丙丁戊己庚辛壬")
    assert found.dtype == np.uint64
    assert [hex(value) for value in found] == ["0x393e41fff7ea543a", "0xc738378ba59ca265"]
    assert shingles("甲乙丙").tolist() != shingles("甲乙丁").tolist()
    assert shingles(" \n").tolist() == []


def test_shingles_of_many_strings_are_all_different():
    strings = ["".join(letters) for letters in itertools.product("甲乙丙丁", repeat=8)]
    hashes = np.concatenate([shingles(text) for text in strings[::7]] + [shingles(text[:5]) for text in strings[:64]])
    assert len(np.unique(hashes)) == len({*strings[::7], *(text[:5] for text in strings[:64])})


def test_white_space_does_not_count():
    text = "张三的电话是一三八零零一三八零零零"
    assert shingles(text).tolist() == shingles("\u3000".join(text) + "\r\n").tolist()


def test_a_sentence_inside_a_document_is_grouped_and_leaks():
    sentence = "北京市海淀区中关村大街一号的李明同学"
    document = "".join(chr(0x5000 + number) for number in range(400)) + sentence + "完"
    assert group_near_duplicates([document, "一二三四五六七八九十", sentence], share=0.9).tolist() == [0, 1, 0]
    assert leaking([sentence], [document], share=0.9).tolist() == [True]
    assert leaking([document], [sentence], share=0.9).tolist() == [True]


def test_pieces_of_several_held_out_texts_add_up():
    first, second = "甲乙丙丁戊己庚辛壬癸" * 2, "子丑寅卯辰巳午未申酉戌亥"
    assert leaking([first + second], [first + "一" * 99, second + "二" * 99], share=0.6).tolist() == [True]


def test_a_share_that_is_met_exactly_counts():
    one = "".join(chr(0x4E00 + number) for number in range(25))
    other = one[:7] + "".join(chr(0x5E00 + number) for number in range(18))
    assert 0.28 * 25 > 7  # as floating point has it
    assert group_near_duplicates([one, other], share=0.28, size=1).tolist() == [0, 0]
    assert group_near_duplicates([one, other], share=0.29, size=1).tolist() == [0, 1]


def test_empty_and_short_texts():
    texts = ["", "李明", "  ", "李 明", "李明先生", ""]
    assert group_near_duplicates(texts, share=0.5).tolist() == [0, 1, 2, 1, 4, 5]
    assert leaking(texts, ["", "李明"], share=0.5).tolist() == [False, True, False, True, False, False]
    assert leaking(texts, [], share=0.5).tolist() == [False] * 6
    assert group_near_duplicates([], share=0.5).tolist() == []
    assert leaking([], ["李明"], share=0.5).tolist() == []
    assert shared_stretches(texts, ["李明", ""]).tolist() == [[1, 0, 2], [3, 0, 2]]
    assert closest(texts, ["李明", "", "李明"]).tolist() == [-1, 0, -1, 0, -1, -1]
    for some, others in ((texts, []), ([], texts), ([], []), ([""], [""])):
        assert shared_stretches(some, others).shape == (0, 3)
        assert closest(some, others).tolist() == [-1] * len(some)


def test_boilerplate_in_thousands_of_texts_is_no_trouble():
    """All pairs of 4000 texts that share a paragraph would be 8 million; the test is that this ends."""
    paragraph = "".join(chr(0x4E00 + number) for number in range(60))
    texts = [paragraph + f"{number:04d}" * 5 for number in range(4000)] + [paragraph[:8] + "别的事情" * 9]
    assert group_near_duplicates(texts, share=0.6).tolist() == [0] * 4000 + [4000]


@pytest.mark.parametrize(("share", "size"), [(0, 8), (-0.5, 8), (0.5, 0)])
def test_senseless_settings_are_refused(share: float, size: int):
    with pytest.raises(ValueError, match=r"(share|size) is"):
        group_near_duplicates(["甲"], share, size)
    with pytest.raises(ValueError, match=r"(share|size) is"):
        leaking(["甲"], ["乙"], share, size)


def test_a_shingle_without_characters_is_refused():
    with pytest.raises(ValueError, match="size is 0"):
        shared_stretches(["甲"], ["乙"], 0)
    with pytest.raises(ValueError, match="size is 0"):
        closest(["甲"], ["乙"], 0)
