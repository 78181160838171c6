"""Measures a training step of the default network beside encoder + CRF and encoder + softmax, on random text.

    python benchmarks/train_step.py --json train_step.json
    python benchmarks/train_step.py --shape me5-small --precision bf16
    ONEDNN_MAX_CPU_ISA=AVX2 ATEN_CPU_CAPABILITY=avx2 python benchmarks/train_step.py --shape "me5-small, 4 layers"

A step is forward, backward and AdamW. Encoders have random weights, because the time does not depend on them. The last
command imitates a CPU with AVX2 only.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import torch
from accelerate.utils import send_to_device

from benchmarks.measure import measure, print_table, save_json
from config import Config, load_config
from data.batches.inputs import Batch
from data.lattice.lattice import LatticeSlice
from data.lattice.tokenizer import SPECIALS, Vocabulary
from model.build import assemble
from model.layers.character_encoder import encoder_from_config, scratch_config
from model.model import DataShape, LexiconSize, TaggingNetwork
from model.training.optimizer import build_optimizer
from utils.device import set_up_processor

SHAPES = {  # hidden, heads, layers, feed-forward
    "BERT-base": (768, 12, 12, 3072),
    "me5-small": (384, 12, 12, 1536),
    "me5-small, 4 layers": (384, 12, 4, 1536),
}
SYSTEMS = {
    "ours": [],
    "encoder + CRF": ["model.name=encoder"],
    "encoder + softmax": ["model.name=encoder", "model.head=softmax", "crf.scheme=bmes"],
}
BATCH, LENGTH, WORDS, VOCABULARY, CATEGORIES = 16, 150, 50, 8000, 14


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", metavar="FILE", help="also write the figures there")
    parser.add_argument("--shape", choices=SHAPES, action="append", help="all by default")
    parser.add_argument("--system", choices=SYSTEMS, action="append", help="all by default")
    parser.add_argument("--precision", choices=["float32", "bf16"], default="float32")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--runs", type=int, default=6)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    results = {}
    for shape in options.shape or SHAPES:
        arguments = (shape, options.precision, options.device, options.threads)
        name = f"{shape}, {BATCH} x {LENGTH}, {options.precision}, {options.device}"
        systems = {system: (system, *arguments) for system in options.system or SYSTEMS}
        results[name] = measure(prepare, systems, runs=options.runs)
    print_table(results)
    save_json(results, options.json)
    return 0


def prepare(system: str, shape: str, precision: str, device: str, threads: int) -> Callable[[], None]:
    """A training step of a system."""
    config = configure(shape, threads, SYSTEMS[system])
    network = build(config).to(device).train()
    optimizer = build_optimizer(network, config.train)
    batch = send_to_device(random_batch(network), device)

    def step() -> None:
        with torch.autocast(device, torch.bfloat16, enabled=precision == "bf16"):
            loss = network(**batch).loss
        assert loss is not None
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        if device == "cuda":
            torch.cuda.synchronize()

    return step


def configure(shape: str, threads: int, changes: list[str]) -> Config:
    """The settings for an encoder's shape. Sets up the CPU for them."""
    hidden, heads, depth, feed_forward = SHAPES[shape]
    config = load_config([], [
        "encoder.name=scratch", f"encoder.hidden={hidden}", f"encoder.heads={heads}", f"encoder.depth={depth}",
        f"encoder.feed_forward={feed_forward}", f"data.max_len={LENGTH}", f"run.threads={threads}", *changes,
    ])  # fmt: skip
    set_up_processor(config.run.threads)
    return config


def build(config: Config) -> TaggingNetwork:
    """The network of the settings, with the same random weights every time."""
    torch.manual_seed(0)
    encoder = encoder_from_config(scratch_config(config.encoder, VOCABULARY, LENGTH + 2, 0), "last")
    categories = [f"c{number}" for number in range(CATEGORIES)]
    return assemble(config, encoder, DataShape(categories, vocabulary(), LexiconSize(20_000, config.lexicon.dimension)))


def vocabulary() -> Vocabulary:
    """A vocabulary of a hundred characters."""
    return Vocabulary([*SPECIALS, *(chr(0x4E00 + number) for number in range(100))])


def random_batch(network: TaggingNetwork) -> Batch:
    """Random characters, words of two to four characters, and no labels."""
    random = np.random.default_rng(0)
    slices = []
    for _ in range(BATCH):
        starts = np.sort(random.integers(0, LENGTH - 4, WORDS)).astype(np.int32)
        ends = starts + random.integers(1, 4, WORDS).astype(np.int32)
        tokens, words = random.integers(5, VOCABULARY, LENGTH), random.integers(1, 20_000, WORDS)
        slices.append(LatticeSlice(tokens.astype(np.int32), words.astype(np.int32), starts, ends))
    labeller = network.head.labeller
    labels, _ = labeller.write([], [], LENGTH)
    return network.inputs(slices, vocabulary()) | {"labels": labeller.collate([labels] * BATCH, LENGTH)}


if __name__ == "__main__":
    sys.exit(main())
