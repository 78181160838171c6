"""The lexicon: numbered words, and finding them in texts. It also names the tagger of words.

jieba's dictionary is read as data, with `word frequency tag` on each line.
"""

from __future__ import annotations

import functools
import logging
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import ahocorasick
import jieba
from tqdm import tqdm

from data.lattice.word_tags import character_tags, word_tagger
from utils.errors import UserError

_ALL_CHINESE = re.compile(r"[㐀-䶿一-鿿豈-﫿𠀀-𲎯]+")


class Match(NamedTuple):
    """Word number `word` of the lexicon is text[head : tail + 1]."""

    word: int
    head: int
    tail: int


class Lexicon:
    """Numbered words and a way to find them.

    Attributes:
        words: in order of their numbers.
        match: `all` (every word at every place), `segment` (words of jieba's segmentation), or `none`.
        tags: the source of tags, as `lexicon.tags`.
        tagger: of that source, or None. Its words need not be words of the lexicon.

    Raises:
        UserError: a package that the tagger needs is missing.
    """

    def __init__(self, words: list[str], match: str, tags: str = "none") -> None:
        self.words = words
        self.match = match
        self.tags = tags
        self.tagger = word_tagger(tags)
        self._numbers = {word: number for number, word in enumerate(words)}
        self._automaton = _automaton(words) if match == "all" and words else None
        self._segmenter = jieba_segmenter() if match == "segment" and words else None

    @property
    def character_tags(self) -> list[str]:
        """The names of the tags that characters can have, in order of their numbers. Empty without a tagger."""
        return character_tags(self.tagger.tags) if self.tagger else []

    def find(self, text: str) -> list[Match]:
        """All matches in a text, by head, then tail."""
        if self._automaton is not None:
            matches = [
                Match(number, end - len(self.words[number]) + 1, end) for end, number in self._automaton.iter(text)
            ]
            return sorted(matches, key=lambda match: (match.head, match.tail))
        if self._segmenter is not None:
            return list(self._segmented(text, self._segmenter))
        return []

    def _segmented(self, text: str, segmenter: jieba.Tokenizer) -> Iterator[Match]:
        head = 0
        for word in segmenter.cut(text, HMM=False):
            number = self._numbers.get(word)
            if number is not None:
                yield Match(number, head, head + len(word) - 1)
            head += len(word)


def _automaton(words: list[str]) -> ahocorasick.Automaton:
    automaton = ahocorasick.Automaton(ahocorasick.STORE_INTS)
    for number, word in enumerate(tqdm(words, "lexicon", unit="word", delay=1)):
        automaton.add_word(word, number)
    automaton.make_automaton()
    return automaton


@functools.cache  # loading takes about a second
def jieba_segmenter() -> jieba.Tokenizer:
    """jieba's segmenter with its own dictionary. It prints nothing when it loads."""
    jieba.setLogLevel(logging.WARNING)
    return jieba.Tokenizer()


def jieba_words(shortest: int = 2) -> list[str]:
    """The all-Chinese words of jieba's dictionary: 337,394 of two or more characters."""
    path = Path(jieba.__file__).with_name("dict.txt")
    with path.open(encoding="utf-8") as lines:
        return list(usable_words((line.split(" ", 1)[0] for line in lines), shortest))


def usable_words(words: Iterable[str], shortest: int = 2) -> Iterator[str]:
    """The words that can be lattice nodes: all-Chinese, of at least `shortest` characters, without repetitions."""
    seen = set()
    for word in words:
        if len(word) >= shortest and word not in seen and _ALL_CHINESE.fullmatch(word):
            seen.add(word)
            yield word


def save_words(words: list[str], path: Path) -> None:
    """Write one word on each line, in order of their numbers."""
    path.write_text("".join(f"{word}\n" for word in words), encoding="utf-8", newline="\n")


def load_words(path: Path) -> list[str]:
    """Read what `save_words` wrote.

    Raises:
        UserError: the file is missing.
    """
    try:
        return path.read_text(encoding="utf-8").split("\n")[:-1]
    except FileNotFoundError:
        raise UserError(f"{path}: the lexicon is missing; the folder is incomplete, make it again") from None
