"""The quality of labels, measured on gold labels: scores, kinds of errors, and rates that the noise injector takes.

The labels may be those of a corpus, whose noise this shows, or the predictions of a run, whose errors it shows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from data.corpus.document import Document, category_counts
from data.corpus.gold import GoldSpans
from data.metrics import Score, Scores, score_spans
from data.noise.label_errors import ERROR_KINDS, ErrorKind, LabelError, count_errors, label_errors
from data.noise.noise import NoiseRates
from data.spans import Span
from utils.errors import UserError, nearest
from utils.files import csv_row, read_json
from utils.spreadsheet import guarded

CONTEXT = 20  # characters shown on either side of an error
COLUMNS = ("id", "kind", "gold_category", "gold_b", "gold_e", "gold_text", "label_category", "label_b", "label_e",
           "label_text", "before", "after")  # fmt: skip
LARGEST_RATE = 0.99  # the injector takes rates below 1


class PlacedError(NamedTuple):
    """A label error and the document that has it."""

    document: Document
    error: LabelError


@dataclass(frozen=True)
class Quality:
    """What labels are worth on the documents with gold labels.

    Attributes:
        documents: how many there are.
        scores: of the labels against gold.
        kinds: how many errors of each kind each category has. An error of two kinds counts for both.
        errors: all of them.
        rates: of each category that gold has, as the injector takes them.
    """

    documents: int
    scores: Scores
    kinds: dict[str, Counter[ErrorKind]]
    errors: list[PlacedError]
    rates: dict[str, NoiseRates]

    def table(self) -> str:
        """A text table with a line for each category and the micro line last."""
        names = ("precision", "recall", "F1", "gold", "labels", *ERROR_KINDS)
        total = sum(self.kinds.values(), Counter[ErrorKind]())
        rows = [(name, score, self.kinds.get(name, total - total)) for name, score in self.scores.categories.items()]
        rows.append(("micro", self.scores.micro, total))
        width = max(len(name) for name, *_ in rows) + 2
        lines = [" " * width + "".join(f"{name:>10}" for name in names)]
        lines += [f"{name:<{width}}" + _cells(score, kinds) for name, score, kinds in rows]
        return "\n".join(lines)

    def examples(self, count: int) -> str:
        """The first errors of each kind, `count` of them, with their text."""
        lines = []
        for kind in ERROR_KINDS:
            own = [one for one in self.errors if kind in one.error.kinds]
            lines += [f"{kind}:", *(f"  {_shown(one)}" for one in own[:count])] if own else []
        return "\n".join(lines)

    def comma_separated(self) -> str:
        """All errors as a table, a line each."""
        rows = (_row(one.document, one.error) for one in self.errors)
        return csv_row(COLUMNS) + "".join(csv_row([guarded(row[name]) for name in COLUMNS]) for row in rows)


def measure_quality(documents: Sequence[Document], gold: GoldSpans) -> Quality:
    """Compare the labels of documents with their gold labels.

    Args:
        documents: with the labels to measure.
        gold: gold spans by the place of the document; others are not looked at.
    """
    own = [documents[place] for place in sorted(gold)]
    truth = [Document(one.id, one.text, gold[place]) for one, place in zip(own, sorted(gold), strict=True)]
    categories = sorted({*category_counts(truth), *category_counts(own)})
    scores = score_spans([one.spans for one in truth], [one.spans for one in own], categories)
    kinds = count_errors(truth, own)
    errors = [PlacedError(one, error) for one, true in zip(own, truth, strict=True)
              for error in label_errors(true.spans, one.spans)]  # fmt: skip
    true_spans = category_counts(truth)
    rates = {category: _rates(kinds.get(category, Counter()), true_spans[category]) for category in sorted(true_spans)}
    return Quality(len(own), scores, kinds, errors, rates)


def _rates(kinds: Mapping[ErrorKind, int], true_spans: int) -> NoiseRates:
    """The rates of a category, as `NoiseRates` defines them."""
    remaining = true_spans - kinds.get("missing", 0)
    per: dict[ErrorKind, int] = {
        "missing": true_spans, "type": remaining, "boundary": remaining, "spurious": true_spans
    }  # fmt: skip
    rates = {kind: min(kinds.get(kind, 0) / of, LARGEST_RATE) if of else 0.0 for kind, of in per.items()}
    return NoiseRates(**{kind: round(rate, 4) for kind, rate in rates.items()})


def rates_record(quality: Quality) -> dict[str, Any]:
    """The measured rates as a file holds them for `--noise-like`."""
    return {"documents": quality.documents, "rates": {name: asdict(own) for name, own in quality.rates.items()}}


def read_rates_like(path: Path, categories: Sequence[str]) -> dict[str, NoiseRates]:
    """The rates of a file that `rates_record` made.

    Args:
        path: the file.
        categories: of the corpus that gets the noise.

    Raises:
        UserError: the file is missing or holds something else, or rates of a category that the corpus does not have.
    """
    record = read_json(path, "make it with preprocess.py --quality LABELS --gold GOLD --output FOLDER")
    try:
        rates = {str(name): NoiseRates(**own) for name, own in record["rates"].items()}
    except (KeyError, TypeError, AttributeError, UserError) as error:
        raise UserError(f"{path}: holds no noise rates of categories ({error}); make it with --quality") from None
    if unknown := [name for name in rates if name not in categories]:
        raise UserError(f"{path}: has noise rates of {unknown[0]}, a category that the corpus does not have"
                        f"{nearest(unknown[0], categories)}; remove it from the file")  # fmt: skip
    return rates


def _cells(score: Score, kinds: Mapping[ErrorKind, int]) -> str:
    scores = "".join(f"{value:>10.4f}" for value in (score.precision, score.recall, score.f1))
    counts = (score.labelled, score.predicted, *(kinds.get(kind, 0) for kind in ERROR_KINDS))
    return scores + "".join(f"{count:>10}" for count in counts)


def _row(document: Document, error: LabelError) -> dict[str, str | int]:
    row: dict[str, str | int] = {"id": document.id, "kind": " and ".join(error.kinds)}
    for side, span in (("gold", error.true), ("label", error.noisy)):
        row |= dict(zip((f"{side}_category", f"{side}_b", f"{side}_e", f"{side}_text"), _values(document, span),
                        strict=True))  # fmt: skip
    begin, end = _stretch(error)
    row["before"] = document.text[max(0, begin - CONTEXT) : begin]
    row["after"] = document.text[end + 1 : end + 1 + CONTEXT]
    return row


def _values(document: Document, span: Span | None) -> Iterator[str | int]:
    if span is None:
        yield from ("", "", "", "")
    else:
        yield from (span.category, span.begin, span.end, document.text[span.begin : span.end + 1])


def _stretch(error: LabelError) -> tuple[int, int]:
    """Begin and end of both spans together."""
    spans = [span for span in (error.true, error.noisy) if span]
    return min(span.begin for span in spans), max(span.end for span in spans)


def _shown(one: PlacedError) -> str:
    row = _row(one.document, one.error)
    gold, label = (f"{row[f'{side}_category']} {row[f'{side}_text']!r}" if row[f"{side}_text"] else "nothing"
                   for side in ("gold", "label"))  # fmt: skip
    return f"{row['id']}: gold {gold}, label {label}, after {row['before']!r}"
