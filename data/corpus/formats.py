"""Raw corpora to documents, whatever format they come in; and texts to predict on."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TextIO

from tqdm import tqdm

from config import CorpusConfig
from data.corpus.corpus_files import decode_lines, is_tree, named_files, printable, read_lines, read_text, require
from data.corpus.document import Document
from data.corpus.format_bmes import is_tagged, read_bmes
from data.corpus.format_ccf import read_ccf
from data.corpus.format_json import parse_line, read_cluener, read_jsonl
from data.corpus.format_labelstudio import parse_tasks, read_labelstudio
from data.corpus.label_check import LONE_SURROGATE, Located
from data.problems import Problems
from data.spans import ANY_CATEGORY, Kind, sorted_spans
from utils.errors import UserError, nearest

READERS: dict[str, Callable[[CorpusConfig, Problems], Iterator[Located]]] = {
    "ccf": read_ccf,
    "cluener": read_cluener,
    "bmes": read_bmes,
    "jsonl": read_jsonl,
    "labelstudio": read_labelstudio,
}
FORMATS = (
    "ccf (a folder or zip of N.txt), cluener (JSON lines with text and label), bmes (a character and a tag a line), "
    "jsonl (JSON lines with text) or labelstudio (a JSON list of tasks)"
)
LABELS = {
    "ccf": "N.csv files, where labels says or in X_label beside X_data",
    "cluener": "`label`, {category: {text: [[begin, end]]}}",
    "bmes": "the tag after each character, such as B-name",
    "jsonl": "`entities`, a list of {category, pos_b, pos_e}, pos_e inclusive",
    "labelstudio": "the annotations of its tasks",
}


# ------------------------------------------------------------------------------------------------------------ corpora


def read_corpus(corpus: CorpusConfig, problems: Problems, labelled: bool = True) -> list[Document]:
    """The documents of a labelled or unlabelled corpus, with categories renamed as it asks.

    What cannot be used (labels that do not fit their text, empty texts, repeated ids, ...) is dropped with a line in
    `problems`; so is a document that lost its labels, which would count as one without any, unless the labels are not
    wanted (`labelled`).

    Raises:
        UserError: the path is missing, not UTF-8, a damaged zip, of no known format, or without one usable document.
    """
    if not corpus.path:
        raise UserError("a corpus has no path; set its path")
    path = Path(corpus.path)
    require(path)
    name = _format_of(corpus)
    before = problems.counts.copy()
    located = _with_text(READERS[name](corpus, problems), problems)
    located = _unique(_with_labels(located, problems) if labelled else located, problems)
    shown = tqdm(located, f"reading {path.name}", unit="doc", delay=1)
    documents = list(shown)
    if not documents:
        dropped = Problems(counts=problems.counts - before).summary()
        raise UserError(f"{path}: no usable document in format {name} ({dropped}); expected {FORMATS}")
    _warn_of_unused(corpus, documents, problems)
    return [_renamed(document, corpus.categories) for document in documents]


def _format_of(corpus: CorpusConfig) -> str:
    return recognise(Path(corpus.path)) if corpus.format == "auto" else corpus.format


def recognise(path: Path) -> str:
    """The format of the corpus at `path`, by its first lines.

    | found                                        | format  |
    |----------------------------------------------|---------|
    | a folder or zip with a `.txt` in it          | ccf     |
    | a JSON object whose `label` is an object     | cluener |
    | any other JSON object with `text`            | jsonl   |
    | one character, space or tab, a tag           | bmes    |

    A file that begins with `[` and is a JSON list of tasks as a whole is labelstudio.

    Raises:
        UserError: none of them; the message names them all.
    """
    if is_tree(path):
        if any(named_files(path, ".txt")):
            return "ccf"
        raise UserError(f"{path}: no .txt in it; a corpus is {FORMATS}")
    if next((line for _, line in read_lines(path)), "").lstrip().startswith("[") and parse_tasks(read_text(path)):
        return "labelstudio"
    # Past damaged lines, which the reader will report, but not through all of a large foreign file.
    for _, line in itertools.islice(read_lines(path), 100):
        record = parse_line(line)
        if isinstance(record, dict) and "text" in record:
            return "cluener" if isinstance(record.get("label"), dict) else "jsonl"
        if is_tagged(line):
            return "bmes"
    raise UserError(f"{path}: format not recognised; a corpus is {FORMATS}")


def why_unlabelled(corpus: CorpusConfig, problems: Problems) -> str:
    """For messages on a corpus without a label: what was dropped of it, or where its format has labels."""
    if problems.counts:
        return f"{problems.summary()}; first {problems.messages[0]}"
    name = _format_of(corpus)
    return f"read as {name}, which has its labels in {LABELS[name]}"


def check_categories(documents: list[Document], allowed: list[str], problems: Problems, where: str) -> list[Document]:
    """Drop spans of categories that are not `allowed`, with a line in `problems` each; an empty list allows all.

    Doubtful stretches of such categories go too, unreported: there is nothing left for them to doubt.
    """
    if not allowed:
        return documents
    checked = []
    for document in documents:
        for span in document.spans:
            if span.category not in allowed:
                text = document.text[span.begin : span.end + 1]
                problems.add("unknown category", f"{where}, document {document.id}", f"{span.category} {text!r}")
        spans = tuple(span for span in document.spans if span.category in allowed)
        doubtful = tuple(span for span in document.doubtful if span.category in [*allowed, ANY_CATEGORY])
        checked.append(replace(document, spans=spans, doubtful=doubtful))
    return checked


def _with_text(located: Iterable[Located], problems: Problems) -> Iterator[Located]:
    for one in located:
        if one.document.text.strip():
            yield one
        else:
            problems.add("empty text", one.where)


def _with_labels(located: Iterable[Located], problems: Problems) -> Iterator[Located]:
    """Without documents whose labels are lost."""
    for one in located:
        if one.lost:
            problems.add(*one.lost)
        else:
            yield one


def _unique(located: Iterable[Located], problems: Problems) -> Iterator[Document]:
    """Documents whose id was not seen before."""
    seen: set[str] = set()
    for where, document, _ in located:
        if document.id in seen:
            problems.add("duplicate id", where, document.id)
        else:
            seen.add(document.id)
            yield document


def _warn_of_unused(corpus: CorpusConfig, documents: Iterable[Document], problems: Problems) -> None:
    """A category to be renamed that no label has may be mistyped, and the one that was meant keeps its name."""
    labels = (label for document in documents for label in (*document.spans, *document.doubtful))
    found = sorted({label.category for label in labels} - {ANY_CATEGORY})
    for category in corpus.categories if found else ():
        if category not in found:
            what = f"categories renames {category}, which no label has"
            problems.warnings.append(f"{corpus.path}: {what}{nearest(category, found)}")


def _renamed(document: Document, categories: dict[str, str]) -> Document:
    """With the categories' new names; an empty new name drops the span."""

    def rename(spans: tuple[Kind, ...]) -> tuple[Kind, ...]:
        renamed = (span._replace(category=categories.get(span.category, span.category)) for span in spans)
        return sorted_spans(span for span in renamed if span.category)

    return replace(document, spans=rename(document.spans), doubtful=rename(document.doubtful))


