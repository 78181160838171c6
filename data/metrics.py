"""Strict span scores: a span is right if category, begin and end all are, in its own document."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from data.spans import ScoredSpan, Span


@dataclass(frozen=True)
class Score:
    """Counts of spans, and the scores that follow from them. A score with denominator 0 is 0."""

    right: int = 0
    predicted: int = 0
    labelled: int = 0

    @property
    def precision(self) -> float:
        return self.right / self.predicted if self.predicted else 0.0

    @property
    def recall(self) -> float:
        return self.right / self.labelled if self.labelled else 0.0

    @property
    def f1(self) -> float:
        return 2 * self.right / (self.predicted + self.labelled) if self.predicted + self.labelled else 0.0

    def __add__(self, other: Score) -> Score:
        return Score(self.right + other.right, self.predicted + other.predicted, self.labelled + other.labelled)


@dataclass(frozen=True)
class Scores:
    """The micro score and those of each category."""

    micro: Score
    categories: dict[str, Score]

    def __add__(self, other: Scores) -> Scores:
        names = dict.fromkeys([*self.categories, *other.categories])
        added = {name: self.categories.get(name, Score()) + other.categories.get(name, Score()) for name in names}
        return Scores(self.micro + other.micro, added)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, with precision, recall and F1."""

        def values(score: Score) -> dict[str, float]:
            return {"precision": score.precision, "recall": score.recall, "f1": score.f1, **asdict(score)}

        return {"micro": values(self.micro), "categories": {name: values(one) for name, one in self.categories.items()}}

    def table(self, title: str = "") -> str:
        """A text table with a line for each category and the micro line last."""
        rows = [(name, score) for name, score in self.categories.items()] + [("micro", self.micro)]
        lines = [f"{title:<14}{'precision':>10}{'recall':>10}{'F1':>10}{'labelled':>10}{'predicted':>11}"]
        for name, score in rows:
            lines.append(
                f"{name:<14}{score.precision:>10.4f}{score.recall:>10.4f}{score.f1:>10.4f}"
                f"{score.labelled:>10}{score.predicted:>11}"
            )
        return "\n".join(lines)


def score_spans(
    labelled: Sequence[Iterable[Span]], predicted: Sequence[Iterable[Span | ScoredSpan]], categories: Sequence[str] = ()
) -> Scores:
    """Compare the gold labels of each document with the predicted spans.

    Args:
        labelled: gold labels of each document; repeated spans count once.
        predicted: of the same documents in the same order.
        categories: listed even without labels and predictions.

    Raises:
        ValueError: the numbers of documents differ.
    """
    if len(labelled) != len(predicted):
        raise ValueError(f"{len(labelled)} labelled documents, but predictions for {len(predicted)}")
    counts = {category: Score() for category in categories}
    for truth, guess in zip(labelled, predicted, strict=True):
        true = {(span.category, span.begin, span.end) for span in truth}
        guessed = {(span.category, span.begin, span.end) for span in guess}
        for spans, one in ((true, Score(labelled=1)), (guessed, Score(predicted=1)), (true & guessed, Score(right=1))):
            for category, _, _ in spans:
                counts[category] = counts.get(category, Score()) + one
    return Scores(sum(counts.values(), Score()), counts)


def score_record(scores: Mapping[str, Scores], prefix: str = "") -> dict[str, float]:
    """The micro scores of some parts of the data, as entries of an epoch's record: `f1` of dev, `gold_a_f1`, ..."""
    return {
        f"{prefix}{'' if part == 'dev' else f'{part}_'}{name}": getattr(of_part.micro, name)
        for part, of_part in scores.items()
        for name in ("precision", "recall", "f1")
    }
