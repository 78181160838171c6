"""The rounds of a dictionary loop as tables for people (Markdown) and for programs (JSON)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from utils.files import write_json, write_text

Record = dict[str, Any]  # of a round, as in its scores.json
KINDS = ("matching", "found", "both")  # of scores


def write_tables(records: list[Record], folder: Path) -> None:
    """Write table.md and table.json of all rounds."""
    write_json(folder / "table.json", records)
    write_text(folder / "table.md", markdown(records))


def markdown(records: list[Record]) -> str:
    """Two tables: one of the rounds, one of the categories by round. Scores are per cent.

    "matching" scores the dictionary that the round leaves. "found" scores the round's classifiers, which learned from
    the dictionary of the round before. "both" scores labels.jsonl: matches, and found spans that overlap none of them.
    """
    lines = ["| round | forms | joined | matching P | R | F1 | found P | R | F1 | both P | R | F1 | seconds |",
             "|---" * 13 + "|"]  # fmt: skip
    for record in records:
        scores = [cell for name in KINDS for cell in percent(record[name] and record[name]["micro"])]
        cells = [record["round"], record["entries"], record.get("joined", ""), *scores, record.get("seconds", "")]
        lines.append(row(cells))
    categories = list((records[0]["both"] or {"categories": {}})["categories"])
    if categories:
        head = [f"{score} {record['round']}" for record in records for score in ("found F1", "both P", "R", "F1")]
        lines += ["", row(["category, by round", "labelled", *head]), "|---" * (len(head) + 2) + "|"]
    for name in categories:
        cells = [records[0]["both"]["categories"][name]["labelled"]]
        for record in records:
            found, both = (percent(record[kind]["categories"][name]) for kind in ("found", "both"))
            cells += [found[-1], *both]
        lines.append(row([name, *cells]))
    return "\n".join(lines) + "\n"


def percent(score: dict[str, float] | None) -> list[str]:
    """Precision, recall and F1 as cells, which are empty where there is no score."""
    return [f"{100 * score[name]:.2f}" if score else "" for name in ("precision", "recall", "f1")]


def row(cells: list[Any]) -> str:
    """A line of a Markdown table."""
    return "| " + " | ".join(map(str, cells)) + " |"
