"""The texts that `--mode dictionary` learns from, and their gold labels, where there are any, for scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from config import DataConfig
from data.corpus.dictionary import read_forms
from data.corpus.document import Document, to_jsonl
from data.corpus.formats import read_corpus
from data.metrics import Scores, score_spans
from data.problems import Problems
from data.spans import ScoredSpan, Span, overlap
from utils.errors import UserError
from utils.files import write_text


@dataclass(frozen=True)
class Texts:
    """Documents of data.train, then of data.unlabelled.

    Attributes:
        documents: with their gold labels, which nothing learns from. Ids begin with the part, so they are unique.
        scored: numbers of the documents that scores count. The dictionary was not taken from these.
    """

    documents: list[Document]
    scored: list[int]

    @property
    def texts(self) -> list[str]:
        return [document.text for document in self.documents]

    def score(self, found: Sequence[Sequence[Span | ScoredSpan]], categories: Sequence[str]) -> Scores | None:
        """Strict scores, on the scored documents, of the spans found in all; None without scored documents."""
        if not self.scored:
            return None
        truth = [
            [span for span in self.documents[number].spans if span.category in categories] for number in self.scored
        ]
        return score_spans(truth, [found[number] for number in self.scored], categories)


def read_learning_texts(data: DataConfig, taken_from: str, problems: Problems) -> Texts:
    """Read data.train and data.unlabelled.

    Args:
        data: names the corpora.
        taken_from: a file with the ids of the training documents that gave the dictionary, or empty.
        problems: gets what cannot be used of the corpora.

    Raises:
        UserError: data.train is empty, a corpus cannot be read, or `taken_from` names documents that data.train does
            not have.
    """
    if not data.train.path:
        raise UserError("data.train is empty; name the corpus to learn from, labelled or not")
    train = read_corpus(data.train, problems, "either")
    unlabelled = read_corpus(data.unlabelled, problems, "text") if data.unlabelled.path else []
    taken = read_forms(Path(taken_from)) if taken_from else set()
    if missing := sorted(taken - {document.id for document in train}):
        raise UserError(f"{taken_from}: names document {missing[0]!r}, which is not in {data.train.path}; set "
                        "dictionary.taken_from to the list that was written beside the dictionary")  # fmt: skip
    labelled = any(document.spans for document in train)
    scored = [number for number, document in enumerate(train) if labelled and document.id not in taken]
    parts = [("train", document) for document in train] + [("unlabelled", document) for document in unlabelled]
    return Texts([replace(document, id=f"{part}-{document.id}") for part, document in parts], scored)


def add_where_free(matches: Sequence[Span], found: Sequence[Span | ScoredSpan]) -> list[Span]:
    """The dictionary's matches in a text and the found spans that overlap none of them, by begin."""
    free = [
        Span(one.category, one.begin, one.end) for one in found if not any(overlap(one, match) for match in matches)
    ]
    return sorted([*matches, *free], key=lambda span: span.begin)


def write_labels(path: Path, documents: Sequence[Document], found: Sequence[Sequence[Span]]) -> None:
    """Write the documents with the spans found in them, as a corpus that data.train can name."""
    labelled = (
        Document(document.id, document.text, tuple(spans)) for document, spans in zip(documents, found, strict=True)
    )
    write_text(path, to_jsonl(labelled))
