"""Streams of documents, read a chunk at a time so that memory does not grow with their number."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator

from data.corpus.document import Document

# Documents held in memory at a time. Windows are sorted by length within a chunk, so a small chunk means more padding.
CHUNK = 512


def in_chunks(documents: Iterable[Document]) -> Iterator[list[Document]]:
    """The documents in their order, `CHUNK` at a time; no more are taken from the stream than are yielded."""
    stream = iter(documents)
    while chunk := list(itertools.islice(stream, CHUNK)):
        yield chunk
