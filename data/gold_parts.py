"""Gold labels in training and evaluation (`data.gold`): they score, and their documents never train."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from config import DataConfig
from data.corpus.document import Document
from data.corpus.gold import GoldSpans, gold_halves, read_gold
from data.metrics import Scores, score_spans
from data.processed import Processed
from data.spans import ScoredSpan
from utils.errors import UserError

Read = Callable[[Sequence[int]], Sequence[Sequence[ScoredSpan]]]  # finds spans in documents, by their numbers


def gold_of(processed: Processed, data: DataConfig) -> GoldSpans:
    """The gold spans of the train, dev and test documents that have some, by number of the document.

    Gold spans of categories that the data does not have are left out. Without `data.gold` there are none.

    Raises:
        UserError: as `read_gold`, or no gold span has a category of the data.
    """
    if not data.gold:
        return {}
    own = [number for number, part in enumerate(processed.parts) if part in ("train", "dev", "test")]
    read = read_gold(Path(data.gold), [processed.documents[number] for number in own])
    known = set(processed.categories)
    gold = {own[place]: tuple(span for span in spans if span.category in known) for place, spans in read.items()}
    if not any(gold.values()):
        raise UserError(f"{data.gold}: no gold label has a category of the data ({', '.join(processed.categories)})")
    return gold


def held_for_gold(processed: Processed, gold: GoldSpans) -> np.ndarray:
    """Which documents may not train: (documents,) bool, those with gold labels and their near-duplicates."""
    return np.isin(processed.groups, processed.groups[sorted(gold)])


def score_parts(processed: Processed, data: DataConfig, dev: Sequence[int], read: Read) -> dict[str, Scores]:
    """Scores on the labels of the dev part, as `dev`, and on gold labels, as `gold_a` and `gold_b`.

    Args:
        processed, data: the data.
        dev: numbers of the dev documents. There may be none.
        read: is called once, with the numbers of all documents to score.

    Returns:
        Scores by part; parts without documents are left out.
    """
    gold = gold_of(processed, data)
    numbers = sorted({*dev, *gold})
    found = dict(zip(numbers, read(numbers), strict=True))
    documents, categories = processed.documents, processed.categories

    def score(part: Sequence[int], of: GoldSpans | None = None) -> Scores:
        labelled = [documents[number].spans if of is None else of[number] for number in part]
        return score_spans(labelled, [found[number] for number in part], categories)

    scores = {"dev": score(dev)} if dev else {}
    return scores | {part: score(own, gold) for part, own in gold_halves(gold, documents).items() if own}


def with_gold_labels(processed: Processed, data: DataConfig, half: str) -> list[Document]:
    """The documents of `gold_a` or `gold_b` with their gold labels in the place of their own."""
    gold = gold_of(processed, data)
    return [
        Document(processed.documents[number].id, processed.documents[number].text, gold[number])
        for number in gold_halves(gold, processed.documents)[half]
    ]