# -------------------------------------------------------------------------------------------------------------- texts


def read_texts(path: Path | None, stream: TextIO | None, problems: Problems) -> Iterator[Document]:
    """Texts to predict on, one at a time. An empty text is a document too, so that every input has its answer.

    | input                     | documents                                                     | another id           |
    |---------------------------|---------------------------------------------------------------|----------------------|
    | a folder or zip of `.txt` | a file each; the id is its name without `.txt`                | its path, `a/3`      |
    | one `.txt`                | one                                                           |                      |
    | `.jsonl` or `.json`       | a line each: `text`, optional `id` (else the line's number,   | its line, `texts#12` |
    |                           | from 0) and `entities`                                        |                      |
    | no path                   | a line of `stream` each; the id is its number, from 0         |                      |

    A text whose id an earlier one has takes another, with a line in `problems`: it may well be another text.

    Raises:
        UserError: the path is missing (at once), or nothing readable: not UTF-8, a damaged zip, a foreign format.
        ValueError: neither a path nor a stream.
    """
    if path is None:
        if stream is None:
            raise ValueError("read_texts needs a path or a stream, got neither")
        return _texts_of_stream(stream, problems)
    require(path)
    suffix = path.suffix.lower()
    if is_tree(path) or suffix == ".txt":
        return _told_apart(_texts_of_files(path), problems)
    if suffix in (".jsonl", ".json"):
        return _told_apart(_texts_of_lines(path, problems), problems)
    raise UserError(f"{path}: not an input; give a folder or zip of .txt, a .txt, a .jsonl, or lines on standard input")


def _told_apart(texts: Iterable[tuple[Located, str]], problems: Problems) -> Iterator[Document]:
    """All documents, each with an id of its own; beside each stands the id to take where its own is taken."""
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
    """Lines of the bytes beneath, where there are any: what they are does not depend on the terminal's settings."""
    where = "standard input"
    raw = getattr(stream, "buffer", None)
    lines = decode_lines(raw, where) if raw else enumerate((line.removesuffix("\n") for line in stream), start=1)
    for number, line in lines:
        text, count = LONE_SURROGATE.subn("\ufffd", line)
        if count:
            problems.change("half a surrogate pair, replaced by U+FFFD", f"{where}:{number}", f"{count} characters")
        yield Document(str(number - 1), text)
