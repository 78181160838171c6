"""Tagged tokens, one on each line, as in CoNLL files."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

from config import CorpusConfig
from data.corpus.corpus_files import read_lines
from data.corpus.document import Document, bare
from data.corpus.reader import Located, Reader
from data.corpus.tag_schemes import LOOKS_LIKE_TAG, TaggedTokens, describe_tags, read_tagged, write_tags
from data.corpus.writer import Writer
from data.problems import Problems

# The token may itself be white space, such as U+3000.
COLUMNS = re.compile(r"(.+?)[ \t]+(?:(.*)[ \t])?(\S+)[ \t]*", re.DOTALL)
SEPARATORS = ",|;"  # that columns may have instead of white space
NUMBERED = re.compile(r"(.+?)([0-9]+)", re.DOTALL)  # a character and its place in its word, as golden-horse has them
SHARE = 0.95  # of the lines of a file that must have a property for it to be the file's; a few may be damaged
SAMPLE_LINES = 1000  # that the layout is chosen by
LINE_BREAK = re.compile("[\r\n]")
BLANK = "\ufeff \t\r\x0b\x0c\x85\xa0\u2028\u2029\u3000"  # characters of a blank line
DOCUMENT_START = "-DOCSTART-"
HEADER_TAGS = {"tag", "tags", "label", "labels", "ner", "ner_tag", "ner_tags"}  # of a first line that names columns
BARE_TAG = re.compile("[A-Za-z][A-Za-z0-9_-]*")


class Columns(NamedTuple):
    """What a line has: its first column, what is between, and its last column."""

    first: str
    middle: str
    tag: str


Split = Callable[[str], Columns | None]  # the columns of a line, or None if it has fewer than two


def read_bmes(corpus: CorpusConfig, problems: Problems) -> Iterator[Located]:
    """Sentences, separated by blank lines. The id is the running number, from 0.

    The first column is the token, the last one its tag; `tag_schemes.py` says which tags are read. White space
    separates columns, or another mark if that reads more lines. A token is one character or more. `-DOCSTART-`
    separates sentences too. Lines that begin with # and do not end in a tag are comments.

    If nearly every token is a character and a number, as in golden-horse's Weibo files, the numbers are left out. If
    the first of three or more columns only counts, the second is the token. A first line that names columns is left
    out.

    Raises:
        UserError: the file is missing or not UTF-8.
    """
    lines = read_lines(Path(corpus.path), surrogates=True)
    first = list(itertools.islice(lines, 2 * SAMPLE_LINES))
    split = choose_split([line for _, line in first])
    sentences = list(_sentences(corpus.path, itertools.chain(first, lines), split, problems))
    yield from read_tagged(_without_numbers(sentences, corpus.path, problems), corpus.path, problems)


def choose_split(lines: Sequence[str]) -> Split:
    """How lines are split into columns: the way that finds most tags in the first lines; of equals white space."""
    filled = _filled(lines)
    ways: list[Split] = [_by_white_space, *(partial(_by_mark, mark) for mark in SEPARATORS)]
    split = max(ways, key=lambda split: sum(_has_tag(line, split) for line in filled))
    rows = [columns for line in filled if _has_tag(line, split) and (columns := split(line))]
    counting = sum(columns.first.isdecimal() and bool(columns.middle.strip()) for columns in rows)
    return partial(_without_first, split) if rows and counting >= SHARE * len(rows) else split


def _filled(lines: Sequence[str]) -> list[str]:
    return [line for line in lines if line.strip() and not line.startswith(DOCUMENT_START)][:SAMPLE_LINES]


def _by_white_space(line: str) -> Columns | None:
    matched = COLUMNS.fullmatch(line)
    return Columns(matched[1], matched[2] or "", matched[3]) if matched else None


def _by_mark(mark: str, line: str) -> Columns | None:
    token, found, rest = line.partition(mark)
    if not token and rest.startswith(mark):  # the mark itself is the token
        token, rest = mark, rest[1:]
    middle, _, tag = rest.rpartition(mark)
    return Columns(token, middle, tag.strip()) if found and token else None


def _without_first(split: Split, line: str) -> Columns | None:
    """The columns after the first, which only counts."""
    columns = split(line)
    if columns is None or not columns.middle:
        return columns
    between = "\t" if "\t" in line else " " if split is _by_white_space else line[len(columns.first)]
    return split(f"{columns.middle.strip()}{between}{columns.tag}")


def _has_tag(line: str, split: Split) -> bool:
    columns = split(line)
    return columns is not None and LOOKS_LIKE_TAG.fullmatch(columns.tag) is not None


def _sentences(path: str, lines: Iterable[tuple[int, str]], split: Split, problems: Problems) -> Iterator[TaggedTokens]:
    running = 0
    sentence = TaggedTokens("0", path, [], [], [])
    one_of_each: dict[str, str] = {}  # saves the memory of equal tokens and tags
    for number, line in itertools.chain(lines, [(0, "")]):
        columns = split(line)
        if line.startswith("#") and not _has_tag(line, split):
            continue
        if columns and running == 0 and not sentence.tokens and columns.tag.lower() in HEADER_TAGS:
            problems.notes.append(f"{path}: line {number} names columns")
            continue
        if line.startswith(DOCUMENT_START) or (columns is None and not line.strip(BLANK)):
            if sentence.tokens:
                yield sentence
                running += 1
                sentence = TaggedTokens(str(running), path, [], [], [])
            continue
        if columns is None and LOOKS_LIKE_TAG.fullmatch(line.strip()):
            problems.add("line without a token", f"{path}:{number}", line.strip())
            columns = Columns("", "", "")  # an unknown tag, so that no span goes across it
        token, _, tag = columns or (line.strip(), "", "")
        sentence.lines.append(number)
        sentence.tokens.append(one_of_each.setdefault(token, token))
        sentence.tags.append(one_of_each.setdefault(tag, tag))
    assert not sentence.tokens, "the last line is blank"


def _without_numbers(sentences: list[TaggedTokens], path: str, problems: Problems) -> list[TaggedTokens]:
    """The sentences with their characters only, if nearly every token is a character and a number."""
    tokens = Counter(token for sentence in sentences for token in sentence.tokens)
    numbered = sum(count for token, count in tokens.items() if NUMBERED.fullmatch(token))
    if numbered < SHARE * tokens.total() or all(map(str.isascii, tokens)):  # such as A1 and B2
        return sentences
    problems.notes.append(f"{path}: the number after each character is left out")

    def character(token: str) -> str:
        # A digit has its own number: 20 is the digit 2 at place 0.
        return token[0] if token[1:].isdecimal() else token.rstrip("0123456789") or token

    return [replace(one, tokens=[character(token) for token in one.tokens]) for one in sentences]


def _is_tagged(lines: Sequence[str]) -> bool:
    filled = [line for line in _filled(lines) if not line.startswith("#")]
    split = choose_split(filled)
    tagged = sum(_has_tag(line, split) for line in filled)
    # Tags without a letter are not read, but the message then names them.
    rows = [columns for line in filled if (columns := _by_white_space(line))]
    bare_tags = sum(
        len(row.first) == 1 and not row.first.isascii() and bool(BARE_TAG.fullmatch(row.tag)) for row in rows
    )
    return bool(filled) and (2 * tagged >= len(filled) or 2 * bare_tags >= len(filled))


def _describe(corpus: CorpusConfig) -> str:
    lines = [line for _, line in read_lines(Path(corpus.path), surrogates=True)]
    split = choose_split(lines)
    return describe_tags(columns.tag for line in lines if (columns := split(line)))


def _write(inside: str, end: str, single: str, documents: Sequence[Document], output: Path, problems: Problems) -> None:
    """Write a character and its tag on each line, and a blank line after each document."""
    with output.open("w", encoding="utf-8", newline="\n") as lines:
        for number, document in enumerate(documents):
            document = _writable(document, problems)
            if number == 0 and document.text.startswith("\ufeff"):
                lines.write("\ufeff")  # readers leave out the first one
            tags = write_tags(document, inside, end, single, problems)
            lines.writelines(f"{character}\t{tag}\n" for character, tag in zip(document.text, tags, strict=True))
            lines.write("\n")


def _writable(document: Document, problems: Problems) -> Document:
    """The document without what a column cannot hold: line breaks, and categories with white space."""
    where = f"document {document.id}"
    text, breaks = LINE_BREAK.subn(" ", document.text)
    if breaks:
        problems.change("line break, written as a blank", where, f"{breaks} characters")
    if not text:
        problems.add("empty text", where)
    for span in document.spans:
        if span.category != bare(span.category):
            problems.add("category with white space", where, repr(span.category), labels=1)
    spans = tuple(span for span in document.spans if span.category == bare(span.category))
    return replace(document, text=text, spans=spans)


READER = Reader(
    labels="the tag after each token, such as B-name",
    read=read_bmes,
    recognises_lines=_is_tagged,
    describe=_describe,
)
WRITERS = {
    "bmes": Writer("a character and its tag on each line, in BMES", partial(_write, "M", "E", "S")),
    "bio": Writer("a character and its tag on each line, in BIO", partial(_write, "I", "I", "B")),
}
