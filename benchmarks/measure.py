"""Time and memory of a piece of work, each in a process of its own, as a table and as JSON.

A piece of work is a function that prepares its inputs and returns a callable; only the calls are measured. The peak is
resident memory above what the process held when the inputs stood ready.
"""

from __future__ import annotations

import json
import multiprocessing
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

MIB = 1024 * 1024


def measure(prepare: Callable[..., Callable[[], Any]], *arguments: Any, runs: int = 5, warmup: int = 2,
            limit_mib: int = 0) -> dict[str, float] | None:  # fmt: skip
    """Median seconds of a call and peak MiB above the inputs.

    Args:
        prepare: a function at the top of a module; it is called in a fresh process with `arguments`.
        runs, warmup: counted calls, and calls before them.
        limit_mib: address space of the process; work that needs more counts as failed. 0: no limit.

    Returns:
        {"seconds", "peak_mib"}, or None if the work failed, as work that finds no memory does.
    """
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_measure_here, args=(sender, prepare, arguments, runs, warmup, limit_mib))
    process.start()
    sender.close()
    try:
        result = receiver.recv()
    except EOFError:  # the process was killed
        result = None
    process.join()
    return result


def _measure_here(sender: Any, prepare: Callable, arguments: tuple, runs: int, warmup: int, limit_mib: int) -> None:
    if limit_mib:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (limit_mib * MIB, limit_mib * MIB))
    try:
        work = prepare(*arguments)
        before = _resident_mib()
        _forget_peak()
        for _ in range(warmup):
            work()
        seconds = []
        for _ in range(runs):
            started = time.perf_counter()
            work()
            seconds.append(time.perf_counter() - started)
        sender.send({"seconds": statistics.median(seconds), "peak_mib": _peak_mib() - before})
    except (MemoryError, RuntimeError) as error:
        if not isinstance(error, MemoryError) and "memory" not in str(error):
            raise
        sender.send(None)


def _status(name: str) -> float:
    """A memory figure of this process in MiB; Linux tells it."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"this system does not tell {name}")


def _resident_mib() -> float:
    return _status("VmRSS")


def _peak_mib() -> float:
    return _status("VmHWM")


def _forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def print_table(results: dict[str, dict[str, dict[str, float] | None]], ours: str = "ours") -> None:
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
