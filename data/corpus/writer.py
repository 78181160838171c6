"""What the writer of a corpus format takes and does.

The module `data/corpus/format_X.py` may define `WRITERS`, a writer by each name that `preprocess.py --to` takes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from data.corpus.document import Document
from data.problems import Problems


class Write(Protocol):
    """Writes a corpus."""

    def __call__(self, documents: Sequence[Document], output: Path, problems: Problems) -> None:
        """Write all documents to one file or folder.

        What the format cannot hold is left out: a span with `problems.add(..., labels=1)`, anything else with a line
        too. The text keeps its length, so that offsets stay right.

        Args:
            documents: in their order.
            output: a path that does not exist yet, or an empty folder if the writer makes a folder.
            problems: gets a line for each thing that is left out or changed.

        Raises:
            UserError: a document cannot be written at all, because of its id for example.
        """


@dataclass(frozen=True)
class Writer:
    """A format to write.

    Attributes:
        files: what it writes, for `--help`: "one character and its tag on each line".
        write: writes it.
        folder: whether the output is a folder.
    """

    files: str
    write: Write
    folder: bool = False
