"""A child process that ends when its parent ends, however the parent ends.

The parent holds the writing end of a pipe, and a thread of the child reads from the other end. Nothing is ever written.
When the parent is gone the operating system closes its end, and the child ends at once. A signal could not do this:
SIGKILL gives a parent no time to pass one on.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

VARIABLE = "CHILD_LIFELINE"  # environment variable of the child: number of the reading end


def run_child(command: Sequence[str], output: BinaryIO, folder: Path | None = None) -> int:
    """Run a command that calls `follow_parent`; returns its exit status.

    Args:
        command: program and arguments. Its standard input is empty.
        output: gets what it prints.
        folder: to run it in.
    """
    reading, writing = os.pipe()
    try:
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=folder, pass_fds=[reading],
            env=os.environ | {VARIABLE: str(reading)},
        )  # fmt: skip
        os.close(reading)
        return child.wait()
    finally:
        os.close(writing)


def follow_parent() -> None:
    """End this process when its parent ends. Does nothing in a process that `run_child` has not started."""
    number = os.environ.pop(VARIABLE, None)  # its own children are not those of its parent
    if number is not None and number.isdecimal():
        threading.Thread(target=_wait_for_end, args=(int(number),), daemon=True).start()


def _wait_for_end(reading: int) -> None:
    try:
        while os.read(reading, 1):
            pass
    except OSError:
        return  # there is no such pipe
    if sys.platform == "win32":
        os._exit(1)
    os.kill(os.getpid(), signal.SIGKILL)
