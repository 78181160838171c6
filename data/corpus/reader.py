"""What the reader of a corpus format takes, gives and raises.

The module `data/corpus/format_X.py` defines a `READER`, which `format: X` in the settings chooses. If the format can be
written too, the module also defines `WRITERS`; see `writer.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from config import CorpusConfig
from data.corpus.document import Document
from data.problems import Problems


class Lost(NamedTuple):
    """Why the labels of a document are unknown although its corpus has labels, as `Problems.add` takes it."""

    reason: str
    where: str
    detail: str


class Located(NamedTuple):
    """A document and the place that messages name, `train.json:12`."""

    where: str
    document: Document
    lost: Lost | None = None  # set if its labels are unknown


class Read(Protocol):
    """Reads a corpus."""

    def __call__(self, corpus: CorpusConfig, problems: Problems) -> Iterator[Located]:
        """Yield the documents of a corpus, one at a time.

        Labels must fit their text; see `label_check.check_label`. Categories keep the names that they have in the file.
        Empty texts and repeated ids may be left in, because `read_corpus` drops them.

        Args:
            corpus: its path exists.
            problems: gets a line for each thing that is dropped or changed.

        Raises:
            UserError: a file is missing, is not UTF-8, or is not of the format.
        """


class RecognisePath(Protocol):
    """Recognises a format by a path."""

    def __call__(self, path: Path) -> bool:
        """Whether the file, folder or zip at `path`, which exists, is a corpus of the format.

        Raises:
            UserError: it cannot be read.
        """


class RecogniseRecord(Protocol):
    """Recognises a format by a JSON object."""

    def __call__(self, record: dict[str, Any]) -> bool:
        """Whether the object has labels in the form of this format. An object without labels decides nothing."""


class RecogniseLines(Protocol):
    """Recognises a format by the first lines of a text file that is not JSON."""

    def __call__(self, lines: Sequence[str]) -> bool:
        """Whether the lines are of this format."""


class Describe(Protocol):
    """Says what a corpus holds, for the message that it has no labels."""

    def __call__(self, corpus: CorpusConfig) -> str:
        """What was found, such as "its records have the keys id, content". No private text."""


@dataclass(frozen=True)
class Reader:
    """A corpus format.

    Attributes:
        labels: where its labels are, for messages: "`entities`, a list of ...".
        read: yields its documents.
        recognises: whether a path is a corpus of this format.
        recognises_record: whether a JSON object has labels of this format. It gets the objects of a JSON file that no
            `recognises` takes, until one format takes one.
        recognises_lines: whether the first lines of any other text file are of this format.
        describe: what a corpus without labels holds.
    """

    labels: str
    read: Read
    recognises: RecognisePath = lambda path: False
    recognises_record: RecogniseRecord = lambda record: False
    recognises_lines: RecogniseLines = lambda lines: False
    describe: Describe = lambda corpus: ""
