"""Long work as stages that are run once.

A stage is done when its outputs exist and were made from its current inputs and settings. When a person changes
something between two calls, such as a table or a setting, the stages that depend on it run again, and no others.
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
        work: writes all outputs.
        inputs: files that it reads.
        outputs: files that it writes.
        settings: values that it depends on, which JSON can hold.
    """

    name: str
    about: str
    work: Callable[[], None]
    inputs: Sequence[Path]
    outputs: Sequence[Path]
    settings: Any = field(default=None)


class Plan:
    """Stages in their order, and the record of those that are done, `stages.json` in a folder."""

    def __init__(self, folder: Path, stages: Sequence[Stage]) -> None:
        self.stages = stages
        self._path = folder / "stages.json"

    def is_done(self, stage: Stage) -> bool:
        """Whether its outputs exist and were made from its current inputs and settings."""
        if not all(path.exists() for path in (*stage.inputs, *stage.outputs)):
            return False
        return self._record().get(stage.name) == _fingerprint(stage)

    def describe(self) -> list[str]:
        """A line for each stage: whether it is done, and what it does. A stage that reads what is to do is to do."""
        lines: list[str] = []
        open_outputs: set[Path] = set()
        for number, stage in enumerate(self.stages, start=1):
            done = not open_outputs.intersection(stage.inputs) and self.is_done(stage)
            if not done:
                open_outputs.update(stage.outputs)
            state = "done" if done else "to do"
            lines.append(f"[{number}/{len(self.stages)}] {state:<6}{stage.name}: {stage.about}")
        return lines

    def run(self) -> None:
        """Run the stages that are not done, in order.

        Raises:
            UserError: a stage failed. Those before it stay done.
        """
        for number, stage in enumerate(self.stages, start=1):
            place = f"[{number}/{len(self.stages)}] {stage.name}"
            if self.is_done(stage):
                print(f"{place}: done before", flush=True)
                continue
            print(f"{place}: {stage.about}", flush=True)
            started = time.perf_counter()
            # The record is removed before the work and written after it, so an interrupted stage is not done. The
            # fingerprint is taken before the work: an input that changes meanwhile is not what it was made from.
            made_from = _fingerprint(stage)
            others = {name: of for name, of in self._record().items() if name != stage.name}
            write_json(self._path, others)
            stage.work()
            write_json(self._path, others | {stage.name: made_from})
            print(f"{place}: {time.perf_counter() - started:.0f} s", flush=True)

    def _record(self) -> dict[str, str]:
        return read_json(self._path, "remove it; all stages are then done again") if self._path.exists() else {}


def _fingerprint(stage: Stage) -> str:
    """SHA-256 of the settings and of the inputs' contents."""
    made_from = [stage.settings, [[str(path), _digest(path)] for path in stage.inputs]]
    return hashlib.sha256(json.dumps(made_from, sort_keys=True).encode()).hexdigest()


def _digest(path: Path) -> str:
    require(path)
    stat = path.stat()
    return _digest_as_of(path, stat.st_size, stat.st_mtime_ns)


@functools.lru_cache(maxsize=1024)
def _digest_as_of(path: Path, size: int, modified: int) -> str:
    """Cached, because every stage asks again and some inputs (word vectors) are gigabytes."""
    return digest_file(path)
