"""One Markdown table of trained runs: mean and spread over seeds of what each run wrote.

    python benchmarks/summarise.py runs/ccf_small_flat_{1,2,3} runs/ccf_small_crf_{1,2,3}

Runs whose names differ only in a last _NUMBER are seeds of one system. Scores are those of the weights the run selects.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from utils.run_folder import selected_epoch


def main(arguments: list[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Mean and spread over seeds, as a Markdown table.")
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="run folders")
    systems: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for run in parser.parse_args(arguments).runs:
        path = run / "fold0" / "metrics.json"
        if not path.exists():
            print(f"summarise.py: {path}: no such file; the run is not finished", file=sys.stderr)
            return 2
        systems[re.sub(r"_\d+$", "", run.name)].append(json.loads(path.read_text(encoding="utf-8")))
    print("| run | seeds | P | R | F1 | seconds | MiB | parameters |")
    print("|---|---|---|---|---|---|---|---|")
    for name, seeds in systems.items():
        print(f"| {name} | {len(seeds)} | " + " | ".join(row(seeds)) + " |")
    return 0


def row(seeds: list[dict[str, Any]]) -> list[str]:
    """Cells of one system."""
    epochs = [selected_epoch(seed) for seed in seeds]
    cells = [spread([100 * epoch[key] for epoch in epochs]) for key in ("precision", "recall", "f1")]
    cells.append(f"{statistics.mean(seed['train_seconds'] for seed in seeds):.0f}")
    peaks = [seed["peak_mib"] for seed in seeds if seed["peak_mib"]]
    return [*cells, f"{max(peaks):.0f}" if peaks else "", f"{seeds[0]['parameters'] / 1e6:.1f} M"]


def spread(values: list[float]) -> str:
    """Mean and sample standard deviation."""
    deviation = f" ± {statistics.stdev(values):.2f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.2f}{deviation}"


if __name__ == "__main__":
    sys.exit(main())
