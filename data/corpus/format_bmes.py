"""Tagged characters, one on each line, as in CoNLL files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from config import CorpusConfig
from data.corpus.corpus_files import read_lines
from data.corpus.document import Document
from data.corpus.reader import Located, Reader
from data.problems import Problems
from data.spans import Span, sorted_spans

# The character may itself be white space, such as U+3000.
LINE = re.compile(r"(.)[ \t]+(\S+)[ \t]*")
TAG = re.compile(r"O|[BIMES]-\S+")


def is_tagged(line: str) -> bool:
    """Whether a line is one character and a tag of BMES, BIOES or BIO."""
    matched = LINE.fullmatch(line)
    return matched is not None and TAG.fullmatch(matched[2]) is not None


class Tagged(NamedTuple):
    """A character of a sentence, its tag, and the number of its line."""

    line: int
    character: str
    tag: str


def read_bmes(corpus: CorpusConfig, problems: Problems) -> Iterator[Located]:
    """Sentences, separated by blank lines. The id is the running number, from 0.

    | scheme | span of one character | of three     | a span ends                 |
    |--------|-----------------------|--------------|-----------------------------|
    | BMES   | S-X                   | B-X M-X E-X  | at its E                    |
    | BIOES  | S-X                   | B-X I-X E-X  | at its E                    |
    | BIO    | B-X                   | B-X I-X I-X  | at the last of the I-X      |

    A file with an E, M or S anywhere is BMES or BIOES. In such a file, a B without an E is broken. Broken tags are
    reported and their span is dropped; the sentence is kept.

    Raises:
        UserError: the file is missing or not UTF-8.
    """
    sentences = list(_sentences(corpus, problems))
    closes = any(tagged.tag[0] in "EMS" for sentence in sentences for tagged in sentence)
    for running, sentence in enumerate(sentences):
        text = "".join(tagged.character for tagged in sentence)
        spans = _spans(sentence, closes, corpus.path, problems)
        yield Located(f"{corpus.path}:{sentence[0].line}", Document(str(running), text, sorted_spans(spans)))


def _sentences(corpus: CorpusConfig, problems: Problems) -> Iterator[list[Tagged]]:
    sentence: list[Tagged] = []
    for number, line in read_lines(Path(corpus.path)):
        if matched := LINE.fullmatch(line):
            character, tag = matched.groups()
            if not TAG.fullmatch(tag):
                problems.change("unknown tag, read as O", f"{corpus.path}:{number}", repr(tag))
                tag = "O"
            sentence.append(Tagged(number, character, tag))
        elif line.strip():
            problems.add("line is not one character and a tag", f"{corpus.path}:{number}", repr(line[:80]))
        elif sentence:
            yield sentence
            sentence = []
    if sentence:
        yield sentence


def _spans(sentence: list[Tagged], closes: bool, path: str, problems: Problems) -> Iterator[Span]:
    """The spans of a sentence. With `closes`, every B needs an E."""
    # The category of the current span, "" outside, and its first place: None if it is broken, and reported already.
    category: str = ""
    begin: int | None = None

    def broken(line: int, detail: str) -> None:
        problems.add("broken tags", f"{path}:{line}", detail)

    for position, (line, _, tag) in enumerate([*sentence, Tagged(sentence[-1].line, "", "O")]):
        kind, _, name = tag.partition("-")
        if kind in "OBS":
            if begin is not None and closes:
                broken(sentence[position - 1].line, f"B-{category} is not closed by E-{category}")
            elif begin is not None:
                yield Span(category, begin, position - 1)
            category, begin = (name, position) if kind == "B" else ("", None)
            if kind == "S":
                yield Span(name, position, position)
            continue
        if name != category:
            if begin is not None or not category:
                broken(line, f"{tag} after B-{category}" if category else f"{tag} without a B-{name}")
            category, begin = name, None
        if kind == "E":
            if begin is not None:
                yield Span(category, begin, position)
            category, begin = "", None


READER = Reader(
    files="a character and a tag a line",
    labels="the tag after each character, such as B-name",
    read=read_bmes,
    recognises_lines=lambda lines: any(map(is_tagged, lines)),
)
