"""Measures preprocessing of whole corpora in one process: reading, matching, segments, near-duplicates, writing.

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
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", action="append", default=[], metavar="FILE")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--json", metavar="FILE", help="also write the figures there")
    parser.add_argument("--runs", type=int, default=6)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        overrides = [*options.set, f"data.processed={folder}/processed"]
        figures = measure(prepare, {"ours": (options.config, overrides)}, runs=options.runs)["ours"]
        if figures is None:
            return 1
        characters = count_characters(Path(folder) / "processed")
    figures["characters_per_second"] = characters / figures["seconds"]
    print("| characters | seconds | peak MiB | characters/s |")
    print("|---|---|---|---|")
    print(f"| {characters} | {figures['seconds']:.2f} | {figures['peak_mib']:.0f} | "
          f"{figures['characters_per_second']:.0f} |")  # fmt: skip
    save_json({f"{characters} characters": {"ours": figures}}, options.json)
    return 0


def prepare(configs: list[str], overrides: list[str]) -> Callable[[], None]:
    """Preprocessing with these settings, without its report."""
    from config import load_config
    from model.prepare import prepare as preprocess

    config = load_config(list(configs), overrides)

    def work() -> None:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            preprocess(config, force=True)

    return work


def count_characters(folder: Path) -> int:
    """The number of characters in a processed folder."""
    import numpy as np

    return len(np.load(folder / "tokens.npy", mmap_mode="r"))


if __name__ == "__main__":
    sys.exit(main())
