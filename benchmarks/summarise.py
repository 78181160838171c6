"""Prints a Markdown table of trained runs: mean and spread over seeds.

    python benchmarks/summarise.py runs/ccf_small_flat_{1,2,3} runs/ccf_small_crf_{1,2,3}

Runs whose names differ only in a final _NUMBER are seeds of one system. The scores are those of the selected weights.
The score of a run with folds is their mean.
"""

from __future__ import annotations

import re
import statistics
import sys
from collections import defaultdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from model.run_folder import fold_folder, fold_folders, read_metrics, selected_epoch
from utils.command_line import Parser, run_command
from utils.errors import UserError


def main(arguments: list[str] | None = None) -> int:
    """Print the table; returns the exit status."""
    return run_command("summarise.py", lambda: _run(arguments), "nothing is left to do")


def _run(arguments: list[str] | None) -> None:
    parser = Parser(description="Mean and spread over seeds, as a Markdown table.")
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="run folders")
    systems: dict[str, list[dict[str, float]]] = defaultdict(list)
    for run in parser.parse_args(arguments).runs:
        systems[re.sub(r"_\d+$", "", run.name)].append(figures(run))
    print("| run | seeds | P | R | F1 | seconds | MiB | parameters |")
    print("|---|---|---|---|---|---|---|---|")
    for name, seeds in systems.items():
        print(f"| {name} | {len(seeds)} | " + " | ".join(row(seeds)) + " |")


def figures(run: Path) -> dict[str, float]:
    """The scores of a run (mean of its folds), its seconds (sum), peak MiB (maximum) and number of parameters.

    Raises:
        UserError: the run is not finished, or has no dev part.
    """
    folds = [read_metrics(fold) for fold in fold_folders(run).values() or [fold_folder(run, 0)]]
    epochs = [selected_epoch(fold) for fold in folds]
    if not all("f1" in epoch for epoch in epochs):
        raise UserError(f"{run}: has no dev part and so no scores; leave it out")
    return {
        **{score: statistics.mean(100 * epoch[score] for epoch in epochs) for score in ("precision", "recall", "f1")},
        "seconds": sum(fold["train_seconds"] for fold in folds),
        "peak_mib": max(fold["peak_mib"] or 0 for fold in folds),
        "parameters": folds[0]["parameters"],
    }


def row(seeds: list[dict[str, float]]) -> list[str]:
    """The cells of a system in the table."""
    cells = [spread([seed[score] for seed in seeds]) for score in ("precision", "recall", "f1")]
    cells.append(f"{statistics.mean(seed['seconds'] for seed in seeds):.0f}")
    peak = max(seed["peak_mib"] for seed in seeds)
    return [*cells, f"{peak:.0f}" if peak else "", f"{seeds[0]['parameters'] / 1e6:.1f} M"]


def spread(values: list[float]) -> str:
    """The mean, and the sample standard deviation of several values."""
    deviation = f" ± {statistics.stdev(values):.2f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.2f}{deviation}"


if __name__ == "__main__":
    sys.exit(main())
