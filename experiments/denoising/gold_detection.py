"""How well decisions find wrong labels, measured on the documents with gold labels.

No fold trains on these documents, so all folds vote on them. The labels that are judged are those of the corpus.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from config import DenoiseConfig
from data.corpus.document import Document
from data.corpus.gold import GoldSpans, gold_halves
from data.metrics import Score, score_spans
from experiments.denoising.decisions import Decision, apply_decisions, decide
from experiments.denoising.votes import Ballot
from utils.files import csv_row

DOUBTFUL_BELOW = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3)
MISSING_FROM = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
COLUMNS = ("part", "finder", "kind", "threshold", "precision", "recall", "right", "found", "wrong")


@dataclass(frozen=True)
class Detection:
    """Decisions of one kind as a search for wrong labels, or for missing ones."""

    finder: str
    kind: str
    threshold: float | None  # None where the finder sets its own
    score: Score


def detections(
    documents: Sequence[Document],
    gold: Sequence[Document],
    ballots: Mapping[str, Ballot],
    categories: Sequence[str],
    settings: DenoiseConfig,
) -> Iterator[Detection]:
    """The scores of every finder at every threshold.

    A doubtful label is right if it is no gold label, and a missing span if it is one. To be found are the labels that
    are no gold labels, and the gold labels that the corpus lacks.

    Args:
        documents: with the labels of the corpus.
        gold: the same documents with gold labels.
        ballots: the votes on them.
        categories: of the corpus.
        settings: of the section denoise. The finder and the threshold that is looked at are changed.
    """
    for finder in ("votes", "probability", "pooled"):
        for kind, name, values in (("doubtful", "doubtful_below", DOUBTFUL_BELOW),
                                   ("missing", "missing_from", MISSING_FROM)):  # fmt: skip
            for value in values:
                own = settings.model_copy(update={"finder": finder, name: value, "missing_from_of": {}})
                found = decide(documents, ballots, categories, own)
                yield Detection(finder, kind, value, detection_score(documents, gold, found, kind))
    found = decide(documents, ballots, categories, settings.model_copy(update={"finder": "confidence"}))
    for kind in ("doubtful", "missing"):
        yield Detection("confidence", kind, None, detection_score(documents, gold, found, kind))


def detection_score(
    documents: Sequence[Document], gold: Sequence[Document], decisions: Sequence[Decision], kind: str
) -> Score:
    """The score of the decisions of one kind; see `detections`."""
    wrong = set()
    for document, true in zip(documents, gold, strict=True):
        labels, truth = set(document.spans), set(true.spans)
        wrong |= {(document.id, span) for span in (labels - truth if kind == "doubtful" else truth - labels)}
    decided = {(one.document, one.span) for one in decisions if one.kind == kind}
    return Score(len(decided & wrong), len(decided), len(wrong))


def labels_before_and_after(
    documents: Sequence[Document], gold: Sequence[Document], decisions: Sequence[Decision]
) -> tuple[Score, Score]:
    """Scores of the labels against gold, as they came, and with doubtful ones removed and missing ones added."""
    done = [one._replace(action="remove" if one.kind == "doubtful" else "add") for one in decisions]
    truth = [one.spans for one in gold]
    cleaned = [one.spans for one in apply_decisions(documents, done)]
    return score_spans(truth, [one.spans for one in documents]).micro, score_spans(truth, cleaned).micro


def comma_separated(parts: Mapping[str, Sequence[Detection]]) -> str:
    """All detections of each part as a table."""
    rows = ([part, one.finder, one.kind, "" if one.threshold is None else one.threshold, round(one.score.precision, 4),
             round(one.score.recall, 4), one.score.right, one.score.predicted, one.score.labelled]
            for part, found in parts.items() for one in found)  # fmt: skip
    return csv_row(COLUMNS) + "".join(map(csv_row, rows))


def summary(part: str, found: Sequence[Detection], before: Score, after: Score, settings: DenoiseConfig) -> str:
    """What the chosen finder finds at the chosen thresholds, and what that makes of the labels, for a person."""
    lines = []
    for kind, value in (("doubtful", settings.doubtful_below), ("missing", settings.missing_from)):
        own = next((one for one in found if (one.finder, one.kind) == (settings.finder, kind)
                    and one.threshold in (value, None)), None)  # fmt: skip
        if own:
            score = own.score
            lines.append(f"{part}, {kind}: P {score.precision:.2f} R {score.recall:.2f}, {score.right} right of "
                         f"{score.predicted} found and {score.labelled} to find")  # fmt: skip
    lines.append(f"{part}, labels: F1 {before.f1:.4f} as they came, {after.f1:.4f} with the decisions applied "
                 "(doubtful removed, missing added)")  # fmt: skip
    return "\n".join(lines)


def parts_with_labels(
    documents: Sequence[Document], gold: GoldSpans
) -> dict[str, tuple[list[Document], list[Document]]]:
    """The documents of gold_a and of gold_b, each with the labels of the corpus, and with gold labels."""
    return {
        part: ([documents[place] for place in own], [replace(documents[place], spans=gold[place]) for place in own])
        for part, own in gold_halves(gold, documents).items()
    }
