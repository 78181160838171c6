"""Measures reading a word2vec text file of 1.3 million words by 300, of which a lexicon needs 38,000.

    python benchmarks/vectors.py --json vectors.json

The file has about 3 GB. It is made in a temporary folder and removed afterwards.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np

from benchmarks.measure import MIB, measure, save_json
from data.lattice.vectors import WordVectors, read_vectors
from data.problems import Problems


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--words", type=int, default=1_300_000)
    parser.add_argument("--dimension", type=int, default=300)
    parser.add_argument("--kept", type=int, default=38_000, help="words wanted, spread evenly over the file")
    parser.add_argument("--json", metavar="FILE", help="also write the figures there")
    parser.add_argument("--runs", type=int, default=6)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "vectors.txt"
        write_vectors(path, options.words, options.dimension)
        size = path.stat().st_size
        wanted = [word(number) for number in range(0, options.words, max(1, options.words // options.kept))]
        figures = measure(prepare, {"ours": (path, wanted)}, runs=options.runs)["ours"]
    if figures is None:
        return 1
    figures |= {"mb_per_second": size / 1e6 / figures["seconds"], "share_of_file": figures["peak_mib"] * MIB / size}
    print("| file | kept words | seconds | MB/s | peak MiB | of the file's size |")
    print("|---|---|---|---|---|---|")
    print(f"| {size / 1e6:.0f} MB | {len(wanted)} | {figures['seconds']:.1f} | {figures['mb_per_second']:.0f} | "
          f"{figures['peak_mib']:.0f} | {figures['share_of_file']:.3f} |")  # fmt: skip
    save_json({f"{options.words} x {options.dimension}": {"ours": figures}}, options.json)
    return 0


def word(number: int) -> str:
    """The word of two or three Chinese characters for a number."""
    characters: list[str] = []
    while number or len(characters) < 2:
        number, rest = divmod(number, 5000)
        characters.append(chr(0x4E00 + rest))
    return "".join(characters)


def write_vectors(path: Path, words: int, dimension: int) -> None:
    """Write random vectors. Only 500 are different, so that this takes seconds."""
    random = np.random.default_rng(0)
    tails = [" ".join(f"{value:.6f}" for value in row) for row in random.normal(0, 0.3, (500, dimension))]
    with path.open("w", encoding="utf-8", newline="\n") as lines:
        lines.write(f"{words} {dimension}\n")
        lines.writelines(f"{word(number)} {tails[number % len(tails)]}\n" for number in range(words))


def prepare(path: Path, wanted: list[str]) -> Callable[[], WordVectors]:
    """Reading the file once."""
    return lambda: read_vectors(path, wanted, Problems())


if __name__ == "__main__":
    sys.exit(main())
