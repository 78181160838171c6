"""A comparison as a table for people (Markdown), for programs (CSV), and as a plot."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from experiments.bootstrap import Difference
from utils.files import atomic_file, csv_row

SCORES = ("system", "seeds", "precision", "precision_sd", "recall", "recall_sd", "f1", "f1_sd", "difference",
          "difference_low", "difference_high", "gold_f1", "gold_f1_sd", "gold_difference", "gold_difference_low",
          "gold_difference_high")  # fmt: skip


@dataclass(frozen=True)
class Row:
    """One system: scores (per cent) of every finished seed, the difference to the baseline, costs, and a note.

    All finished rows of a table have the same columns of costs.
    """

    system: str
    precision: tuple[float, ...] = ()
    recall: tuple[float, ...] = ()
    f1: tuple[float, ...] = ()
    difference: Difference | None = None
    costs: Mapping[str, float] = field(default_factory=dict)  # in the order of their columns; NaN where there is none
    note: str = ""
    gold_f1: tuple[float, ...] = ()  # on gold_b; empty without gold labels
    gold_difference: Difference | None = None


def write_tables(rows: Sequence[Row], folder: Path, title: str) -> None:
    """Write table.md, table.csv and table.png to a folder."""
    for name, text in (("table.md", markdown(rows)), ("table.csv", comma_separated(rows))):
        with atomic_file(folder / name) as path:
            path.write_text(text, encoding="utf-8")
    with atomic_file(folder / "table.png") as path:
        plot(rows, path, title)


def markdown(rows: Sequence[Row]) -> str:
    """Scores as mean ± sample standard deviation, and the difference in points of F1 with its 95 % interval."""
    costs = _costs(rows)
    gold = ["gold_b F1", "its difference"] if any(row.gold_f1 for row in rows) else []
    columns = ["system", "seeds", "P", "R", "F1", "difference to the first", *gold, *costs]
    lines = ["| " + " | ".join(columns) + " |", "|---" * len(columns) + "|"]
    for row in rows:
        if not row.f1:
            cells = [row.system, "0", "", "", "", row.note or "not run yet", *[""] * len(gold + costs)]
        else:
            remarks = "; ".join(filter(None, (_difference(row.difference), row.note)))
            scores = map(_spread, (row.precision, row.recall, row.f1))
            on_gold = [_spread(row.gold_f1) if row.gold_f1 else "", _difference(row.gold_difference)] if gold else []
            of_costs = (_cost(row.costs[name]) for name in costs)
            cells = [row.system, str(len(row.f1)), *scores, remarks, *on_gold, *of_costs]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _difference(difference: Difference | None) -> str:
    return "{:+.2f} [{:+.2f}, {:+.2f}]".format(*(100 * value for value in difference)) if difference else ""


def _costs(rows: Sequence[Row]) -> list[str]:
    return list(next((row.costs for row in rows if row.costs), {}))


def _cost(value: float) -> str:
    return "" if math.isnan(value) else f"{value:,.0f}"


def _spread(values: Sequence[float]) -> str:
    return f"{statistics.mean(values):.2f}" + (f" ± {statistics.stdev(values):.2f}" if len(values) > 1 else "")


def comma_separated(rows: Sequence[Row]) -> str:
    """All numbers unrounded; a cell without a number is empty."""
    names = _costs(rows)
    lines = [csv_row([*SCORES, *names, "note"])]
    for row in rows:
        scores: list[float | str] = []
        for values in (row.precision, row.recall, row.f1):
            scores += _mean_and_spread(values)
        difference = [*_percent(row.difference), *_mean_and_spread(row.gold_f1), *_percent(row.gold_difference)]
        costs = ["" if math.isnan(cost := row.costs.get(name, math.nan)) else cost for name in names]
        lines.append(csv_row([row.system, len(row.f1), *scores, *difference, *costs, row.note]))
    return "".join(lines)


def _mean_and_spread(values: Sequence[float]) -> list[float | str]:
    return [statistics.mean(values) if values else "", statistics.stdev(values) if len(values) > 1 else ""]


def _percent(difference: Difference | None) -> list[float | str]:
    return [100 * value for value in difference] if difference else ["", "", ""]


def plot(rows: Sequence[Row], path: Path, title: str) -> None:
    """F1 of every seed as a point, means as bars."""
    # Imported here, because it takes a second. A Figure without pyplot needs no screen and no global state.
    from matplotlib.figure import Figure

    shown = [row for row in rows if row.f1][::-1]
    figure = Figure(figsize=(7, 1.2 + 0.35 * len(shown)), layout="constrained")
    axes = figure.subplots()
    places = range(len(shown))
    axes.barh(places, [statistics.mean(row.f1) for row in shown], color="#9ecae1")
    for place, row in zip(places, shown, strict=True):
        axes.plot(row.f1, [place] * len(row.f1), "o", color="#08519c", markersize=4)
    axes.set_yticks(places, [row.system for row in shown])
    if shown:
        values = [value for row in shown for value in row.f1]
        margin = max(1.0, (max(values) - min(values)) / 2)
        axes.set_xlim(max(0.0, min(values) - margin), min(100.0, max(values) + margin))
    axes.set_xlabel("dev F1, per cent")
    axes.set_title(title)
    figure.savefig(path, format="png", dpi=150)
