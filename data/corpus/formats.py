"""Raw corpora to documents, in any of the formats that the settings name."""

from __future__ import annotations

import functools
import importlib
import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, get_args

from tqdm import tqdm

from config import CorpusConfig, CorpusFormat
from data.corpus.corpus_files import is_tree, read_lines, require
from data.corpus.document import Document
from data.corpus.json_records import is_json, read_values
from data.corpus.label_check import LONE_SURROGATE, mended
from data.corpus.reader import Located, Reader
from data.corpus.writer import Writer
from data.problems import Problems
from data.spans import ANY_CATEGORY, Doubt, Span, SpanOrDoubt, sorted_spans
from utils.errors import UserError, is_shown, nearest

NAMES = tuple(name for name in get_args(CorpusFormat) if name != "auto")
FIRST_LINES = 100  # that a format is recognised by
Use = Literal["labelled", "either", "text"]  # of a corpus; see `read_corpus`


@functools.cache
def readers() -> dict[str, Reader]:
    """The reader of every format, by its name in the settings."""
    return {name: importlib.import_module(f"data.corpus.format_{name}").READER for name in NAMES}


@functools.cache
def writers() -> dict[str, Writer]:
    """Every format that can be written, by its name for `preprocess.py --to`."""
    modules = [importlib.import_module(f"data.corpus.format_{name}") for name in NAMES]
    return {name: writer for module in modules for name, writer in getattr(module, "WRITERS", {}).items()}


def describe_formats() -> str:
    """All formats, for messages."""
    *most, last = readers()
    return f"{', '.join(most)} or {last}, as in docs/corpora.md"


def read_corpus(corpus: CorpusConfig, problems: Problems, use: Use = "labelled", way_out: str = "") -> list[Document]:
    """Read a corpus and rename its categories as it asks.

    Labels that do not fit their text, empty texts, repeated ids and the like are dropped, with a line in `problems`
    each. Unless the corpus is used as text, documents whose labels are lost are dropped too: they would count as texts
    without entities.

    Args:
        corpus: names it.
        problems: gets a line for each thing that is dropped or changed, and how the corpus was read.
        use: `labelled` refuses a corpus that has no label or lost more than half of them. `either` takes it as it is.
            `text` needs no labels.
        way_out: what else the user can do if the corpus is refused: ", or ...".

    Raises:
        UserError: the path is missing, is not UTF-8, is a damaged zip, has no known format, or has no usable document.
            Or the corpus is refused.
    """
    if not corpus.path:
        raise UserError("a corpus has no path; set its path")
    path = Path(corpus.path)
    require(path)
    name = _format_of(corpus)
    problems.notes.append(f"{path}: read as {name}")
    before, lost_before, seen = problems.counts.copy(), problems.labels_lost, len(problems.messages)
    located = _printable(_with_text(_mended(readers()[name].read(corpus, problems), problems), problems), problems)
    usable = _unique(located if use == "text" else _with_labels(located, problems), problems)
    documents = list(tqdm(usable, f"reading {path.name}", unit="doc", delay=1))
    lost = problems.labels_lost - lost_before
    what = Problems(counts=problems.counts - before).summary()
    dropped = "; first ".join([what, *problems.messages[seen : seen + 1]])
    if not documents:
        found = readers()[name].describe(corpus)
        key = "; name the key of the text with text_key" if "record without a text" in what else ""
        raise UserError(f"{path}: no usable document in format {name} ({dropped}{found and '; '}{found}){key}; "
                        "docs/corpora.md shows every format")  # fmt: skip
    if use == "labelled":
        _refuse_unlabelled(corpus, name, documents, lost, dropped, way_out)
    _warn_of_unused(corpus, documents, problems)
    return [_renamed(document, corpus.categories) for document in documents]


def _format_of(corpus: CorpusConfig) -> str:
    return recognise(Path(corpus.path), corpus.text_key) if corpus.format == "auto" else corpus.format


