"""The format of the CCF BDCI 2020 task on private information: a text file and a label file for every document."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from config import CorpusConfig
from data.corpus.corpus_files import NamedFile, is_tree, named_files
from data.corpus.document import Document
from data.corpus.label_check import check_label
from data.corpus.reader import Located, Lost, Reader
from data.problems import Problems
from data.spans import Span, sorted_spans
from utils.errors import UserError
from utils.files import CSV_ENCODING, csv_row

HEADER = ("ID", "Category", "Pos_b", "Pos_e", "Privacy")  # of a label file
COLUMNS = HEADER[1:]  # ID repeats the file's name and is not read
DELIMITERS = ",\t;"


def read_ccf(corpus: CorpusConfig, problems: Problems) -> Iterator[Located]:
    """Documents in the order of their numbers, which are their ids.

    If the corpus has label files, the labels of a document without a readable one are lost.

    | place                                | holds                                                            |
    |--------------------------------------|------------------------------------------------------------------|
    | `corpus.path`, a folder or zip       | `3.txt`: the text, exactly as stored                             |
    | `corpus.labels`, or `X_label[.zip]`  | `3.csv`: header `ID,Category,Pos_b,Pos_e,Privacy`, a span a row, |
    | beside a path named `X_data[.zip]`   | Pos_e inclusive, with or without byte-order mark                 |

    Raises:
        UserError: a path is missing, a zip is damaged, or a file is not UTF-8.
    """
    path = Path(corpus.path)
    place = Path(corpus.labels) if corpus.labels else find_labels(path)
    labels = _label_files(place, problems) if place else {}
    used = set()
    for file in named_files(path, ".txt"):
        document = Document(file.stem, file.text())
        if not place:
            yield Located(file.where, document)
        elif file.stem in labels:
            used.add(file.stem)
            spans, lost = _spans(labels[file.stem], document.text, problems)
            yield Located(file.where, replace(document, spans=spans), lost)
        else:
            lost = Lost("document without a label file", file.where, f"no {file.stem}.csv in {place}")
            yield Located(file.where, document, lost)
    for stem, label in labels.items():
        if stem not in used:
            problems.add("label file without a document", label.where)


def find_labels(path: Path) -> Path | None:
    """`X_label` or `X_label.zip` beside `X_data` or `X_data.zip`, or None if there is neither."""
    name = path.name.removesuffix(".zip")
    if not name.endswith("_data"):
        return None
    beside = path.with_name(name.removesuffix("_data") + "_label")
    return next((place for place in (beside, beside.with_name(f"{beside.name}.zip")) if place.exists()), None)


def _label_files(place: Path, problems: Problems) -> dict[str, NamedFile]:
    labels: dict[str, NamedFile] = {}
    for file in named_files(place, ".csv"):
        if labels.setdefault(file.stem, file) is not file:
            problems.add("duplicate label file", file.where, f"{labels[file.stem].where} is used")
    if not labels:
        raise UserError(f"{place}: no label files N.csv; set the corpus's labels to the folder or zip that holds them")
    return labels


def _spans(file: NamedFile, text: str, problems: Problems) -> tuple[tuple[Span, ...], Lost | None]:
    """The spans of a label file, or none and the reason, if the file cannot be read to its end."""
    content = file.text().removeprefix("\ufeff")
    if not content.strip():
        return (), Lost("empty label file", file.where, f"{len(file.raw)} bytes")
    header = content.splitlines()[0]
    layout = _layout(header)
    if layout is None:
        found = f"its header is {header[:80]!r}, expected {','.join(HEADER)}"
        return (), Lost("label file without its columns", file.where, found)
    # newline="" leaves line ends to the csv module, as its documentation asks.
    rows = csv.reader(io.StringIO(content, newline=""), strict=True, delimiter=layout.delimiter,
                      skipinitialspace=layout.blanks)  # fmt: skip
    spans, line = [], 0  # the last line that could be read
    try:
        for row in rows:
            is_header, line = line == 0, rows.line_num
            if row and not is_header:
                category, begin, end, privacy = (row[place] if place < len(row) else "" for place in layout.places)
                spans.append(check_label(text, category, begin, end, privacy, f"{file.where}:{line}", problems))
    except csv.Error as error:
        return (), Lost("not valid CSV from here on", f"{file.where}:{line + 1}", str(error))
    return sorted_spans(span for span in spans if span), None


class _Layout(NamedTuple):
    """How a label file is written: what separates its columns, whether blanks follow, and where `COLUMNS` are."""

    delimiter: str
    blanks: bool
    places: tuple[int, ...]


def _layout(header: str) -> _Layout | None:
    """The layout whose columns the header names, in any letter case; None if it lacks one."""
    wanted = [column.lower() for column in COLUMNS]
    for delimiter in DELIMITERS:
        names = header.split(delimiter)
        found = [name.strip().strip('"').lower() for name in names]
        if set(wanted) <= set(found):
            return _Layout(delimiter, any(name[:1] == " " for name in names), tuple(map(found.index, wanted)))
    return None


def write_ccf(documents: Iterable[Document], text_folder: Path, label_folder: Path) -> None:
    """Write texts as `text_folder/ID.txt` and labels as `label_folder/ID.csv`; see `write_label_files`."""
    documents = list(documents)
    text_folder.mkdir(parents=True, exist_ok=True)
    for document in documents:
        with _path(text_folder, document, "txt").open("w", encoding="utf-8", newline="") as file:
            file.write(document.text)
    write_label_files(documents, label_folder)


def write_label_files(documents: Iterable[Document], label_folder: Path) -> None:
    """Write the spans of each document as `label_folder/ID.csv`, with byte-order mark and inclusive offsets.

    Raises:
        UserError: the id of a document cannot name a file.
    """
    label_folder.mkdir(parents=True, exist_ok=True)
    for document in documents:
        with _path(label_folder, document, "csv").open("w", encoding=CSV_ENCODING, newline="") as file:
            file.write(csv_row(HEADER))
            for category, begin, end in document.spans:
                file.write(csv_row((document.id, category, begin, end, document.text[begin : end + 1])))


def _path(folder: Path, document: Document, suffix: str) -> Path:
    if not document.id or Path(document.id).name != document.id or "\0" in document.id:
        raise UserError(f"document {document.id!r} cannot name a file in {folder}; give it an id without slashes")
    return folder / f"{document.id}.{suffix}"


def _is_ccf(path: Path) -> bool:
    return is_tree(path) and any(named_files(path, ".txt")) and not any(named_files(path, ".ann"))


READER = Reader(
    labels="N.csv files, where labels says or in X_label beside X_data",
    read=read_ccf,
    recognises=_is_ccf,
)
