"""Span candidates: the stretches of a text that could be an entity, and the features of each.

A candidate is a run of neighbouring words of jieba's segmentation, without punctuation or white space. An entity whose
bounds are not bounds of jieba's words is no candidate, so it cannot be found.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from data.lattice.lexicon import jieba_segmenter
from data.spans import Span

AROUND = 3  # characters of context on each side
# Bounds of a candidate. Their number, and with it the cost, grows with the first; the second leaves out long numbers.
MOST_WORDS = 4
MOST_CHARACTERS = 20


class Candidate(NamedTuple):
    """`text[begin : end + 1]` of a document, given by its number, with the number of its jieba words."""

    document: int
    begin: int
    end: int
    words: int

    def span(self, category: str) -> Span:
        """The candidate as a span of this category."""
        return Span(category, self.begin, self.end)


class Segmenter:
    """jieba's segmentation with its model of unknown words, which recognises many names."""

    def __init__(self) -> None:
        self._tokenizer = jieba_segmenter()

    def words(self, text: str) -> Iterator[str]:
        """All words, punctuation included. Joined they are the text."""
        return self._tokenizer.cut(text)

    def runs(self, text: str) -> Iterator[list[int]]:
        """Stretches without punctuation: where each of their words begins and, last, where the stretch ends."""
        bounds: list[int] = []
        place = 0
        for word in self.words(text):
            if all(character.isalnum() for character in word):
                bounds = bounds or [place]
                bounds.append(place + len(word))
            elif bounds:
                yield bounds
                bounds = []
            place += len(word)
        if bounds:
            yield bounds


def find_candidates(
    document: int,
    text: str,
    segmenter: Segmenter,
    most_words: int = MOST_WORDS,
    most_characters: int = MOST_CHARACTERS,
) -> Iterator[Candidate]:
    """The candidates of a text with at most so many words and characters, by begin and end."""
    for bounds in segmenter.runs(text):
        for first, begin in enumerate(bounds[:-1]):
            for words, after in enumerate(bounds[first + 1 : first + 1 + most_words], start=1):
                if after - begin <= most_characters:
                    yield Candidate(document, begin, after - 1, words)


def features(text: str, candidate: Candidate) -> Iterator[str]:
    """The features of a candidate, as strings to be hashed.

    | beginning | what                                                                                         |
    |-----------|----------------------------------------------------------------------------------------------|
    | c, cc     | a character, a pair of characters inside                                                     |
    | f, ff     | the first character, the first two                                                           |
    | e, ee, eee| the last character, the last two, the last three                                             |
    | s         | the shape: han 汉, digit 0, letter a, other as it is, runs shortened                         |
    | n, w      | number of characters, of words                                                               |
    | -3 ... 3  | the character at that place before or behind                                                 |
    | <<, >>    | the two characters before, behind                                                            |

    The whole form is no feature: with it a classifier would only memorise the dictionary.
    """
    form = text[candidate.begin : candidate.end + 1]
    yield from (f"c {character}" for character in form)
    yield from (f"cc {first}{second}" for first, second in pairwise(form))
    yield f"f {form[0]}"
    yield f"e {form[-1]}"
    # Of a form of two characters, the first two and the last two would be the whole form.
    if len(form) > 2:
        yield f"ff {form[:2]}"
        yield f"ee {form[-2:]}"
    if len(form) > 3:
        yield f"eee {form[-3:]}"
    yield f"s {_shape(form)}"
    yield f"n {len(form)}"
    yield f"w {candidate.words}"
    before = text[max(candidate.begin - AROUND, 0) : candidate.begin].rjust(AROUND, "\0")
    behind = text[candidate.end + 1 : candidate.end + 1 + AROUND].ljust(AROUND, "\0")
    for distance in range(1, AROUND + 1):
        yield f"-{distance} {before[-distance]}"
        yield f"{distance} {behind[distance - 1]}"
    yield f"<< {before[-2:]}"
    yield f">> {behind[:2]}"


def _shape(form: str) -> str:
    """Kinds of characters in their order, runs of equal kinds shortened to one."""
    kinds = ["0" if one.isdigit() else "a" if one.isascii() and one.isalpha() else "汉" if one.isalpha() else one
             for one in form]  # fmt: skip
    return kinds[0] + "".join(kind for last, kind in pairwise(kinds) if kind != last)
