"""Features of characters for a linear-chain CRF: the characters around, their kinds, and the words they are in.

The templates follow Zhao and Kit, "Unsupervised Segmentation Helps Supervised Learning of Character Tagging for Word
Segmentation and Named Entity Recognition", SIGHAN 2008. They are characters and pairs of neighbours within two places,
kinds of characters, and tags of dictionary words. With `lexicon.tags` come the tags of the character, of its neighbours
and of both together.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from data.lattice.lattice import LatticeSlice

BEFORE_TEXT, AFTER_TEXT = "<s>", "</s>"
LONGEST = 6  # longer words count as this long


def kind_of(character: str) -> str:
    """The kind of a character, as one letter.

    | letter | kind              | letter | kind               |
    |--------|-------------------|--------|--------------------|
    | c      | Chinese           | s      | white space        |
    | d      | digit             | p      | punctuation        |
    | a      | Latin letter      | o      | anything else      |
    """
    if character.isspace():
        return "s"
    if character.isdigit():
        return "d"
    category = unicodedata.category(character)
    if category.startswith(("P", "S")):
        return "p"
    if category.startswith("L"):
        return "a" if unicodedata.name(character, "").startswith(("LATIN", "FULLWIDTH LATIN")) else "c"
    return "o"


def features_of(text: str, lattice: LatticeSlice, words: list[str], tags: Sequence[str] = ()) -> list[list[str]]:
    """The features of every character.

    Args:
        text: the whole text.
        lattice: of the whole text.
        words: of the lexicon. Word number n of the lattice is words[n - 1].
        tags: the names of the lattice's tags, if it has any.
    """
    characters = [BEFORE_TEXT, BEFORE_TEXT, *map(_visible, text), AFTER_TEXT, AFTER_TEXT]
    kinds = "".join(["^^", *map(kind_of, text), "$$"])
    in_words = _word_features(len(text), lattice, words)
    of_tags = _tag_features(lattice, tags)
    rows = []
    for place in range(2, len(text) + 2):
        around = characters[place - 2 : place + 3]
        row = ["1"]
        row += [f"c{offset}={character}" for offset, character in zip(range(-2, 3), around, strict=True)]
        row += [f"c{offset}{offset + 1}={around[offset + 2]}{around[offset + 3]}" for offset in range(-2, 2)]
        row += [f"c-11={around[1]}{around[3]}", f"k={kinds[place]}", f"k3={kinds[place - 1 : place + 2]}",
                f"k5={kinds[place - 2 : place + 3]}"]  # fmt: skip
        rows.append(row + in_words[place - 2] + (of_tags[place - 2] if of_tags else []))
    return rows


def _visible(character: str) -> str:
    """A line break or a space would end the line on which CRFsuite lists a feature."""
    return character if character.isprintable() and character != " " else f"U+{ord(character):04X}"


def _word_features(length: int, lattice: LatticeSlice, words: list[str]) -> list[list[str]]:
    """The tags of each character in the words around it, and the words that begin or end with it."""
    rows: list[dict[str, None]] = [{} for _ in range(length)]
    for number, head, tail in zip(*(row.tolist() for row in lattice[1:4]), strict=True):
        size = min(tail - head + 1, LONGEST)
        if head == tail:
            rows[head]["wS"] = None
            continue
        rows[head] |= {f"wB{size}": None, f"wB={words[number - 1]}": None}
        rows[tail] |= {f"wE{size}": None, f"wE={words[number - 1]}": None}
        for place in range(head + 1, tail):
            rows[place][f"wM{size}"] = None
    return [list(row) or ["wO"] for row in rows]


def _tag_features(lattice: LatticeSlice, tags: Sequence[str]) -> list[list[str]]:
    """The tags of each character and its neighbours, and pairs of them. Empty if the lattice has none."""
    if lattice.tags is None:
        return []
    numbers = lattice.tags.tolist()
    names = [BEFORE_TEXT, *(tags[number] for number in numbers), AFTER_TEXT]
    return [
        [f"t-1={before}", f"t0={own}", f"t1={after}", f"t-10={before}{own}", f"t01={own}{after}"]
        for before, own, after in zip(names, names[1:], names[2:], strict=False)
    ]
