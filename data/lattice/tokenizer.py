"""A tokenizer that makes each character one token, so that offsets are exact.

A character that is not in the vocabulary is looked up in its compatibility form (NFKC) and in lower case, then becomes
`[UNK]`.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from data.lattice.encoder_files import VOCABULARY_FILES, find_encoder_file, unavailable
from utils.errors import UserError
from utils.json_values import parse_json

UNWRITABLE = re.compile("[\n\r\ud800-\udfff]")
MOST_ROWS = 10_000_000  # of an embedding table; a larger number in a file is damage
SPECIALS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


class Vocabulary:
    """Maps characters to rows of the encoder's embedding table.

    Attributes:
        tokens: every token of the encoder in the order of its rows. Only single characters are looked up.
        pad, unknown, begin, end: rows of [PAD], [UNK], [CLS] and [SEP].
        mask: row of [MASK], or None if there is none.

    Raises:
        UserError: the vocabulary lacks one of the first four.
    """

    def __init__(self, tokens: list[str]) -> None:
        # vocabulary.txt has a token on each line of UTF-8, so these tokens could not be written and read back.
        tokens = ["" if UNWRITABLE.search(token) else token for token in tokens]
        rows = {token: row for row, token in enumerate(tokens)}
        missing = [special for special in SPECIALS[:4] if special not in rows]
        if missing:
            raise UserError(f"the vocabulary lacks {' '.join(missing)}; take all tokens of a BERT-like encoder")
        self.tokens = tokens
        self.pad, self.unknown, self.begin, self.end = (rows[special] for special in SPECIALS[:4])
        self.mask = rows.get(SPECIALS[4])
        self._rows = {token: row for token, row in rows.items() if len(token) == 1}
        self._learned: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self.tokens)

    def encode(self, text: str) -> np.ndarray:
        """int32 (characters,), the row of each character."""
        return np.fromiter(map(self.row, text), dtype=np.int32, count=len(text))

    def row(self, character: str) -> int:
        row = self._rows.get(character)
        if row is None:
            row = self._learned.get(character)
        if row is None:
            row = self._learned[character] = self._look_further(character)
        return row

    def _look_further(self, character: str) -> int:
        compatible = unicodedata.normalize("NFKC", character)
        for form in (compatible, character.lower(), compatible.lower()):
            if form in self._rows:
                return self._rows[form]
        return self.unknown

    def save(self, path: Path) -> None:
        """Write one token on each line, in the order of the rows."""
        path.write_text("".join(f"{token}\n" for token in self.tokens), encoding="utf-8", newline="\n")

    @classmethod
    def load(cls, path: Path) -> Vocabulary:
        """Read what `save` wrote, or an encoder's vocab.txt.

        Raises:
            UserError: it lacks [PAD], [UNK], [CLS] or [SEP].
        """
        # str.splitlines would also split at U+2028 and others, which may be tokens.
        tokens = path.read_text(encoding="utf-8-sig").rstrip("\n").split("\n")
        try:
            return cls(tokens)
        except UserError as error:
            raise UserError(f"{path}: {error}") from None

    @classmethod
    def from_texts(cls, texts: Iterable[str], min_count: int = 2) -> Vocabulary:
        """For an encoder from scratch: the characters that occur `min_count` times or more, most frequent first."""
        counts = Counter(character for text in texts for character in text)
        learnable = (c for c, n in counts.items() if n >= min_count and c not in "\n\r")
        return cls([*SPECIALS, *sorted(learnable, key=lambda c: (-counts[c], c))])


def encoder_vocabulary(name: str) -> Vocabulary:
    """The vocabulary of an encoder, from `vocab.txt` or `tokenizer.json` in its folder or at its hub id.

    Raises:
        UserError: there is neither file, or it is damaged.
    """
    for filename in VOCABULARY_FILES:
        path = find_encoder_file(name, filename)
        if path is None:
            continue
        try:
            if filename == "vocab.txt":
                return Vocabulary.load(path)
            rows = parse_json(path.read_text(encoding="utf-8-sig"))["model"]["vocab"]
            if not 0 <= max(rows.values(), default=0) < MOST_ROWS or min(rows.values(), default=0) < 0:
                raise ValueError("a row of its vocabulary is out of range")
            tokens = [""] * (max(rows.values(), default=0) + 1)  # rows without a token stay empty
            for token, row in rows.items():
                tokens[row] = token
            return Vocabulary(tokens)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise UserError(
                f"{path}: not the vocabulary of a BERT-like encoder ({type(error).__name__}: {error}); "
                "fetch it again, or choose another encoder.name"
            ) from None
    raise unavailable(name)
