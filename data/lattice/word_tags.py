"""Words of a text with their part-of-speech or entity tags, and the tags of characters that follow from them.

A character tag says where the character is in its word, and the word's tag:

    text            张 三 在 北 京 市
    words           张三 PER  在 p  北京市 LOC
    character tags  B-PER E-PER S-p B-LOC M-LOC E-LOC
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

import numpy as np

PLACES = BEGIN, MIDDLE, END, SINGLE = "BMES"


class TaggedWord(NamedTuple):
    """The word text[begin : end + 1]."""

    tag: str
    begin: int
    end: int


class WordTagger(Protocol):
    """Divides texts into words and tags them.

    Attributes:
        tags: all tags that a word can have.
    """

    tags: tuple[str, ...]

    def read(self, texts: Sequence[str]) -> list[list[TaggedWord]]:
        """The words of each text, in order. They join to the text."""


@functools.cache  # loading takes a tenth of a second
def word_tagger(source: str) -> WordTagger | None:
    """The tagger of a value of `lexicon.tags`, or None for `none`.

    Raises:
        UserError: a package that it needs is missing, or is not the version that was tested.
    """
    if source == "none":
        return None
    from data.lattice.lac_tagger import LacTagger  # here, because only a run with tags needs its packages

    return LacTagger()


def character_tags(tags: Iterable[str]) -> list[str]:
    """The names of all character tags, in order of their numbers."""
    return [f"{place}-{tag}" for tag in tags for place in PLACES]


def encode_words(words: Iterable[TaggedWord], tags: Sequence[str], length: int) -> np.ndarray:
    """int16 (length,), the number of each character's tag. The words join to a text of `length` characters."""
    numbers = {name: number for number, name in enumerate(character_tags(tags))}
    encoded = np.zeros(length, dtype=np.int16)
    for tag, begin, end in words:
        encoded[begin : end + 1] = numbers[f"{MIDDLE}-{tag}"]
        encoded[begin] = numbers[f"{BEGIN}-{tag}"]
        encoded[end] = numbers[f"{SINGLE if begin == end else END}-{tag}"]
    return encoded


def decode_words(encoded: np.ndarray, tags: Sequence[str]) -> list[TaggedWord]:
    """The words of a whole text from the numbers of its character tags; the inverse of `encode_words`."""
    places = encoded % len(PLACES)  # (length,)
    begins = np.flatnonzero((places == PLACES.index(BEGIN)) | (places == PLACES.index(SINGLE)))  # (words,)
    ends = np.append(begins[1:], len(encoded)) - 1  # (words,)
    of_words = encoded[begins] // len(PLACES)  # (words,)
    return [TaggedWord(tags[tag], begin, end)
            for tag, begin, end in zip(of_words.tolist(), begins.tolist(), ends.tolist(), strict=False)]  # fmt: skip
