"""Character tags of tagged words, and back."""

import random

from data.lattice.word_tags import TaggedWord, character_tags, decode_words, encode_words, word_tagger

TAGS = ("PER", "p", "LOC")


def test_the_character_tags_of_a_sentence():
    words = [TaggedWord("PER", 0, 1), TaggedWord("p", 2, 2), TaggedWord("LOC", 3, 5)]
    names = character_tags(TAGS)
    assert [names[number] for number in encode_words(words, TAGS, 6)] == [
        "B-PER", "E-PER", "S-p", "B-LOC", "M-LOC", "E-LOC",
    ]  # fmt: skip


def test_words_come_back_from_their_character_tags():
    draw = random.Random(1)
    for length in (0, 1, 2, 30):
        for _ in range(20):
            words, begin = [], 0
            while begin < length:
                end = min(length, begin + draw.randint(1, 4)) - 1
                words.append(TaggedWord(draw.choice(TAGS), begin, end))
                begin = end + 1
            assert decode_words(encode_words(words, TAGS, length), TAGS) == words


def test_no_source_has_no_tagger():
    assert word_tagger("none") is None
