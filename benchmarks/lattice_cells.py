"""Measures the Lattice LSTM on whole batches, beside one text at a time as in its authors' code.

    python benchmarks/lattice_cells.py --json lattice_cells.json

The work is the same 32 random texts, forward and backward, in batches of different sizes.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import torch

from benchmarks.measure import measure, save_json
from model.layers.lattice_cells import BidirectionalLatticeLSTM
from utils.device import set_up_processor

TEXTS, LENGTH, WORDS = 32, 50, 20  # of each text
SIZE, WORD_SIZE, HIDDEN = 128, 50, 100  # of characters, of words, of one direction
BATCHES = (1, 4, 16, 32)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", metavar="FILE", help="also write the figures there")
    parser.add_argument("--runs", type=int, default=6, help="counted calls")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    systems = measure(prepare, {f"batches of {size}": (size, options.threads) for size in BATCHES}, runs=options.runs)
    alone = systems["batches of 1"]
    print(f"{TEXTS} texts of {LENGTH} characters and {WORDS} words, {options.threads} threads")
    print("| system | seconds | characters/s | times as fast as one by one |")
    print("|---|---|---|---|")
    for name, figures in systems.items():
        if figures is None or alone is None:
            print(f"| {name} | does not run | | |")
            continue
        seconds = figures["seconds"]
        print(f"| {name} | {seconds:.3f} | {TEXTS * LENGTH / seconds:.0f} | {alone['seconds'] / seconds:.1f} |")
    save_json({f"{TEXTS} x {LENGTH}": systems}, options.json)
    return 0


def prepare(batch: int, threads: int) -> Callable[[], None]:
    """A forward and backward pass over all texts in batches of this size."""
    set_up_processor(threads)
    torch.manual_seed(0)
    lstm = BidirectionalLatticeLSTM(SIZE, WORD_SIZE, HIDDEN)
    vectors = torch.randn(TEXTS, LENGTH, SIZE)
    heads = torch.randint(0, LENGTH - 3, (TEXTS, WORDS))
    tails = heads + torch.randint(1, 4, (TEXTS, WORDS))
    words = torch.randn(TEXTS, WORDS, WORD_SIZE)
    mask = torch.ones(batch, LENGTH, dtype=torch.bool)
    numbers = torch.arange(batch).repeat_interleave(WORDS)  # the text of each word

    def step() -> None:
        for begin in range(0, TEXTS, batch):
            here = slice(begin, begin + batch)
            places = torch.stack([numbers, heads[here].flatten(), tails[here].flatten()], dim=1)
            lstm(vectors[here], mask, words[here].flatten(0, 1), places).sum().backward()
        lstm.zero_grad()

    return step


if __name__ == "__main__":
    sys.exit(main())
