"""Measures a training step with each adversarial method and regulariser beside a plain step, on random text.

    python benchmarks/adversarial.py --json adversarial.json

A step is all passes and AdamW. The encoder has random weights, because the time does not depend on them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import torch

from benchmarks.measure import measure, print_table, save_json
from benchmarks.train_step import BATCH, LENGTH, SHAPES, build, configure, random_batch
from model.training.adversarial import Adversary
from model.training.optimizer import build_optimizer
from model.training.passes import Passes

METHODS = {
    "plain": [],
    "fgsm": ["adversarial.method=fgsm"],
    "fgm": ["adversarial.method=fgm"],
    "fgm, matrix": ["adversarial.method=fgm", "adversarial.scope=matrix"],
    "fgm, words too": ["adversarial.method=fgm", "adversarial.targets=[characters,words]"],
    "pgd, K = 3": ["adversarial.method=pgd", "adversarial.steps=3"],
    "freelb, K = 3": ["adversarial.method=freelb", "adversarial.steps=3"],
    "vat, K = 1": ["adversarial.method=vat", "adversarial.steps=1"],
    "r_drop": ["regularisation.r_drop=1"],
    "dropout_samples = 4": ["regularisation.dropout_samples=4"],
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", metavar="FILE", help="also write the figures there")
    parser.add_argument("--shape", choices=SHAPES, default="me5-small")
    parser.add_argument("--precision", choices=["float32", "bf16"], default="bf16")
    parser.add_argument("--runs", type=int, default=6)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    arguments = (options.shape, options.precision, options.threads)
    name = f"{options.shape}, {BATCH} x {LENGTH}, {options.precision}"
    results = {}
    # In pairs, because all at once would need the memory of ten trainings.
    for method in list(METHODS)[1:]:
        pair = {one: (one, *arguments) for one in ("plain", method)}
        results[f"{name}, {method}"] = measure(prepare, pair, runs=options.runs)
    print_table(results, ours="plain")
    save_json(results, options.json)
    return 0


def prepare(method: str, shape: str, precision: str, threads: int) -> Callable[[], None]:
    """A training step with a method."""
    from accelerate import Accelerator

    config = configure(shape, threads, METHODS[method])
    network = build(config).train()
    optimizer = build_optimizer(network, config.train)
    passes = Passes(network, network, Accelerator(cpu=True), config.regularisation, precision == "bf16")
    adversary = Adversary(network, config.adversarial) if config.adversarial.method != "none" else None
    batch = random_batch(network)

    def step() -> None:
        if adversary:
            adversary.train_on(batch, passes)
        else:
            loss = passes.clean(batch).loss
            assert loss is not None
            passes.backward(loss)
        optimizer.step()
        optimizer.zero_grad()

    return step


if __name__ == "__main__":
    sys.exit(main())
