"""Long work as stages that are done once.

A stage is done when its outputs stand there and were made from the inputs and settings of now. So what a person changes
between two calls (a corrected table, a setting) is done again from there on, and nothing else.
"""

from __future__ import annotations

import functools
import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from data.corpus.corpus_files import require
from utils.files import digest_file, read_json, write_json


@dataclass(frozen=True)
class Stage:
    """One step.

    Attributes:
        name: unique in its plan.
        about: what it does, for a person.
        work: does it; writes all outputs.
        inputs: files that it reads.
        outputs: files that it writes.
        settings: plain values that it depends on.
    """

    name: str
    about: str
    work: Callable[[], None]
    inputs: Sequence[Path]
    outputs: Sequence[Path]
    settings: Any = field(default=None)


class Plan:
    """Stages in their order, and the record of what was done, `stages.json` in a folder."""

    def __init__(self, folder: Path, stages: Sequence[Stage]) -> None:
        self.stages = stages
        self._path = folder / "stages.json"

    def is_done(self, stage: Stage) -> bool:
        """Whether its outputs are there, made from what its inputs and settings are now."""
        if not all(path.exists() for path in (*stage.inputs, *stage.outputs)):
            return False
        return self._record().get(stage.name) == _fingerprint(stage)

    def describe(self) -> list[str]:
        """A line for each stage: what it does, and whether it is done, as far as can be known before."""
        lines, open_outputs = [], set()
        for number, stage in enumerate(self.stages, start=1):
            done = not open_outputs.intersection(stage.inputs) and self.is_done(stage)
            if not done:
                open_outputs.update(stage.outputs)
            state = "done" if done else "to do"
            lines.append(f"[{number}/{len(self.stages)}] {state:<6}{stage.name}: {stage.about}")
        return lines

    def run(self) -> None:
        """Do what is not done yet, in order.

        Raises:
            UserError: a stage failed; those before it stay done.
        """
        for number, stage in enumerate(self.stages, start=1):
            place = f"[{number}/{len(self.stages)}] {stage.name}"
            if self.is_done(stage):
                print(f"{place}: done before", flush=True)
                continue
            print(f"{place}: {stage.about}", flush=True)
            started = time.perf_counter()
            # Forgotten before the work and noted after it, so that an interruption leaves the stage to be done. What
            # changes meanwhile is not what it was made from.
            made_from = _fingerprint(stage)
            others = {name: of for name, of in self._record().items() if name != stage.name}
            write_json(self._path, others)
            stage.work()
            write_json(self._path, others | {stage.name: made_from})
            print(f"{place}: {time.perf_counter() - started:.0f} s", flush=True)

    def _record(self) -> dict[str, str]:
        return read_json(self._path, "remove it, and all stages are done again") if self._path.exists() else {}


def _fingerprint(stage: Stage) -> str:
    """SHA-256 of the settings and of what the inputs hold."""
    made_from = [stage.settings, [[str(path), _digest(path)] for path in stage.inputs]]
    return hashlib.sha256(json.dumps(made_from, sort_keys=True).encode()).hexdigest()


def _digest(path: Path) -> str:
    require(path)
    stat = path.stat()
    return _digest_as_of(path, stat.st_size, stat.st_mtime_ns)


@functools.lru_cache(maxsize=1024)
def _digest_as_of(path: Path, size: int, modified: int) -> str:
    """Every stage asks anew, and some inputs (word vectors) are gigabytes: a file is read again if it has changed."""
    return digest_file(path)
