"""Files that are written whole or not at all; JSON, rows of CSV, digests."""

from __future__ import annotations

import contextlib
import csv
import errno
import hashlib
import io
import json
import os
import shutil
import tempfile
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

from utils.errors import UserError


@contextlib.contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """A temporary path beside `path`; it takes the place of `path` at the end, or vanishes if something is raised.

    Raises:
        UserError: the folder cannot be made or written to.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with writable(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield temporary
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """A temporary folder that takes the place of `path` at the end, or vanishes if something is raised.

    What was at `path` is lost, so the caller makes sure beforehand that it may be (`check_replaceable`).

    Raises:
        UserError: the folder cannot be made or written to, or there is a file in its place.
    """
    with writable(path):
        path = path.resolve()  # a link to a folder stays a link
        path.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
        new, old = made / "new", made / "old"
        try:
            new.mkdir()
            yield new
            if path.exists():
                if not path.is_dir():
                    raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
                os.replace(path, old)
            os.replace(new, path)
        finally:
            shutil.rmtree(made, ignore_errors=True)


def check_writable(folder: Path) -> None:
    """Try, before a long job, whether its results can be written; leaves nothing behind.

    Raises:
        UserError: the folder cannot be made or written to.
    """
    try:
        # What does not exist yet is not made for a try: another process may be making it.
        nearest = next(place for place in (folder, *folder.parents) if place.exists())
        tempfile.TemporaryFile(dir=nearest).close()
        for name in folder.relative_to(nearest).parts:
            (nearest / name).exists()  # raises where a name is too long
    except OSError as error:
        raise UserError(f"{folder}: cannot be written ({error.strerror or error}); choose another folder") from None


def check_replaceable(folder: Path, names: Collection[str], setting: str) -> None:
    """Make sure, before a long job, that a folder can be written and that nothing but what such a job makes is lost.

    Args:
        folder: what `atomic_folder` will replace.
        names: of the files that the job makes.
        setting: which names the folder.

    Raises:
        UserError: the folder cannot be written, or holds anything else.
    """
    check_writable(folder)
    for path in folder.iterdir() if folder.exists() else ():
        if path.is_dir() or (path.name not in names and not path.name.startswith(".")):
            raise UserError(f"{folder}: holds {path.name}, which would be lost; set {setting} to another folder")


@contextlib.contextmanager
def writable(folder: Path) -> Iterator[None]:
    """Turn the refusal of a file system into one line.

    Raises:
        UserError: no permission, no room, a file where a folder should be or the other way round, or too long a name.
    """
    try:
        yield
    except (PermissionError, NotADirectoryError, IsADirectoryError, FileExistsError) as error:
        raise UserError(f"{folder}: cannot be written ({error.strerror or error}); choose another folder") from None
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EROFS, errno.EDQUOT, errno.ENAMETOOLONG):
            raise UserError(f"{folder}: cannot be written ({error.strerror}); choose another folder") from None
        raise


def write_text(path: Path, text: str) -> None:
    """Write a whole file or nothing."""
    with atomic_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: Path, value: Any) -> None:
    """Write indented JSON, whole or not at all."""
    write_text(path, json.dumps(value, ensure_ascii=False, indent=2) + "\n")


def csv_row(values: Iterable[Any]) -> str:
    r"""A row of CSV and a newline.

    Before Python 3.13 a writer quotes a line end only where it is in its own, and a lone \r that is not quoted ends the
    row for whoever reads it. So it is written with \r\n, and the newline put in its place.
    """
    row = io.StringIO(newline="")
    csv.writer(row, lineterminator="\r\n").writerow(values)
    return row.getvalue().removesuffix("\r\n") + "\n"


def read_json(path: Path, remedy: str) -> Any:
    """Read JSON.

    Raises:
        UserError: missing or damaged; `remedy` says what to do.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; {remedy}") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: damaged ({error}); {remedy}") from None


def digest_file(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
