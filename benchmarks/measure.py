"""Measures the time and memory of several systems side by side, as a table and as JSON.

Each system is a function that prepares inputs and returns a callable. Only the calls are measured. Each system has its
own process. The systems take turns, so that other load on the machine affects them all alike. The first call of a turn
is not counted. The peak is the resident memory above that of the prepared inputs.
"""

from __future__ import annotations

import json
import multiprocessing
import statistics
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

MIB = 1024 * 1024
IN_A_TURN = 2  # counted calls
Figures = dict[str, float]  # "seconds", the median of the calls, and "peak_mib"
Systems = dict[str, Figures | None]  # None for a system that failed


def measure(
    prepare: Callable[..., Callable[[], Any]],
    systems: dict[str, tuple],
    runs: int = 6,
    limit_mib: int = 0,
) -> Systems:
    """The median seconds of a call and the peak MiB above the inputs, for each system.

    Args:
        prepare: a module-level function that takes the arguments of a system and returns the call to measure.
        systems: the arguments of each system, by name.
        runs: counted calls of each system, two in a turn.
        limit_mib: address space of each process. A system that needs more counts as failed. 0: no limit.
    """
    workers = {name: Worker(prepare, arguments, limit_mib) for name, arguments in systems.items()}
    seconds: dict[str, list[float]] = {name: [] for name in systems}
    for _ in range(-(-runs // IN_A_TURN)):
        for name, worker in workers.items():
            taken = [worker.call() for _ in range(1 + IN_A_TURN)]
            seconds[name] += [one for one in taken[1:] if one is not None]
    results: Systems = {}
    for name, worker in workers.items():
        peak = worker.finish()
        if peak is None or len(seconds[name]) < runs:
            results[name] = None
        else:
            results[name] = {"seconds": statistics.median(seconds[name]), "peak_mib": peak}
    return results


class Worker:
    """A process that makes calls on request. After a failure all its answers are None."""

    def __init__(self, prepare: Callable, arguments: tuple, limit_mib: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, prepare, arguments, limit_mib))
        self._process.start()
        theirs.close()
        self._ask()  # waits until the inputs are prepared

    def call(self) -> float | None:
        """Make one call; returns its seconds."""
        return self._ask("call")

    def finish(self) -> float | None:
        """End the process; returns its peak in MiB."""
        peak = self._ask("finish")
        self._process.join()
        return peak

    def _ask(self, *request: str) -> float | None:
        try:
            for word in request:
                self._connection.send(word)
            return self._connection.recv()
        except (EOFError, OSError):  # the process ended, on an error or without enough memory
            return None


def _serve(connection: Connection, prepare: Callable, arguments: tuple, limit_mib: int) -> None:
    if limit_mib:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (limit_mib * MIB, limit_mib * MIB))
    try:
        work = prepare(*arguments)
        before = _status("VmRSS")
        _forget_peak()
        connection.send(0.0)
        while connection.recv() == "call":
            started = time.perf_counter()
            work()
            connection.send(time.perf_counter() - started)
        connection.send(_status("VmHWM") - before)
    except (MemoryError, RuntimeError) as error:
        if not isinstance(error, MemoryError) and "memory" not in str(error):
            raise


def _status(name: str) -> float:
    """A memory figure of this process in MiB, from Linux."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"/proc/self/status has no {name}; these benchmarks need Linux")


def _forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def print_table(results: dict[str, Systems], ours: str = "ours") -> None:
    """Print a Markdown table with a row for each shape and system, and its ratios to ours."""
    print("| shape | system | seconds | peak MiB | time / ours | memory / ours |")
    print("|---|---|---|---|---|---|")
    for shape, systems in results.items():
        own = systems.get(ours)
        for name, figures in systems.items():
            if figures is None:
                print(f"| {shape} | {name} | does not run | | | |")
                continue
            ratios = [figures[key] / own[key] if own and own[key] > 0 else float("nan") for key in figures]
            cells = [f"{figures['seconds']:.4f}", f"{figures['peak_mib']:.0f}", *(f"{ratio:.2f}" for ratio in ratios)]
            print(f"| {shape} | {name} | " + " | ".join(cells) + " |")


def save_json(results: dict[str, Any], path: str | None) -> None:
    """Write the results as JSON, if there is a path."""
    if path:
        Path(path).write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
