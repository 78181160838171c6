"""Raw corpora to documents, in any of the formats that the settings name."""

from __future__ import annotations

import functools
import importlib
import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import get_args

from tqdm import tqdm

from config import CorpusConfig, CorpusFormat
from data.corpus.corpus_files import is_tree, read_lines, require
from data.corpus.document import Document
from data.corpus.reader import Located, Reader
from data.problems import Problems
from data.spans import ANY_CATEGORY, SpanOrDoubt, sorted_spans
from utils.errors import UserError, nearest

NAMES = tuple(name for name in get_args(CorpusFormat) if name != "auto")
FIRST_LINES = 100  # that a format is recognised by


@functools.cache
def readers() -> dict[str, Reader]:
    """The reader of every format, by its name in the settings."""
    return {name: importlib.import_module(f"data.corpus.format_{name}").READER for name in NAMES}


def describe_formats() -> str:
    """All formats, for messages."""
    *most, last = (f"{name} ({reader.files})" for name, reader in readers().items())
    return f"{', '.join(most)} or {last}"


def read_corpus(corpus: CorpusConfig, problems: Problems, labelled: bool = True) -> list[Document]:
    """Read a corpus and rename its categories as it asks.

    Labels that do not fit their text, empty texts, repeated ids and the like are dropped, with a line in `problems`
    each. With `labelled`, documents whose labels are lost are dropped too: they would count as texts without entities.

    Raises:
        UserError: the path is missing, is not UTF-8, is a damaged zip, has no known format, or has no usable document.
    """
    if not corpus.path:
        raise UserError("a corpus has no path; set its path")
    path = Path(corpus.path)
    require(path)
    name = _format_of(corpus)
    before = problems.counts.copy()
    located = _with_text(readers()[name].read(corpus, problems), problems)
    usable = _unique(_with_labels(located, problems) if labelled else located, problems)
    documents = list(tqdm(usable, f"reading {path.name}", unit="doc", delay=1))
    if not documents:
        dropped = Problems(counts=problems.counts - before).summary()
        raise UserError(f"{path}: no usable document in format {name} ({dropped}); expected {describe_formats()}")
    _warn_of_unused(corpus, documents, problems)
    return [_renamed(document, corpus.categories) for document in documents]


def _format_of(corpus: CorpusConfig) -> str:
    return recognise(Path(corpus.path)) if corpus.format == "auto" else corpus.format


def recognise(path: Path) -> str:
    """The name of the format of the corpus at `path`, which exists.

    Raises:
        UserError: no format fits; the message names them all.
    """
    for name, reader in readers().items():
        if reader.recognises(path):
            return name
    if is_tree(path):
        raise UserError(f"{path}: no .txt in it; a corpus is {describe_formats()}")
    # Damaged lines are skipped: the reader will report them. The rest of a large foreign file is not read.
    for _, line in itertools.islice(read_lines(path), FIRST_LINES):
        for name, reader in readers().items():
            if reader.recognises_line(line):
                return name
    raise UserError(f"{path}: format not recognised; a corpus is {describe_formats()}")


def why_unlabelled(corpus: CorpusConfig, problems: Problems) -> str:
    """For messages about a corpus without labels: what was dropped, or where its format has its labels."""
    if problems.counts:
        return f"{problems.summary()}; first {problems.messages[0]}"
    name = _format_of(corpus)
    return f"read as {name}, which has its labels in {readers()[name].labels}"


def keep_categories(documents: list[Document], allowed: list[str], problems: Problems, where: str) -> list[Document]:
    """Drop spans of categories that are not `allowed`, with a line in `problems` each. An empty list allows all.

    Doubtful stretches of such categories are dropped without a line.
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
    for one in located:
        if one.lost:
            problems.add(*one.lost)
        else:
            yield one


def _unique(located: Iterable[Located], problems: Problems) -> Iterator[Document]:
    seen: set[str] = set()
    for where, document, _ in located:
        if document.id in seen:
            problems.add("duplicate id", where, document.id)
        else:
            seen.add(document.id)
            yield document


def _warn_of_unused(corpus: CorpusConfig, documents: Sequence[Document], problems: Problems) -> None:
    """Warn of a category to rename that no label has: it may be misspelt."""
    of_spans = {span.category for document in documents for span in document.spans}
    of_doubts = {doubt.category for document in documents for doubt in document.doubtful}
    found = sorted((of_spans | of_doubts) - {ANY_CATEGORY})
    for category in corpus.categories if found else ():
        if category not in found:
            what = f"categories renames {category}, which no label has"
            problems.warnings.append(f"{corpus.path}: {what}{nearest(category, found)}")


def _renamed(document: Document, categories: dict[str, str]) -> Document:
    """The document with new names of categories. An empty new name drops the span."""

    def rename(spans: tuple[SpanOrDoubt, ...]) -> tuple[SpanOrDoubt, ...]:
        renamed = (span._replace(category=categories.get(span.category, span.category)) for span in spans)
        return sorted_spans(span for span in renamed if span.category)

    return replace(document, spans=rename(document.spans), doubtful=rename(document.doubtful))
