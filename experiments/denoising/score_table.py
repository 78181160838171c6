"""The scores of the runs of a denoising, and what each gains over the first, as a table for a person."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from experiments.bootstrap import bootstrap_difference
from utils.files import read_json

PARTS = ("dev", "gold_a", "gold_b")


def score_table(folders: Sequence[Path]) -> str:
    """A line for each run and part.

    The last columns are the difference in F1 to the run of the first folder, with a 95 % interval over documents.

    Args:
        folders: `RUN/eval` of each run.
    """
    if not folders:
        return "no dev part, so there are no scores"
    scores = {folder: _scores(folder) for folder in folders}
    width = 2 + max(len(folder.parent.name) for folder in folders)
    lines = [f"{'run':<{width}}{'part':<8}{'precision':>10}{'recall':>10}{'F1':>10}  difference, 95 % interval"]
    for folder, of_parts in scores.items():
        for part, own in of_parts.items():
            micro = own["micro"]
            gain = "" if folder == folders[0] else _difference(own, scores[folders[0]].get(part))
            lines.append(f"{folder.parent.name:<{width}}{part:<8}{micro['precision']:>10.4f}{micro['recall']:>10.4f}"
                         f"{micro['f1']:>10.4f}{gain}")  # fmt: skip
    return "\n".join(lines)


def _scores(folder: Path) -> dict[str, Any]:
    paths = {part: folder / f"{part}.json" for part in PARTS}
    return {part: read_json(path, "remove it, and it is made again") for part, path in paths.items() if path.exists()}


def _difference(own: dict[str, Any], first: dict[str, Any] | None) -> str:
    if first is None or own["digest"] != first["digest"]:
        return ""
    value, low, high = bootstrap_difference(np.array([own["by_document"]]), np.array([first["by_document"]]))
    return f"  {value:+.4f} [{low:+.4f}, {high:+.4f}]"
