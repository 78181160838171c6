"""Vote files: what one network, or one traditional system, thinks of some documents.

JSON lines, written whole or not at all. They hold the text of the spans.

    {"id": "0", "candidates": [{"category", "pos_b", "pos_e", "privacy", "probability", "found"}, ...]}
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from data.corpus.document import Document, entity_record
from data.lattice.lattice import build_lattices
from data.lattice.lexicon import Lexicon
from data.lattice.tokenizer import Vocabulary
from data.spans import JudgedSpan, Span
from model.reading.chunks import in_chunks
from utils.errors import UserError
from utils.files import atomic_file
from utils.json_values import parse_json

if TYPE_CHECKING:
    from model.reading.tagger import Reader


def judge_documents(
    reader: Reader, documents: Iterable[Document], vocabulary: Vocabulary, lexicon: Lexicon
) -> Iterator[list[JudgedSpan]]:
    """The candidates of a reader in each document. All labels of its categories are judged."""
    known = set(reader.categories)
    for chunk in in_chunks(documents):
        lattices = build_lattices((document.text for document in chunk), vocabulary, lexicon)
        asked = [[span for span in document.spans if span.category in known] for document in chunk]
        yield from reader.candidates(chunk, lattices, asked)


def write_votes(path: Path, documents: Iterable[Document], candidates: Iterable[Sequence[JudgedSpan]]) -> None:
    """Write the spans that were judged in each document."""
    with atomic_file(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as lines:
        for document, own in zip(documents, candidates, strict=True):
            records = [
                entity_record(document.text, Span(one.category, one.begin, one.end))
                | {"probability": round(one.probability, 6), "found": one.found}
                for one in own
            ]
            lines.write(json.dumps({"id": document.id, "candidates": records}, ensure_ascii=False) + "\n")


def read_votes(path: Path) -> Iterator[tuple[str, list[tuple[Span, bool, float]]]]:
    """The id of each document, and the spans that were judged there: found or not, and the probability.

    Raises:
        UserError: the file is missing or damaged.
    """
    try:
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                record = parse_json(line)
                candidates = [
                    (Span(one["category"], one["pos_b"], one["pos_e"]), one["found"], one["probability"])
                    for one in record["candidates"]
                ]
                yield record["id"], candidates
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: cannot be read as votes ({error}); remove it and run again") from None
