"""Time and memory of several pieces of work, side by side, as a table and as JSON.

A piece of work is a function that prepares its inputs and returns a callable; only the calls are measured. Each has a
process of its own, and they take turns, some calls each, so that what else happens on the machine meets them all alike;
the first call of a turn is not counted. The peak is resident memory above what the process held when the inputs stood
ready.
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
IN_A_TURN = 2
Figures = dict[str, float]  # "seconds", the median of the calls, and "peak_mib"


def measure(
    prepare: Callable[..., Callable[[], Any]],
    systems: dict[str, tuple],
    runs: int = 6,
    limit_mib: int = 0,
) -> dict[str, Figures | None]:
    """Median seconds of a call and peak MiB above the inputs, of each system.

    Args:
        prepare: a function at the top of a module, which makes the work from the arguments of a system.
        systems: their arguments, by name.
        runs: counted calls of each, two in a turn.
        limit_mib: address space of each process; work that needs more counts as failed. 0: no limit.

    Returns:
        The figures of each, or None for work that failed, as work that finds no memory does.
    """
    workers = {name: Worker(prepare, arguments, limit_mib) for name, arguments in systems.items()}
    seconds: dict[str, list[float]] = {name: [] for name in systems}
    for _ in range(-(-runs // IN_A_TURN)):
        for name, worker in workers.items():
            taken = [worker.call() for _ in range(1 + IN_A_TURN)]
            seconds[name] += [one for one in taken[1:] if one is not None]
    results: dict[str, Figures | None] = {}
    for name, worker in workers.items():
        peak = worker.finish()
        complete = peak is not None and len(seconds[name]) >= runs
        results[name] = {"seconds": statistics.median(seconds[name]), "peak_mib": peak} if complete else None
    return results


class Worker:
    """A process that does a piece of work whenever it is called. Once failed it answers None."""

    def __init__(self, prepare: Callable, arguments: tuple, limit_mib: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, prepare, arguments, limit_mib))
        self._process.start()
        theirs.close()
        self._ask()  # for the inputs to stand ready

    def call(self) -> float | None:
        """Seconds of one call."""
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
        except (EOFError, OSError):  # the process ended, on an error or for want of memory
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
    """A memory figure of this process in MiB; Linux tells it."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"this system does not tell {name}")


def _forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def print_table(results: dict[str, dict[str, Figures | None]], ours: str = "ours") -> None:
    """Markdown: a row for each shape and system, with ratios of the others to ours."""
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
    """Write the results where the user asked for them."""
    if path:
        Path(path).write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
