"""Kills a process at one of its file operations: before it, in the middle of it, or after it.

Python reports every file operation to its audit hooks (PEP 578): the opening of a file to write, a rename, a removal, a
new folder. So every command has crash points without a line for them. A file that a library writes without Python is
met at its rename: "in the middle" cuts it in half and then kills.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, NamedTuple

Moment = Literal["before", "in", "after"]
MOMENTS: tuple[Moment, ...] = ("before", "in", "after")
OPERATIONS = {"os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.truncate", "os.link", "os.symlink", "shutil.move"}


class CrashPoint(NamedTuple):
    """The number of a file operation, from 0, and the moment of the kill."""

    number: int
    moment: Moment


def count_operations(folder: Path) -> Callable[[], int]:
    """From now on count this process's file operations below a folder; returns what tells their number."""
    seen = 0

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal seen
        seen += _is_operation(event, arguments, folder)

    sys.addaudithook(hook)
    return lambda: seen


def crash_at(point: CrashPoint, folder: Path) -> None:
    """Kill this process at a file operation below a folder. An audit hook cannot be removed, so fork before."""
    seen, armed = 0, False

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal seen, armed
        if event == "os.kill":  # our own; a hook is asked about it, too
            return
        if armed:  # whatever comes next
            os.kill(os.getpid(), signal.SIGKILL)
        if not _is_operation(event, arguments, folder):
            return
        if seen == point.number:
            if point.moment == "in" and event == "os.rename":
                _cut_in_half(Path(os.fsdecode(arguments[0])))
            if point.moment == "before" or (point.moment == "in" and event == "os.rename"):
                os.kill(os.getpid(), signal.SIGKILL)
            armed = True
        seen += 1

    sys.addaudithook(hook)


def _is_operation(event: str, arguments: tuple[Any, ...], folder: Path) -> bool:
    if event == "open":
        path, _, flags = arguments
        writes = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        return bool(writes) and isinstance(path, (str, bytes, os.PathLike)) and _is_below(path, folder)
    return event in OPERATIONS and _is_below(arguments[0], folder)


def _is_below(path: Any, folder: Path) -> bool:
    try:
        return os.path.realpath(os.fsdecode(path)).startswith(f"{folder}{os.sep}")
    except (TypeError, ValueError):
        return False


def _cut_in_half(path: Path) -> None:
    """What a process that is killed while it writes leaves. Only temporary files are being written when they move."""
    if path.is_file() and path.name.endswith(".tmp"):
        os.truncate(path, path.stat().st_size // 2)
