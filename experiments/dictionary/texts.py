"""The texts that `--mode dictionary` learns from, and the labels it is scored against, where there are any."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from config import Config
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
        documents: with their true labels, which nothing learns from; ids begin with the part, so that none is there
            twice.
        scored: numbers of the documents that scores count: the labelled ones that did not give the dictionary.
    """

    documents: list[Document]
    scored: list[int]

    @property
    def texts(self) -> list[str]:
        return [document.text for document in self.documents]

    def score(self, found: Sequence[Sequence[Span | ScoredSpan]], categories: Sequence[str]) -> Scores | None:
        """Strict scores of spans found in all documents, on the scored ones; None where there is nothing to score."""
        if not self.scored:
            return None
        truth = [
            [span for span in self.documents[number].spans if span.category in categories] for number in self.scored
        ]
        return score_spans(truth, [found[number] for number in self.scored], categories)


def read_texts(config: Config, problems: Problems) -> Texts:
    """Read the corpora.

    Raises:
        UserError: data.train is not given, a corpus cannot be read, or `dictionary.taken_from` names documents that
            data.train does not have.
    """
    if not config.data.train.path:
        raise UserError("data.train is empty; name the corpus whose texts are to be read, labelled or not")
    train = read_corpus(config.data.train, problems)
    further = config.data.unlabelled
    unlabelled = read_corpus(further, problems, labelled=False) if further.path else []
    taken = read_forms(Path(config.dictionary.taken_from)) if config.dictionary.taken_from else set()
    if missing := sorted(taken - {document.id for document in train}):
        raise UserError(f"{config.dictionary.taken_from}: names document {missing[0]!r}, which is not in "
                        f"{config.data.train.path}; give the list that was written beside the dictionary")  # fmt: skip
    labelled = any(document.spans for document in train)
    scored = [number for number, document in enumerate(train) if labelled and document.id not in taken]
    parts = [("train", document) for document in train] + [("unlabelled", document) for document in unlabelled]
    return Texts([replace(document, id=f"{part}-{document.id}") for part, document in parts], scored)


def add_where_free(matches: Sequence[Span], found: Sequence[Span | ScoredSpan]) -> list[Span]:
    """The dictionary's matches in a text and, where none of them stands, what was found, by begin."""
    free = [
        Span(one.category, one.begin, one.end) for one in found if not any(overlap(one, match) for match in matches)
    ]
    return sorted([*matches, *free], key=lambda span: span.begin)


def write_labels(path: Path, documents: Sequence[Document], found: Sequence[Sequence[Span]]) -> None:
    """The documents with the spans that were found in them, as a corpus that data.train can name."""
    labelled = (
        Document(document.id, document.text, tuple(spans)) for document, spans in zip(documents, found, strict=True)
    )
    write_text(path, to_jsonl(labelled))
