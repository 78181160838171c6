"""A dictionary of surface forms and their categories, and the labels that maximum matching with it gives a text.

Its file has a surface form, a tab and a category on each line.
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
    """Read a dictionary. A form with two categories is dropped, with a line in `problems`.

    Raises:
        UserError: the file is missing, is not UTF-8, has a line other than `form<tab>category`, or has no usable form.
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
        raise UserError(f"{path}: no surface form in it; make one with preprocess.py --dictionary CORPUS")
    return dictionary


def write_dictionary(dictionary: Dictionary, path: Path) -> None:
    """Write a file for `read_dictionary`, sorted by category and form, whole or not at all."""
    lines = sorted(dictionary.items(), key=lambda entry: (entry[1], entry[0]))
    write_text(path, "".join(f"{form}\t{category}\n" for form, category in lines))


def read_forms(path: Path) -> set[str]:
    """Read surface forms, or ids, one on each line. Anything after a tab is ignored.

    Raises:
        UserError: the file is missing, is not UTF-8, or is empty.
    """
    forms = {line.partition("\t")[0] for _, line in read_lines(path)} - {""}
    if not forms:
        raise UserError(f"{path}: empty; write an entry on each line")
    return forms


class Matcher:
    """Finds the forms of a dictionary in texts.

    Runs of ASCII letters and digits are not cut: `123` is not found in `0123`, nor `QQ` in `QQs`. Other characters
    have no such boundaries.
    """

    def __init__(self, dictionary: Dictionary) -> None:
        self.dictionary = dictionary
        self._automaton = ahocorasick.Automaton()
        for form in dictionary:
            self._automaton.add_word(form, form)
        self._automaton.make_automaton()

    def occurrences(self, text: str) -> Iterable[tuple[str, int]]:
        """Every form in a text, with the place of its first character. Forms may overlap."""
        if not self.dictionary:
            return
        for last, form in self._automaton.iter(text):
            first = last + 1 - len(form)
            if not _joined(text, first) and not _joined(text, last + 1):
                yield form, first

    def match(self, text: str) -> tuple[Span, ...]:
        """Forward maximum matching: from left to right, take the longest form at a place and continue after it.

        Algorithm 1 of Peng et al., "Distantly Supervised Named Entity Recognition using Positive-Unlabeled Learning"
        (ACL 2019). It works on characters instead of words, and does not limit the length of a form.
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
    """The same texts, with the labels of maximum matching instead of their own."""
    matcher = Matcher(dictionary)
    return [replace(document, spans=matcher.match(document.text), doubtful=()) for document in documents]


def _joined(text: str, place: int) -> bool:
    """Whether the characters before and at a place belong to one run of ASCII letters and digits."""
    return 0 < place < len(text) and all(one.isascii() and one.isalnum() for one in text[place - 1 : place + 1])
