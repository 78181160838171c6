"""Makes a sample corpus in the layout of the CCF corpus, to try and test the system without real data.

    folder/train_data/N.txt   folder/train_label/N.csv   folder/test_data/N.txt   folder/test_label/N.csv

Its texts come from a grammar (`grammar.py`, `themes.py`) and a random seed. With noise, train_label holds the noisy
labels and train_label_clean the true ones.
"""

from __future__ import annotations

import json
import random
import re
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from data.corpus.document import Document, category_counts
from data.corpus.format_ccf import write_ccf, write_label_files
from data.noise.noise import NoiseRates, add_noise
from data.sample.grammar import CATEGORIES, PAIRS, PATTERNS, RARE, RARE_SHARE, WORDS
from data.sample.themes import ANYWHERE, THEMES
from data.spans import Span, sorted_spans
from utils.errors import UserError
from utils.files import atomic_folder, check_writable
from utils.json_values import parse_json

MARKER = ".sample"  # a file in folders that write_sample made, with their settings
PARTS = ("train_data", "train_label", "train_label_clean", "test_data", "test_label")

TEST_SHARE = 3  # one in three pairs of ingredients belongs to the test part
LONG_SHARE = 0.05  # documents of several themes, long enough to be cut into segments

CHOICE = re.compile(r"\[([^\[\]]*)\]")
SLOT = re.compile(r"\{([A-Za-z_]+)(\d?)\}|[#$~]")
MARK = re.compile(r"<([A-Za-z]+):|>")


# -------------------------------------------------------------------------------------------------------------- texts


def make_documents(count: int, seed: int, part: Literal["train", "test"]) -> list[Document]:
    """Make `count` documents with ids 0, 1, 2 ..., which depend only on seed and part.

    A larger count adds documents and keeps the others. Both parts share sentences and ingredients, but not the names
    made of ingredients.

    Raises:
        ValueError: the part is neither train nor test.
    """
    if part not in ("train", "test"):
        raise ValueError(f"part is {part!r}; it must be train or test")
    return [_make_document(index, seed, part) for index in range(count)]


def _make_document(index: int, seed: int, part: str) -> Document:
    draw = random.Random(zlib.crc32(f"{seed}/{part}/{index}".encode()))
    writer = _Writer(draw, part)
    themes = 3 if draw.random() < LONG_SHARE else 1
    text, spans = read_marks("\n".join(writer.write_theme(long=themes > 1) for _ in range(themes)))
    return Document(str(index), text, spans)


class _Writer:
    """Expands patterns into text with `<category:...>` around every labelled span."""

    def __init__(self, draw: random.Random, part: str) -> None:
        self.draw = draw
        self.part = part
        self.cast: dict[str, str] = {}  # numbered symbols of this theme, so that {name1} is the same person everywhere

    def write_theme(self, long: bool) -> str:
        """An opening, some body sentences, perhaps an unrelated sentence, and perhaps a closing."""
        self.cast = {}
        theme = self.pick(THEMES)
        body = self.several(theme.body, 5 if long else int(self.draw.random() * 5))
        if self.draw.random() < 0.5:
            body.insert(int(self.draw.random() * (len(body) + 1)), self.pick(ANYWHERE))
        closing = [self.pick(theme.closings)] if self.draw.random() < 0.45 or not body else []
        between = self.pick(("", "", "", "", "\n", "\n　　", " "))
        sentences = [self.expand(pattern) for pattern in (self.pick(theme.openings), *body, *closing)]
        return between.join(sentences)

    def expand(self, pattern: str) -> str:
        """The pattern with its choices made and its slots filled."""
        chosen = CHOICE.sub(lambda match: self.pick(match[1].split("/")), pattern)
        return SLOT.sub(self._fill, chosen)

    def _fill(self, slot: re.Match[str]) -> str:
        if slot[0] in "#$~":
            return self.pick({"#": "0123456789", "$": "123456789", "~": "abcdefghjkmnpqrstuvwxyz"}[slot[0]])
        symbol, number = slot[1], slot[2]
        if not number:
            return self.fill(symbol)
        if slot[0] not in self.cast:
            self.cast[slot[0]] = self.fill(symbol)
        return self.cast[slot[0]]

    def fill(self, symbol: str) -> str:
        """One word or expanded pattern of the symbol, marked when the symbol is a category."""
        if symbol in PAIRS:
            return self._pair(*PAIRS[symbol])
        if symbol in WORDS:
            return self.pick(WORDS[symbol])
        rare = symbol in RARE and self.draw.random() < RARE_SHARE
        text = self.expand(self.pick((RARE if rare else PATTERNS)[symbol]))
        return f"<{symbol}:{text}>" if symbol in CATEGORIES else text

    def _pair(self, first: Sequence[str], second: Sequence[str]) -> str:
        """Two ingredients whose pair belongs to this part of the corpus."""
        while True:
            left, right = int(self.draw.random() * len(first)), int(self.draw.random() * len(second))
            if ((left + right) % TEST_SHARE == 0) == (self.part == "test"):
                return first[left] + second[right]

    def several(self, options: Sequence[str], count: int) -> list[str]:
        """`count` different options in any order."""
        return sorted(options, key=lambda _: self.draw.random())[:count]

    def pick(self, options: Sequence[Any]) -> Any:
        """One option. Only `random()` promises the same numbers in every version of Python."""
        return options[int(self.draw.random() * len(options))]


