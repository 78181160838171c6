"""Lattices: texts as arrays of tokens and of the words found in them.

A lattice is made of a whole document. Training segments and prediction windows are slices of it, so that a cut of the
text does not change which words are found.

D documents, C characters of all documents, M words of all documents.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import NamedTuple

import numpy as np

from data.lattice.lexicon import Lexicon
from data.lattice.tokenizer import Vocabulary
from data.lattice.word_tags import encode_words


class LatticeSlice(NamedTuple):
    """Part of a document. Heads and tails count from its first character. Word numbers count from 1; 0 is the pad.

    Tags are None if `lexicon.tags` is none. The words that they come from may go beyond the part.
    """

    tokens: np.ndarray  # int32 (characters,)
    words: np.ndarray  # int32 (words,)
    heads: np.ndarray  # int32 (words,)
    tails: np.ndarray  # int32 (words,)
    tags: np.ndarray | None = None  # int16 (characters,)


@dataclass
class Lattices:
    """The lattices of many documents, joined into a few arrays that can be memory-mapped.

    Attributes:
        tokens: int32 (C,) numbers of tokens in the vocabulary.
        token_offsets: int64 (D + 1,); document d is tokens[token_offsets[d] : token_offsets[d + 1]].
        words: int32 (M,) numbers from 1.
        heads, tails: int32 (M,) first and last character of each word in its document, sorted by head.
        word_offsets: int64 (D + 1,) as token_offsets, for words, heads and tails.
        tags: int16 (C,) numbers of tags (data/lattice/word_tags.py), or None.
    """

    tokens: np.ndarray
    token_offsets: np.ndarray
    words: np.ndarray
    heads: np.ndarray
    tails: np.ndarray
    word_offsets: np.ndarray
    tags: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.token_offsets) - 1

    def length(self, document: int) -> int:
        """How many characters a document has."""
        return int(self.token_offsets[document + 1] - self.token_offsets[document])

    def slice(self, document: int, begin: int, end: int) -> LatticeSlice:
        """Characters begin to end (exclusive) of a document, and the words wholly inside."""
        first_token = self.token_offsets[document]
        first, last = self.word_offsets[document], self.word_offsets[document + 1]
        from_here, to_here = first + np.searchsorted(self.heads[first:last], [begin, end])
        tails = self.tails[from_here:to_here]
        inside = tails < end
        return LatticeSlice(
            self.tokens[first_token + begin : first_token + end],
            self.words[from_here:to_here][inside],
            self.heads[from_here:to_here][inside] - begin,
            tails[inside] - begin,
            None if self.tags is None else self.tags[first_token + begin : first_token + end],
        )

    def has_tags_of(self, lexicon: Lexicon) -> bool:
        """Whether every character has a tag of the lexicon's tagger, or none has a tag and there is no tagger."""
        if self.tags is None or lexicon.tagger is None:
            return self.tags is None and lexicon.tagger is None
        known = self.tags.max(initial=0) < len(lexicon.character_tags) and self.tags.min(initial=0) >= 0
        return bool(known) and len(self.tags) == len(self.tokens)

    def save(self, folder: Path) -> None:
        """Write each array as a .npy file."""
        for array in fields(self):
            if (values := getattr(self, array.name)) is not None:
                np.save(folder / f"{array.name}.npy", values, allow_pickle=False)

    @classmethod
    def load(cls, folder: Path) -> Lattices:
        """Map the arrays that `save` wrote into memory."""
        paths = {array.name: folder / f"{array.name}.npy" for array in fields(cls)}
        if not paths["tags"].exists():
            del paths["tags"]
        return cls(**{name: np.load(path, mmap_mode="r", allow_pickle=False) for name, path in paths.items()})


def build_lattices(texts: Iterable[str], vocabulary: Vocabulary, lexicon: Lexicon) -> Lattices:
    """The lattice of each text."""
    read, tokens, words, heads, tails = [], [], [], [], []
    for text in texts:
        read.append(text)
        tokens.append(vocabulary.encode(text))
        matches = np.array(lexicon.find(text), dtype=np.int32).reshape(-1, 3)
        words.append(matches[:, 0] + 1)
        heads.append(matches[:, 1])
        tails.append(matches[:, 2])
    return Lattices(_joined(tokens), _offsets(tokens), _joined(words), _joined(heads), _joined(tails), _offsets(words),
                    _tags(read, lexicon))  # fmt: skip


def _tags(texts: list[str], lexicon: Lexicon) -> np.ndarray | None:
    """int16 (C,), the tags of the characters of all texts, or None if the lexicon has no tagger."""
    if lexicon.tagger is None:
        return None
    numbers = (encode_words(words, lexicon.tagger.tags, len(text))
               for text, words in zip(texts, lexicon.tagger.read(texts), strict=True))  # fmt: skip
    return np.concatenate([np.zeros(0, dtype=np.int16), *numbers])


def _joined(parts: list[np.ndarray]) -> np.ndarray:
    return np.concatenate(parts).astype(np.int32) if parts else np.zeros(0, dtype=np.int32)


def _offsets(parts: list[np.ndarray]) -> np.ndarray:
    return np.concatenate([[0], np.cumsum([len(part) for part in parts], dtype=np.int64)]).astype(np.int64)
