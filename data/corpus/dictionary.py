"""A dictionary of surface forms, each with its category, and the labels it gives a text by maximum matching.

On disk it is a text file with a surface form, a tab and its category on each line.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import ahocorasick

from data.corpus.corpus_files import read_lines
from data.corpus.document import Document
from data.problems import Problems
from data.spans import Span
from utils.errors import UserError
from utils.files import write_text

Dictionary = dict[str, str]  # surface form -> category


def read_dictionary(path: Path, problems: Problems) -> Dictionary:
    """Read a dictionary. A form that stands there with two categories says nothing and is dropped.

    Raises:
        UserError: no such file, not UTF-8, a line that is not `form<tab>category`, or nothing left in it.
    """
    dictionary: Dictionary = {}
    ambiguous: set[str] = set()
    for number, line in read_lines(path):
        if not line.strip():
            continue
        form, _, category = line.partition("\t")
        if not form.strip() or not category.strip() or "\t" in category:
            raise UserError(f"{path}:{number}: expected a surface form, a tab and its category, found {line[:60]!r}")
        if dictionary.setdefault(form, category) != category:
            ambiguous.add(form)
    for form in sorted(ambiguous):
        del dictionary[form]
        problems.add("surface form of several categories", str(path), repr(form))
    if not dictionary:
        raise UserError(f"{path}: no surface form in it; take one from labels with preprocess.py --dictionary CORPUS")
    return dictionary


def write_dictionary(dictionary: Dictionary, path: Path) -> None:
    """Write what `read_dictionary` reads, by category and form, whole or not at all."""
    lines = sorted(dictionary.items(), key=lambda entry: (entry[1], entry[0]))
    write_text(path, "".join(f"{form}\t{category}\n" for form, category in lines))


def read_forms(path: Path) -> set[str]:
    """Surface forms, or ids, one on each line; what follows a tab is not looked at.

    Raises:
        UserError: no such file, not UTF-8, or nothing in it.
    """
    forms = {line.partition("\t")[0] for _, line in read_lines(path)} - {""}
    if not forms:
        raise UserError(f"{path}: empty; it should have an entry on each line")
    return forms


class Matcher:
    """Finds the forms of a dictionary in texts.

    A form stands at every place where its characters do, but letters and digits are not cut out of a longer run of
    them: `123` is not found in `0123`, nor `QQ` in `QQs`. Chinese has no such boundaries.
    """

    def __init__(self, dictionary: Dictionary) -> None:
        self.dictionary = dictionary
        self._automaton = ahocorasick.Automaton()
        for form in dictionary:
            self._automaton.add_word(form, form)
        self._automaton.make_automaton()

    def occurrences(self, text: str) -> Iterable[tuple[str, int]]:
        """Every form that stands in a text, with the place of its first character; they may overlap."""
        if not self.dictionary:
            return
        for last, form in self._automaton.iter(text):
            first = last + 1 - len(form)
            if not _joined(text, first) and not _joined(text, last + 1):
                yield form, first

    def match(self, text: str) -> tuple[Span, ...]:
        """Forward maximum matching: from the left, at each place the longest form; the search goes on behind it.

        Algorithm 1 of Peng et al., "Distantly Supervised Named Entity Recognition using Positive-Unlabeled Learning"
        (ACL 2019), on characters instead of words, and without its limit on the length of a form.
        """
        longest: dict[int, int] = {}
        for form, first in self.occurrences(text):
            longest[first] = max(longest.get(first, 0), len(form))
        spans, free = [], 0
        for first, length in sorted(longest.items()):
            if first >= free:
                free = first + length
                spans.append(Span(self.dictionary[text[first:free]], first, free - 1))
        return tuple(spans)


def label(documents: Iterable[Document], dictionary: Dictionary) -> list[Document]:
    """The same texts with the labels that maximum matching gives them, and no others."""
    matcher = Matcher(dictionary)
    return [replace(document, spans=matcher.match(document.text), doubtful=()) for document in documents]


def _joined(text: str, place: int) -> bool:
    """Whether the characters before and at a place belong to one run of ASCII letters and digits."""
    return 0 < place < len(text) and all(one.isascii() and one.isalnum() for one in text[place - 1 : place + 1])