def read_marks(marked: str) -> tuple[str, tuple[Span, ...]]:
    """The text without its `<category:...>` marks, which may be nested, and the spans that they mark."""
    pieces: list[str] = []
    spans: list[Span] = []
    opened: list[tuple[str, int]] = []
    length = position = 0
    for mark in MARK.finditer(marked):
        pieces.append(marked[position : mark.start()])
        length += mark.start() - position
        position = mark.end()
        if mark[1]:
            opened.append((mark[1], length))
        else:
            category, begin = opened.pop()
            spans.append(Span(category, begin, length - 1))
    pieces.append(marked[position:])
    return "".join(pieces), sorted_spans(spans)


# -------------------------------------------------------------------------------------------------------------- files


@dataclass(frozen=True)
class SampleReport:
    """The contents of a sample folder.

    Attributes:
        folder: its path.
        written: False if the folder already held this sample.
        train, test: documents of each part.
        train_spans, test_spans: true spans of each part by category.
        settings: that shaped the sample, as in its marker file.
    """

    folder: Path
    written: bool
    train: int
    test: int
    train_spans: dict[str, int]
    test_spans: dict[str, int]
    settings: dict[str, Any]

    def summary(self) -> str:
        """One line for the terminal."""
        done = "wrote" if self.written else "already there:"
        return (
            f"{done} {self.folder}: {self.train} training documents with {sum(self.train_spans.values())} spans, "
            f"{self.test} test documents with {sum(self.test_spans.values())} spans"
        )


def write_sample(folder: Path, train: int, test: int, seed: int, noise: NoiseRates | None = None) -> SampleReport:
    """Write a sample corpus of `train` and `test` documents into `folder`, whole or not at all.

    A sample of other settings in the folder is replaced. A sample of the same settings is kept.

    Raises:
        UserError: the folder holds anything else or cannot be written, or a part would be empty.
    """
    if train < 1 or test < 1:
        raise UserError(f"a sample of {train} training and {test} test documents; each part needs at least 1")
    folder = Path(folder)
    settings = {
        "train": train,
        "test": test,
        "seed": seed,
        "noise": asdict(noise) if noise else None,
        "grammar": zlib.crc32(repr((PAIRS, WORDS, PATTERNS, RARE, RARE_SHARE, ANYWHERE, THEMES)).encode()),
    }
    check_writable(folder.parent)  # first, because it clears what a killed process left beside a finished sample
    found = _read_marker(folder)
    if found and found["settings"] == settings:
        return SampleReport(folder, False, **found)
    _refuse_foreign(folder)
    parts = {"train": make_documents(train, seed, "train"), "test": make_documents(test, seed, "test")}
    counts = {f"{part}_spans": dict(category_counts(documents)) for part, documents in parts.items()}
    report: dict[str, Any] = {"train": train, "test": test, **counts, "settings": settings}
    _write_folder(folder, parts["train"], parts["test"], noise, seed, report)
    return SampleReport(folder, True, **report)


def _read_marker(folder: Path) -> dict[str, Any] | None:
    """The contents of the folder's marker, or None if it cannot be read."""
    try:
        found = parse_json((folder / MARKER).read_text(encoding="utf-8"))
        return found if "settings" in found else None
    except (OSError, ValueError):
        return None


def _refuse_foreign(folder: Path) -> None:
    """Raise UserError if the folder holds files that write_sample did not make, which would be lost."""
    if not folder.exists():
        return
    names = {path.name for path in folder.iterdir()} if folder.is_dir() else {folder.name}
    if names and (MARKER not in names or (foreign := names - {MARKER, *PARTS})):
        what = ", ".join(sorted(foreign)) if MARKER in names else "a folder or file that is not a sample"
        raise UserError(f"{folder}: holds {what}, and a sample would replace it; move it or choose another folder")


def _write_folder(
    folder: Path,
    train: Sequence[Document],
    test: Sequence[Document],
    noise: NoiseRates | None,
    seed: int,
    report: dict[str, Any],
) -> None:
    with atomic_folder(folder) as new:
        write_ccf(train, new / "train_data", new / "train_label_clean" if noise else new / "train_label")
        if noise:
            write_label_files(add_noise(train, noise, seed), new / "train_label")
        write_ccf(test, new / "test_data", new / "test_label")
        (new / MARKER).write_text(json.dumps(report, ensure_ascii=False, indent=1), encoding="utf-8")
