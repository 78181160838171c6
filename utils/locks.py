"""Locks on folders that only one process may write to.

The operating system holds a lock for a living process and releases it when the process ends, however it ends. So the
lock file of a process that was killed is no obstacle. The file says which process holds the lock, for messages.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from utils.errors import UserError
from utils.files import writable
from utils.leftovers import is_running

LOCK_SUFFIX = ".lock"
GRACE = 15  # seconds in which the helper processes of a killed process end


@contextlib.contextmanager
def locked(
    path: Path, what: str, way_out: str, waits: bool = False, keeps: Callable[[], bool] = lambda: False
) -> Iterator[None]:
    """Hold a lock. The lock file is removed at the end.

    Args:
        path: the lock file. Its folder is made.
        what: is written to, for the message.
        way_out: ends the message.
        waits: until another process has released the lock, and says so on standard error.
        keeps: whether to leave the lock file, asked at the end.

    Raises:
        UserError: another process holds the lock, or the file cannot be written.
    """
    with contextlib.ExitStack() as held:
        with writable(path.parent):
            path.parent.mkdir(parents=True, exist_ok=True)
            lock = FileLock(path, mode=0o600)
            try:
                held.enter_context(lock.acquire(timeout=GRACE if _holder_is_gone(path) else 0))
            except Timeout:
                if not waits:
                    raise UserError(f"{what}: is written to by {_describe_holder(path)}; {way_out}") from None
                print(f"{what}: waits for {_describe_holder(path)}", file=sys.stderr, flush=True)
                held.enter_context(lock.acquire())
            _sign(path)
        try:
            yield
        finally:
            if not keeps():
                path.unlink(missing_ok=True)  # whoever waits for the removed file notices, and takes a new one


def lock_beside(folder: Path) -> Path:
    """The lock file of a folder that is replaced as a whole."""
    return folder.with_name(f".{folder.name}{LOCK_SUFFIX}")


def _sign(path: Path) -> None:
    with path.open("r+", encoding="utf-8") as file:  # the same file, because the lock belongs to it
        file.write(json.dumps({"process": os.getpid(), "host": socket.gethostname()}) + "\n")
        file.truncate()


def _holder(path: Path) -> tuple[int, str] | None:
    """The process and host that the lock file names, if it can be read."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return int(found["process"]), str(found["host"])
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None


def _holder_is_gone(path: Path) -> bool:
    holder = _holder(path)
    return holder is not None and holder[1] == socket.gethostname() and not is_running(holder[0])


def _describe_holder(path: Path) -> str:
    holder = _holder(path)
    return f"process {holder[0]} on {holder[1]}" if holder else "another process"
