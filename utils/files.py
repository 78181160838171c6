"""Files and folders that are written whole or not at all; JSON, rows of CSV, and digests."""

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
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

from utils.errors import UserError
from utils.json_values import parse_json
from utils.leftovers import NEW_FOLDER, OLD_FOLDER, TARGET, clear_leftovers, temporary_name


@contextlib.contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Give a temporary path, which is renamed to `path` at the end, or deleted if something is raised.

    Raises:
        UserError: the folder cannot be made or written to.
    """
    temporary = path.with_name(temporary_name(path.name))
    with writable(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        clear_leftovers(path.parent)
        try:
            yield temporary
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Give a temporary folder, which replaces `path` at the end, or is deleted if something is raised.

    The old folder at `path` is lost. Call `check_replaceable` before.

    Raises:
        UserError: the folder cannot be made or written to, or `path` is a file.
    """
    with writable(path):
        path = path.resolve()  # keeps a link to a folder
        path.parent.mkdir(parents=True, exist_ok=True)
        clear_leftovers(path.parent)
        made = path.with_name(temporary_name(path.name))
        made.mkdir(mode=0o700)
        new, old = made / NEW_FOLDER, made / OLD_FOLDER
        try:
            # An interrupted exchange is finished with this name.
            (made / TARGET).write_text(path.name, encoding="utf-8", errors="surrogateescape")
            new.mkdir()
            yield new
            if path.exists():
                if not path.is_dir():
                    raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
                os.replace(path, old)
            os.replace(new, path)
        finally:
            shutil.rmtree(made, ignore_errors=True)


@contextlib.contextmanager
def private_files(shared: bool = False) -> Iterator[None]:
    """Make new files and folders readable by their owner only, temporary ones too; `shared` leaves it to the system."""
    before = os.umask(0)
    os.umask(before if shared else before | 0o077)
    try:
        yield
    finally:
        os.umask(before)


def check_writable(folder: Path) -> None:
    """Check, before a long job, that its results can be written. Creates nothing, and clears what others left behind.

    Raises:
        UserError: the folder cannot be made or written to.
    """
    try:
        # Missing folders are not made to find out: another process may be making them.
        nearest = next(place for place in (folder, *folder.parents) if place.exists())
        tempfile.TemporaryFile(dir=nearest).close()
        for place in {nearest, folder.parent}:
            clear_leftovers(place)
        for name in folder.relative_to(nearest).parts:
            (nearest / name).exists()  # raises where a name is too long
    except OSError as error:
        raise UserError(f"{folder}: cannot be written ({error.strerror or error}); choose another folder") from None


def check_replaceable(folder: Path, names: Collection[str], setting: str, is_ours: Callable[[Path], bool]) -> None:
    """Check, before a long job, that a folder can be written and replaced without losing foreign files.

    Args:
        folder: that `atomic_folder` will replace.
        names: of the files that the job makes.
        setting: that names the folder, for messages.
        is_ours: whether an earlier job made the folder. Equal names are no proof of that.

    Raises:
        UserError: the folder cannot be written, holds other files, or holds files that no job has made.
    """
    check_writable(folder)
    there = sorted(path.name for path in folder.iterdir()) if folder.exists() else []
    there = [name for name in there if name != ".DS_Store"]
    if foreign := [name for name in there if name not in names]:
        raise UserError(f"{folder}: holds {foreign[0]}, which would be lost; set {setting} to another folder")
    if there and not is_ours(folder):
        raise UserError(f"{folder}: holds {there[0]}, which this program has not made and does not replace; move it, "
                        f"or set {setting} to another folder")  # fmt: skip


@contextlib.contextmanager
def writable(folder: Path) -> Iterator[None]:
    """Raise UserError for errors of the file system that the user can solve.

    Raises:
        UserError: there is no permission or no space, a file is in the place of a folder or the reverse, or a name is
            too long.
    """
    try:
        yield
    except (PermissionError, NotADirectoryError, IsADirectoryError, FileExistsError) as error:
        raise UserError(f"{folder}: cannot be written ({error.strerror or error}); choose another folder") from None
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise full_disk(folder, str(error.strerror)) from None
        if error.errno in (errno.EROFS, errno.ENAMETOOLONG):
            raise UserError(f"{folder}: cannot be written ({error.strerror}); choose another folder") from None
        if error.errno is None:  # as numpy reports that it could not write all values
            raise full_disk(folder, str(error)) from None
        raise


def full_disk(place: Path, reason: str) -> UserError:
    """The error for a disk without space. Nothing is lost: what is half-written has no final name."""
    return UserError(f"{place}: cannot be written ({reason}); free some space and give the command again, or choose "
                     "another folder")  # fmt: skip


def write_text(path: Path, text: str) -> None:
    """Write a text file, whole or not at all."""
    with atomic_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: Path, value: Any) -> None:
    """Write indented JSON, whole or not at all."""
    write_text(path, json.dumps(value, ensure_ascii=False, indent=2) + "\n")


CSV_ENCODING = "utf-8-sig"  # with a byte-order mark; without it, a Chinese Excel reads the table as GBK


def csv_row(values: Iterable[Any]) -> str:
    r"""A row of CSV that ends in a newline.

    Before Python 3.13, a writer quotes \r or \n only if its own line end has it. Readers end the row at an unquoted \r.
    Therefore the row is written with \r\n, which is then replaced.
    """
    row = io.StringIO(newline="")
    csv.writer(row, lineterminator="\r\n").writerow(values)
    return row.getvalue().removesuffix("\r\n") + "\n"


def read_json(path: Path, remedy: str) -> Any:
    """Read JSON.

    Raises:
        UserError: the file is missing or damaged; the message ends in `remedy`.
    """
    try:
        return parse_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; {remedy}") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: damaged ({error}); {remedy}") from None


def digest_file(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
