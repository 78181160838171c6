"""Texts to predict on."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TextIO

from data.corpus.corpus_files import decode_lines, is_tree, named_files, printable, read_lines_with_ends, require
from data.corpus.document import Document
from data.corpus.json_records import NotJson, describe_missing, identity_of, read_values
from data.corpus.label_check import mended
from data.corpus.reader import Located
from data.problems import Problems
from utils.errors import UserError

INPUTS = "a folder or zip of .txt, a .txt, a .jsonl, a .json, a .csv, a .tsv, or lines on standard input"
LONGEST_CELL = 2**31 - 1  # of a table, in characters; the csv module refuses longer ones


def read_texts(path: Path | None, stream: TextIO | None, problems: Problems, text_key: str = "") -> Iterator[Document]:
    """Yield texts one at a time. An empty text is a document too, so that every input has an answer.

    | input                     | documents                                                     | second id            |
    |---------------------------|---------------------------------------------------------------|----------------------|
    | a folder or zip of `.txt` | one for each file; the id is its name without `.txt`          | its path, `a/3`      |
    | one `.txt`                | one                                                           |                      |
    | `.jsonl` or `.json`       | one for each line, or each item of a list: `text`, optional   | its line, `texts#12`,|
    |                           | `id` (else its number, from 0); or the text itself            | or its number        |
    | `.csv` or `.tsv`          | one for each row: columns `text`, optional `id` (else its     | its row, `texts#12`  |
    |                           | number, from 0)                                               |                      |
    | no path                   | one for each line of `stream`; the id is its number, from 0   |                      |

    A text whose id is taken by an earlier one gets its second id, and `problems` gets a line: the texts may differ.

    Args:
        path: of the input.
        stream: read instead of a path.
        problems: gets what is left out or changed.
        text_key: the key or column of the text, instead of `text`.

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
        texts = _texts_of_files(path)
    elif suffix in (".jsonl", ".json"):
        texts = _texts_of_json(path, text_key or "text", problems)
    elif suffix in (".csv", ".tsv"):
        texts = _texts_of_table(path, text_key or "text", problems)
    else:
        raise UserError(f"{path}: not an input; give {INPUTS}")
    return _with_distinct_ids(texts, problems)


def _with_distinct_ids(texts: Iterable[tuple[Located, str]], problems: Problems) -> Iterator[Document]:
    """The documents with distinct ids. Each comes with the id to use if its own is taken."""
    seen = _SeenIds()
    for (where, document, _), other in texts:
        document = replace(document, text=mended(document.text, where, problems))
        further = (f"{other}#{number}" for number in itertools.count(2))
        identity = next(one for one in itertools.chain((document.id, other), further) if one not in seen)
        if identity != document.id:
            problems.change("id given before, another one taken", where, f"{document.id!r} is {identity!r}")
        seen.add(identity)
        yield replace(document, id=identity)


class _SeenIds:
    """The ids so far. Those that only count texts, as most do, take no memory: a million texts must fit."""

    def __init__(self) -> None:
        self._counted = 0  # 0, 1, 2 ... below this were seen
        self._others: set[str] = set()

    def __contains__(self, identity: str) -> bool:
        counts = len(identity) < 19 and identity.isdecimal() and identity.isascii()
        return identity in self._others or (counts and int(identity) < self._counted and str(int(identity)) == identity)

    def add(self, identity: str) -> None:
        if identity == str(self._counted):
            self._counted += 1
        else:
            self._others.add(identity)


def _texts_of_json(path: Path, key: str, problems: Problems) -> Iterator[tuple[Located, str]]:
    for number, where, value in read_values(path):
        if isinstance(value, str) and not isinstance(value, NotJson):
            value = {key: value}
        if not isinstance(value, dict):
            problems.add("not a JSON object", where, f"{value!r:.80}")
        elif not isinstance(value.get(key), str):
            problems.add("record without a text", where, describe_missing(key, value))
        else:
            place = where.rpartition(":")[2].rpartition(" ")[2]
            identity = mended(identity_of(value, number), where, problems)
            yield Located(where, Document(identity, value[key])), f"{printable(path.stem)}#{place}"


def _texts_of_table(path: Path, key: str, problems: Problems) -> Iterator[tuple[Located, str]]:
    lines = read_lines_with_ends(path)
    header = next(lines, "")
    delimiter = _delimiter(header, key, "\t" if path.suffix.lower() == ".tsv" else ",")
    csv.field_size_limit(LONGEST_CELL)
    rows = csv.DictReader(itertools.chain([header], lines), delimiter=delimiter, strict=True)
    try:
        names = [name.strip() for name in rows.fieldnames or ()]
        if key not in names:
            raise UserError(f"{path}: no column {key}; its header is {', '.join(names) or 'empty'}; "
                            "name the column of the text with --text-key")  # fmt: skip
        rows.fieldnames = names
        for number, row in enumerate(rows):
            where = f"{path}:{rows.line_num}"
            if row[key] is None:
                problems.add("row without a text", where, f"{len(list(filter(None, row.values())))} cells")
                continue
            identity = next((row[name] for name in names if name.lower() == "id" and row[name]), str(number))
            yield (
                Located(where, Document(mended(identity, where, problems), row[key])),
                (f"{printable(path.stem)}#{number}"),
            )
    except csv.Error as error:
        raise UserError(f"{path}:{rows.line_num + 1}: not valid CSV ({error}); quote cells with line ends") from None


def _delimiter(header: str, key: str, usual: str) -> str:
    """What separates the columns of a table: the usual mark, unless only another one gives the column of the text."""

    def names(delimiter: str) -> list[str]:
        return [name.strip().strip('"') for name in header.split(delimiter)]

    return next((mark for mark in (usual, *",;\t") if key in names(mark)), usual)


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
    lines = (decode_lines(raw, where, surrogates=True) if raw
             else enumerate((line.removesuffix("\n") for line in stream), start=1))  # fmt: skip
    for number, line in lines:
        yield Document(str(number - 1), mended(line, f"{where}:{number}", problems))
