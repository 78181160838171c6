"""Standoff annotation of brat: a text file and an annotation file for every document.

3.txt    the text
3.ann    T1<TAB>name 76 79<TAB>周思平      a span, its end exclusive
         R1, E1, A1, M1, N1, #1, *          relations, events, attributes, notes; not read
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from config import CorpusConfig
from data.corpus.corpus_files import is_hidden, is_tree, named_files
from data.corpus.document import Document, bare
from data.corpus.label_check import check_label
from data.corpus.reader import Located, Lost, Reader
from data.corpus.writer import Writer
from data.problems import Problems
from data.spans import Span, sorted_spans
from utils.errors import UserError

SPAN = re.compile(r"T\S*\t(\S+) ([0-9]{1,9}) ([0-9]{1,9})(?:\t(.*))?")
PIECES = re.compile(r"T\S*\t(\S+) [0-9]+ [0-9]+(?:;[0-9]+ [0-9]+)+(?:\t.*)?")
LINE_MARKS = re.compile(r"[\r\n\t\x0b\x0c]")  # that would end the line or column of an annotation
NOT_READ = ("R", "E", "A", "M", "N", "#", "*")  # first characters of lines that are not spans


def read_brat(corpus: CorpusConfig, problems: Problems) -> Iterator[Located]:
    """Documents in the order of their numbers. The id is the path in the folder or zip, without suffix.

    An empty annotation file is that of a document without entities. The labels of a document without a file are lost.

    Raises:
        UserError: the path is missing, a zip is damaged, or a file is not UTF-8.
    """
    path = Path(corpus.path)
    annotations = {file.place: file for file in named_files(path, ".ann")}
    others = 0
    for file in named_files(path, ".txt"):
        text = file.text()
        annotation = annotations.pop(file.place, None)
        if annotation is None:
            lost = Lost("document without an annotation file", file.where, f"no {file.place}.ann")
            yield Located(file.where, Document(file.place, text), lost)
            continue
        lines = annotation.text().removeprefix("\ufeff").split("\n")
        spans = sorted_spans(_spans(lines, text, annotation.where, problems))
        others += sum(line.startswith(NOT_READ) for line in lines)
        yield Located(file.where, Document(file.place, text, spans))
    for annotation in annotations.values():
        problems.add("annotation file without a document", annotation.where)
    if others:
        problems.notes.append(f"{path}: {others} lines of relations, events, attributes and notes are not read")


def _spans(lines: Sequence[str], text: str, where: str, problems: Problems) -> Iterator[Span]:
    for number, line in enumerate(lines, start=1):
        line = line.removesuffix("\r")
        place = f"{where}:{number}"
        if matched := SPAN.fullmatch(line):
            category, begin, end, own = matched.groups()
            if span := check_label(text, category, begin, int(end) - 1, own, place, problems):
                yield span
        elif matched := PIECES.fullmatch(line):
            problems.add("span of several pieces", place, matched[1], labels=1)
        elif line.strip() and not line.startswith(NOT_READ):
            found = repr(line.partition("\t")[0][:40])
            problems.add("line is not an annotation", place, found, labels=int(line.startswith("T")))


def _is_brat(path: Path) -> bool:
    return is_tree(path) and any(named_files(path, ".ann"))


def write_brat(documents: Sequence[Document], output: Path, problems: Problems) -> None:
    """Write `ID.txt` and `ID.ann` for every document.

    Raises:
        UserError: an id cannot name a file.
    """
    for document in documents:
        place = _place(output, document.id)
        place.parent.mkdir(parents=True, exist_ok=True)
        Path(f"{place}.txt").write_bytes(document.text.encode())
        lines = []
        for number, (category, begin, end) in enumerate(document.spans, start=1):
            if category == bare(category):
                own = LINE_MARKS.sub(" ", document.text[begin : end + 1])  # as brat writes it
                lines.append(f"T{number}\t{category} {begin} {end + 1}\t{own}\n")
            else:
                problems.add("category with white space", f"document {document.id}", repr(category), labels=1)
        Path(f"{place}.ann").write_bytes("".join(lines).encode())


def _place(folder: Path, identity: str) -> Path:
    """The path of a document's files, without suffix. An id may name sub-folders, as ids of brat documents do."""
    parts = PurePosixPath(identity).parts
    if not parts or parts[0] == "/" or is_hidden(PurePosixPath(identity)) or "\0" in identity:
        raise UserError(f"document {identity!r} cannot name a file in {folder}; give it another id")
    return folder.joinpath(*parts)


READER = Reader(
    labels="N.ann beside N.txt",
    read=read_brat,
    recognises=_is_brat,
)
WRITERS = {"brat": Writer("a folder of N.txt and N.ann, for brat", write_brat, folder=True)}
