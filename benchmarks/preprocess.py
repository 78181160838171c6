"""Preprocessing of whole corpora, end to end in one process: reading, matching, segments, near-duplicates, writing.

python benchmarks/preprocess.py --config configs/ccf_small.yaml --set lexicon.vectors=random --json preprocess.json
"""

from __future__ import annotations

import argparse
import contextlib
import io
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.measure import measure, save_json


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", action="append", default=[], metavar="FILE")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--json", metavar="FILE", help="also write the figures there")
    parser.add_argument("--runs", type=int, default=6)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        overrides = [*options.set, f"data.processed={folder}/processed"]
        figures = measure(prepare, {"ours": (options.config, overrides)}, runs=options.runs)["ours"]
        characters = len_of_tokens(Path(folder) / "processed")
    if figures is None:
        return 1
    figures["characters_per_second"] = characters / figures["seconds"]
    print("| characters | seconds | peak MiB | characters/s |")
    print("|---|---|---|---|")
    print(f"| {characters} | {figures['seconds']:.2f} | {figures['peak_mib']:.0f} | "
          f"{figures['characters_per_second']:.0f} |")  # fmt: skip
    save_json({f"{characters} characters": {"ours": figures}}, options.json)
    return 0


def prepare(configs: list[str], overrides: list[str]) -> Callable[[], None]:
    """One whole preprocessing, its report thrown away."""
    from config import load_config
    from preprocess import preprocess

    config = load_config(configs, overrides)

    def work() -> None:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            preprocess(config, force=True)

    return work


def len_of_tokens(folder: Path) -> int:
    """Characters in a processed folder."""
    import numpy as np

    return len(np.load(folder / "tokens.npy", mmap_mode="r"))


if __name__ == "__main__":
    sys.exit(main())