def recognise(path: Path, text_key: str = "") -> str:
    """The name of the format of the corpus at `path`, which exists.

    Args:
        path: of the corpus.
        text_key: see `CorpusConfig`.

    Raises:
        UserError: no format fits; the message names them all.
    """
    for name, reader in readers().items():
        if reader.recognises(path):
            return name
    if is_tree(path):
        raise UserError(f"{path}: no .txt in it; a corpus is {describe_formats()}")
    if is_json(path):
        return _recognise_records(path, text_key or "text")
    # The rest of a large foreign file is not read.
    lines = [line for _, line in itertools.islice(read_lines(path, surrogates=True), FIRST_LINES)]
    for name, reader in readers().items():
        if reader.recognises_lines(lines):
            return name
    first = next((line for line in lines if line.strip()), "")
    raise UserError(
        f"{path}: format not recognised, its first line is {first[:40]!r}; a corpus is {describe_formats()}"
    )


def _recognise_records(path: Path, text_key: str) -> str:
    """The format of the first record with labels. Records that only have a text are `jsonl`."""
    has_text, keys = False, dict[str, None]()
    for _, _, record in read_values(path):
        if not isinstance(record, dict):
            continue
        for name, reader in readers().items():
            if reader.recognises_record(record):
                return name
        has_text = has_text or isinstance(record.get(text_key), str)
        keys |= dict.fromkeys(record)
    if has_text:
        return "jsonl"
    found = "no JSON object in it"
    if keys:
        found = f"its records have the keys {', '.join(keys)}; name the key of the text with text_key"
    raise UserError(f"{path}: format not recognised, {found}; a corpus is {describe_formats()}")


# ------------------------------------------------------------------------------------------------------------- labels


def _refuse_unlabelled(
    corpus: CorpusConfig, name: str, documents: Sequence[Document], lost: int, dropped: str, way_out: str
) -> None:
    """Raise UserError if no document has a label, or if more than half of the labels are lost.

    The texts would count as texts without entities, although they may have some.
    """
    kept = sum(len(document.spans) + len(document.doubtful) for document in documents)
    if kept and lost <= kept:
        return
    reader = readers()[name]
    if kept or lost:
        what = f"{lost} of its {kept + lost} labels cannot be used, read as {name} ({dropped})"
    else:
        found = reader.describe(corpus)
        what = f"no labels in it, read as {name}, which has them in {reader.labels}{found and '; '}{found}"
    raise UserError(f"{corpus.path}: {what}; name the right files{way_out}")


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


def _mended(located: Iterable[Located], problems: Problems) -> Iterator[Located]:
    """The documents without lone surrogates, which could not be written."""
    for one in located:
        document = one.document
        names = {span.category for span in document.spans} | {doubt.category for doubt in document.doubtful}
        if any(map(LONE_SURROGATE.search, (document.text, document.id, *names))):
            new = {name: mended(name, one.where, problems) for name in names}
            document = replace(
                document,
                id=mended(document.id, one.where, problems),
                text=mended(document.text, one.where, problems),
                spans=sorted_spans(span._replace(category=new[span.category]) for span in document.spans),
                doubtful=sorted_spans(span._replace(category=new[span.category]) for span in document.doubtful),
            )
        yield one._replace(document=document)


def _with_text(located: Iterable[Located], problems: Problems) -> Iterator[Located]:
    for one in located:
        if one.document.text.strip():
            yield one
        else:
            problems.add("empty text", one.where)


def _printable(located: Iterable[Located], problems: Problems) -> Iterator[Located]:
    """The documents without labels of a category that could command a terminal, where every table shows it."""
    for one in located:
        document = one.document
        of_labels: list[Span | Doubt] = [*document.spans, *document.doubtful]
        hidden = {label.category for label in of_labels if not is_shown(label.category)}
        if hidden:
            for label in of_labels:
                if label.category in hidden:
                    problems.add("category with control characters", one.where, f"{label.category!r:.80}", labels=1)
            document = replace(
                document,
                spans=tuple(span for span in document.spans if span.category not in hidden),
                doubtful=tuple(doubt for doubt in document.doubtful if doubt.category not in hidden),
            )
        yield one._replace(document=document)


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
