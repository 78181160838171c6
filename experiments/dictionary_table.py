"""The rounds of a dictionary loop as tables for people (Markdown) and for programs (JSON)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from utils.tools import write_json, write_text

Record = dict[str, Any]  # of a round, as in its scores.json


def write_tables(records: list[Record], folder: Path) -> None:
    """table.md and table.json of all rounds."""
    write_json(folder / "table.json", records)
    write_text(folder / "table.md", markdown(records))


def markdown(records: list[Record]) -> str:
    """All rounds as two tables: the rounds, and the categories in them. Scores are per cent.

    A round's dictionary is what it leaves, and matching is done with that; found is what its classifiers found, who
    learned from the dictionary of the round before.
    """
    lines = ["| round | forms | joined | matching P | R | F1 | found P | R | F1 | seconds |",
             "|---|---|---|---|---|---|---|---|---|---|"]  # fmt: skip
    for record in records:
        matching, found = (percent(record[name] and record[name]["micro"]) for name in ("matching", "found"))
        cells = [record["round"], record["entries"], record.get("joined", ""), *matching, *found]
        lines.append(row([*cells, record.get("seconds", "")]))
    categories = list((records[0]["found"] or {"categories": {}})["categories"])
    if categories:
        head = [f"{score} {record['round']}" for record in records for score in ("P", "R", "F1")]
        lines += ["", row(["found in round", "labelled", *head]), "|---" * (len(head) + 2) + "|"]
    for name in categories:
        scores = [record["found"]["categories"][name] for record in records]
        cells = [cell for score in scores for cell in percent(score)]
        lines.append(row([name, scores[0]["labelled"], *cells]))
    return "\n".join(lines) + "\n"


def percent(score: dict[str, float] | None) -> list[str]:
    """Precision, recall and F1 as cells; empty ones where there is no score."""
    return [f"{100 * score[name]:.2f}" if score else "" for name in ("precision", "recall", "f1")]


def row(cells: list[Any]) -> str:
    """A line of a Markdown table."""
    return "| " + " | ".join(map(str, cells)) + " |"
