"""Measures the lattice attention, forward and backward, beside the plain formula (`seed`) and bare attention (`bare`).

    python benchmarks/attention.py --json attention.json

Our time includes all work for a batch: finding the distinct positions, computing them, and the attention.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import torch

from benchmarks.measure import measure, print_table, save_json
from benchmarks.reference import BareAttention, seed_attention
from data.batches.positions import relative_positions
from model.layers.attention import RelativeAttention
from model.layers.position import RelativePositions
from model.layers.sampled import make_pattern
from utils.device import set_up_processor

HIDDEN, HEADS = 160, 8
GROWTH = (100, 200, 400, 800)  # nodes; a quarter of them are words
WORD_LENGTHS = (2, 3, 4, 5, 6)
WORD_LENGTH_SHARES = (0.7, 0.18, 0.1, 0.01, 0.01)  # approximately those of the words of jieba's dictionary in CCF


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", metavar="FILE", help="also write the figures there")
    parser.add_argument("--runs", type=int, default=6, help="counted calls")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--memory", type=int, default=20_000, help="address space of each process in MiB")
    parser.add_argument("--no-growth", action="store_true", help="only the first shape")
    options = parser.parse_args()
    shapes = {"16 x (150 + 50)": (16, 150, 50)}
    if not options.no_growth:
        shapes |= {f"16 x {nodes}": (16, nodes - nodes // 4, nodes // 4) for nodes in GROWTH}
    results = {}
    for name, shape in shapes.items():
        systems = {system: (system, *shape, options.threads) for system in ("ours", "seed", "bare")}
        results[name] = measure(prepare, systems, runs=options.runs, limit_mib=options.memory)
    print_table(results)
    save_json(results, options.json)
    return 0


def prepare(system: str, batch: int, length: int, words: int, threads: int) -> Callable[[], None]:
    """A forward and backward pass of a system on a random batch, which is the same for all systems."""
    set_up_processor(threads)
    torch.manual_seed(0)
    shares = torch.tensor(WORD_LENGTH_SHARES).expand(batch, -1)
    kinds = torch.multinomial(shares, words, replacement=True)
    heads = torch.randint(0, length - max(WORD_LENGTHS), (batch, words))  # (B, W)
    tails = heads + torch.tensor(WORD_LENGTHS)[kinds] - 1
    nodes = torch.randn(batch, length + words, HIDDEN, requires_grad=True)
    mask = torch.ones(batch, length + words, dtype=torch.bool)
    if system == "bare":
        bare = BareAttention(HIDDEN, HEADS)
        return lambda: bare(nodes, mask).square().mean().backward()
    positions, attention = RelativePositions(HIDDEN, length - 1), RelativeAttention(HIDDEN, HEADS)
    if system == "seed":
        characters = torch.arange(length).expand(batch, -1)
        all_heads, all_tails = torch.cat([characters, heads], dim=1), torch.cat([characters, tails], dim=1)
        return lambda: (
            seed_attention(attention, positions, nodes, mask, all_heads, all_tails).square().mean().backward()
        )
    word_heads, word_tails = heads.numpy(), tails.numpy()

    def ours() -> None:
        distances, index = map(torch.from_numpy, relative_positions(length, word_heads, word_tails))
        pattern = make_pattern(index, len(distances))
        attention(nodes, mask, positions(distances), pattern).square().mean().backward()

    return ours


if __name__ == "__main__":
    sys.exit(main())
