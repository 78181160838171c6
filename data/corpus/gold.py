"""Gold labels of some documents of a corpus, kept apart from its texts: JSON lines of offsets.

    {"id": "12", "sha256": "bc4a3dcd1c94deda", "entities": [{"category": "name", "pos_b": 0, "pos_e": 2}, ...]}

A line names its document by id. `sha256` is the begin of the digest of the document's text in UTF-8, 16 digits or more,
so that offsets never meet another text. A corpus that may not be given away can then have public gold labels. A line
may hold the whole `text` instead, as the lines of a jsonl corpus do.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from data.corpus.corpus_files import read_lines
from data.corpus.document import Document
from data.corpus.label_check import check_label
from data.problems import Problems
from data.spans import Span, overlap, sorted_spans
from utils.errors import UserError
from utils.json_values import parse_json

SHORTEST_DIGEST = 16  # hexadecimal digits
GoldSpans = dict[int, tuple[Span, ...]]  # by the place of the document in a corpus


def read_gold(path: Path, documents: Sequence[Document]) -> GoldSpans:
    """Read gold labels and join them with their documents.

    Nothing is dropped, because a gold label that does not fit would make every score wrong.

    Args:
        path: the file.
        documents: among which each line has its own. Ids may repeat if the texts differ.

    Returns:
        The gold spans of each document that the file names, by its place in `documents`.

    Raises:
        UserError: the file is missing, empty or not JSON lines. Or a line names no document or one that another line
            has named, its digest belongs to another text, or a span does not fit the text or overlaps another one.
    """
    places: dict[str, list[int]] = {}
    for place, document in enumerate(documents):
        places.setdefault(document.id, []).append(place)
    gold: GoldSpans = {}
    for where, record in _records(path):
        place = _place_of(record, places, documents, where)
        if place in gold:
            raise UserError(f"{where}: gold labels of document {record['id']!r:.40} again; remove one of both lines")
        gold[place] = _spans_of(record, documents[place].text, where)
    if not gold:
        raise UserError(f"{path}: no gold labels in it; name a file of lines with id, sha256 and entities")
    return gold


def gold_halves(gold: GoldSpans, documents: Sequence[Document]) -> dict[str, list[int]]:
    """Divide gold documents into `gold_a`, to choose on, and `gold_b`, to report.

    The order of the digests of the ids decides, so that every machine and every seed has the same halves.

    Returns:
        Places of documents. `gold_a` has one more if their number is odd.
    """

    def drawn(place: int) -> str:
        return hashlib.sha256(f"gold/{documents[place].id}".encode()).hexdigest()

    order = sorted(gold, key=drawn)
    middle = (len(order) + 1) // 2
    return {"gold_a": order[:middle], "gold_b": order[middle:]}


def _records(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for number, line in read_lines(path):
        if not line.strip():
            continue
        where = f"{path}:{number}"
        try:
            record = parse_json(line)
        except ValueError as error:
            raise UserError(f"{where}: not JSON ({error}); write one object on each line") from None
        if not isinstance(record, dict) or not isinstance(record.get("entities"), list):
            raise UserError(f"{where}: no object with id, sha256 and a list of entities; write one on each line")
        yield where, record


def _place_of(
    record: Mapping[str, Any], places: Mapping[str, Sequence[int]], documents: Sequence[Document], where: str
) -> int:
    """The place of the document that a record names."""
    identity, digest, text = str(record.get("id")), record.get("sha256"), record.get("text")
    if identity not in places:
        raise UserError(f"{where}: the corpus has no document {identity!r:.40}; give the corpus that it belongs to")
    if isinstance(text, str):
        digest = _digest(text)
    if not isinstance(digest, str) or len(digest) < SHORTEST_DIGEST:
        raise UserError(f"{where}: sha256 must be the first {SHORTEST_DIGEST} digits of the text's digest, or more")
    for place in places[identity]:
        if _digest(documents[place].text).startswith(digest):
            return place
    raise UserError(f"{where}: document {identity!r:.40} has another text than its gold labels were made for "
                    "(sha256 differs); give the corpus in its original form")  # fmt: skip


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _spans_of(record: Mapping[str, Any], text: str, where: str) -> tuple[Span, ...]:
    spans: list[Span] = []
    for entity in record["entities"]:
        problems = Problems()
        own = entity if isinstance(entity, dict) else {}
        span = check_label(text, own.get("category"), own.get("pos_b"), own.get("pos_e"), own.get("privacy"), where,
                           problems)  # fmt: skip
        if span is None:
            raise UserError(f"{problems.messages[0]}; correct or remove this gold label")
        spans.append(span)
    ordered = sorted_spans(spans)
    for one, other in itertools.pairwise(ordered):
        if overlap(one, other):
            raise UserError(f"{where}: {_named(one)} overlaps {_named(other)}; gold labels must not overlap")
    return ordered


def _named(span: Span) -> str:
    return f"{span.category} {span.begin} to {span.end}"
