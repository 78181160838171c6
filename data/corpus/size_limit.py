"""The largest file that is read at once, so that a damaged or hostile one does not fill the memory.

What is read whole counts: a text file, a member of a zip with all that it unpacks to, a list of JSON, a single line.
A file that is read line by line may be larger. `data.largest_file` sets the limit for one command.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from typing import IO

from utils.errors import UserError

MEBIBYTE = 2**20
CHUNK = MEBIBYTE
_largest = ContextVar("largest file in bytes", default=1024 * MEBIBYTE)


@contextlib.contextmanager
def files_up_to(mebibytes: int) -> Iterator[None]:
    """Read files up to this size within the block."""
    before = _largest.set(mebibytes * MEBIBYTE)
    try:
        yield
    finally:
        _largest.reset(before)


def refuse_large(size: int, where: str) -> None:
    """Raise UserError if a file of this size is not to be read."""
    if size > (largest := _largest.get()):
        raise UserError(f"{where}: larger than {largest // MEBIBYTE} MiB; split it, or raise data.largest_file")


def read_whole(stream: IO[bytes], where: str) -> bytearray:
    """All bytes of a stream. Its size is checked as it is read, because a zip may promise less than it unpacks to.

    Raises:
        UserError: it is too large.
    """
    content = bytearray()
    while chunk := stream.read(CHUNK):
        refuse_large(len(content) + len(chunk), where)
        content += chunk
    return content


def read_lines_up_to(stream: IO[bytes], where: str) -> Iterator[bytes]:
    """The lines of a stream, with their line ends.

    Raises:
        UserError: a line is too long.
    """
    longest = _largest.get()
    while line := stream.readline(longest + 1):
        refuse_large(len(line), where)
        yield line
