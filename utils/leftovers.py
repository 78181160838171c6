"""Names of temporary files and folders, and the removal of those that a killed process has left behind.

A name says which process made it: `.NAME.HOST.PROCESS.TOKEN.tmp`. HOST is a digest of the machine's name. TOKEN tells
a process from an earlier one that had the same number, as the first process of every container has.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import re
import secrets
import shutil
import socket
import time
from pathlib import Path

PATTERN = re.compile(r"\.(?s:.*)\.([0-9a-f]{8})\.([0-9]{1,19})\.([0-9a-f]{8})(?:\.[0-9a-f]{8})?\.tmp")
LONGEST_NAME = 40  # characters of NAME, because a file system limits the whole
OLD = 24 * 3600  # seconds; processes of another machine cannot be asked whether they live
NEW_FOLDER, OLD_FOLDER, TARGET = "new", "old", "target"  # in a temporary folder; see `utils.files.atomic_folder`


def temporary_name(name: str) -> str:
    """A name for a temporary file or folder beside `name`, different in each call."""
    return f".{name[:LONGEST_NAME]}.{_host()}.{os.getpid()}.{_token()}.{secrets.token_hex(4)}.tmp"


def clear_leftovers(folder: Path) -> None:
    """Remove what killed processes have left in a folder, and finish an exchange of folders that was interrupted."""
    with contextlib.suppress(OSError):  # nothing to clear, or another process clears it
        for path in [path for path in folder.iterdir() if _is_left_behind(path)]:
            _finish_exchange(path)
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def clear_leftovers_below(folder: Path) -> None:
    """The same in a folder and all folders in it."""
    for place, _, _ in os.walk(folder):
        clear_leftovers(Path(place))


def _finish_exchange(made: Path) -> None:
    """Between two renames neither the old nor the new folder is in its place. The new one is complete then."""
    target = made / TARGET
    if (made / OLD_FOLDER).exists() and target.is_file():
        place = made.with_name(Path(target.read_text(encoding="utf-8", errors="surrogateescape")).name)
        new = made / NEW_FOLDER
        if not place.exists():
            os.replace(new if new.exists() else made / OLD_FOLDER, place)


def _is_left_behind(path: Path) -> bool:
    found = PATTERN.fullmatch(path.name)
    if not found:
        return False
    host, process, token = found.groups()
    if host != _host():
        return time.time() - path.stat().st_mtime > OLD
    if int(process) == os.getpid():
        return token != _token()
    return not is_running(int(process))


def is_running(process: int) -> bool:
    """Whether a process with this number runs on this machine."""
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # of another user
        return True
    return True


@functools.cache
def _host() -> str:
    return hashlib.sha256(socket.gethostname().encode()).hexdigest()[:8]


@functools.cache
def _token() -> str:
    return secrets.token_hex(4)
