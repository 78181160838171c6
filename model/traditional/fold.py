"""Trains one fold of a traditional system: fits it, saves it in the run folder, and scores it on the dev part."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from config import Config
from data.gold_parts import score_parts
from data.lattice.lattice import build_lattices
from data.metrics import score_record
from data.processed import Processed
from data.spans import ScoredSpan
from data.split import Split
from model.run_folder import RunParts, recorded_files, save_parts, weights_path
from model.traditional import TraditionalSystem, system_class
from model.training.replacement import TrainingFolder
from utils.memory import peak_memory_mib


def train_traditional(
    config: Config, processed: Processed, split: Split, folder: TrainingFolder, number: int
) -> dict[str, Any]:
    """Fit, save and score.

    Args:
        config: of the run.
        processed: the data.
        split: the training and dev documents.
        folder, number: where the fold is written.

    Returns:
        The fold's metrics, apart from those of the split.
    """
    parts = RunParts(config.run_folder, config, processed.categories, processed.vocabulary, processed.lexicon, None, 0,
                     processed.digest)  # fmt: skip
    save_parts(parts, folder.path)
    kind = system_class(config.model.name)
    path = weights_path(folder.fold(number), "last", kind.filename)
    started = time.perf_counter()
    with recorded_files(folder.path).write(path) as temporary:
        passes = kind.fit(processed, split.train, temporary)
    seconds = time.perf_counter() - started
    folder.take_place()
    path = weights_path(folder.fold(number), "last", kind.filename)
    system = kind.load(path, parts)
    record: dict[str, float] = {"epoch": 1, "seconds": round(seconds, 3)}
    if split.dev or config.data.gold:
        record |= _score(system, processed, split, config)
    return {
        "parameters": system.parameters,
        "passes": passes,
        "selected": "last",
        "train_seconds": round(seconds, 3),
        "peak_mib": peak_memory_mib(),
        "history": [record],
    }


def _score(system: TraditionalSystem, processed: Processed, split: Split, config: Config) -> dict[str, float]:
    seconds = 0.0

    def read(numbers: Sequence[int]) -> list[list[ScoredSpan]]:
        nonlocal seconds
        documents = [processed.documents[number] for number in numbers]
        lattices = build_lattices((one.text for one in documents), processed.vocabulary, processed.lexicon)
        started = time.perf_counter()  # without the lattices, as for networks
        found = system.read(documents, lattices)
        seconds = time.perf_counter() - started
        return found

    scores = score_parts(processed, config.data, split.dev, read)
    return score_record(scores) | {"evaluation_seconds": round(seconds, 6)}
