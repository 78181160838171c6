"""Texts to predict on."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TextIO

from config import CorpusConfig
from data.corpus.corpus_files import decode_lines, is_tree, named_files, printable, require
from data.corpus.document import Document
from data.corpus.format_jsonl import read_jsonl
from data.corpus.label_check import LONE_SURROGATE
from data.corpus.reader import Located
from data.problems import Problems
from utils.errors import UserError


def read_texts(path: Path | None, stream: TextIO | None, problems: Problems) -> Iterator[Document]:
    """Yield texts one at a time. An empty text is a document too, so that every input has an answer.

    | input                     | documents                                                     | second id            |
    |---------------------------|---------------------------------------------------------------|----------------------|
    | a folder or zip of `.txt` | one for each file; the id is its name without `.txt`          | its path, `a/3`      |
    | one `.txt`                | one                                                           |                      |
    | `.jsonl` or `.json`       | one for each line: `text`, optional `id` (else the line's     | its line, `texts#12` |
    |                           | number, from 0) and `entities`                                |                      |
    | no path                   | one for each line of `stream`; the id is its number, from 0   |                      |

    A text whose id is taken by an earlier one gets its second id, and `problems` gets a line: the texts may differ.

    Raises:
        UserError: the path is missing (at once), is not UTF-8, is a damaged zip, or has another format.
        ValueError: there is neither a path nor a stream.
    """
    if path is None:
        if stream is None:
            raise ValueError("read_texts needs a path or a stream, got neither")
        return _texts_of_stream(stream, problems)
    require(path)
    suffix = path.suffix.lower()
    if is_tree(path) or suffix == ".txt":
        return _with_distinct_ids(_texts_of_files(path), problems)
    if suffix in (".jsonl", ".json"):
        return _with_distinct_ids(_texts_of_lines(path, problems), problems)
    raise UserError(f"{path}: not an input; give a folder or zip of .txt, a .txt, a .jsonl, or lines on standard input")


def _with_distinct_ids(texts: Iterable[tuple[Located, str]], problems: Problems) -> Iterator[Document]:
    """The documents with distinct ids. Each comes with the id to use if its own is taken."""
    seen: set[str] = set()
    for (where, document, _), other in texts:
        further = (f"{other}#{number}" for number in itertools.count(2))
        identity = next(one for one in itertools.chain((document.id, other), further) if one not in seen)
        if identity != document.id:
            problems.change("id given before, another one taken", where, f"{document.id!r} is {identity!r}")
        seen.add(identity)
        yield replace(document, id=identity)


def _texts_of_lines(path: Path, problems: Problems) -> Iterator[tuple[Located, str]]:
    for located in read_jsonl(CorpusConfig(path=str(path)), problems):
        yield located, f"{printable(path.stem)}#{located.where.rpartition(':')[2]}"


def _texts_of_files(path: Path) -> Iterator[tuple[Located, str]]:
    empty = True
    for file in named_files(path, ".txt"):
        empty = False
        yield Located(file.where, Document(file.stem, file.text())), file.place
    if empty:
        raise UserError(f"{path}: no .txt in it; give a folder or zip that holds some")


def _texts_of_stream(stream: TextIO, problems: Problems) -> Iterator[Document]:
    """Documents of lines. The stream's bytes are decoded here if it has any, whatever the terminal's encoding is."""
    where = "standard input"
    raw = getattr(stream, "buffer", None)
    lines = decode_lines(raw, where) if raw else enumerate((line.removesuffix("\n") for line in stream), start=1)
    for number, line in lines:
        text, count = LONE_SURROGATE.subn("\ufffd", line)
        if count:
            problems.change("half a surrogate pair, replaced by U+FFFD", f"{where}:{number}", f"{count} characters")
        yield Document(str(number - 1), text)
