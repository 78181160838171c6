"""Reading lines of a file, and files of a folder or of a zip, which is not unpacked.

Everything must be UTF-8; the error for other bytes says where they are. Texts and line ends are kept as stored.
"""

from __future__ import annotations

import codecs
import contextlib
import lzma
import os
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath, PurePosixPath
from typing import IO, TypeVar

from data.corpus.size_limit import read_lines_up_to, read_whole, refuse_large
from utils.errors import UserError, looked_in

UTF8_NAME = 0x800  # flag of a file in a zip
SURROGATE_PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")
Source = TypeVar("Source")  # what a file is read from: its path, or its entry in a zip


@dataclass(frozen=True)
class NamedFile:
    """One file of a folder or zip.

    Attributes:
        where: its name in messages, `train_label.zip/a/3.csv`.
        stem: its name without folder and suffix, `3`.
        place: its path in the folder or zip, without suffix, `a/3`.
    """

    where: str
    stem: str
    place: str
    raw: bytes | bytearray

    def text(self) -> str:
        """The content exactly as stored, line ends included. Raises UserError if it is not UTF-8.

        It may hold lone surrogates; see `decode`.
        """
        return decode(self.raw, self.where, surrogates=True)


def require(path: Path) -> None:
    """Raise UserError if `path` does not exist."""
    if not path.exists():
        raise UserError(f"{path}: no such file or folder{looked_in(path)}; check the path")


def is_tree(path: Path) -> bool:
    """Whether `path` is a folder or a zip."""
    return path.is_dir() or path.suffix.lower() == ".zip"


def named_files(path: Path, suffix: str) -> Iterator[NamedFile]:
    """Yield the files with a suffix in a folder or zip, sub-folders included, or `path` itself. 2 comes before 10.

    Raises:
        UserError: the path is missing or cannot be read, or is a damaged zip.
    """
    require(path)
    try:
        if path.is_dir():
            yield from _files_of_folder(path, suffix)
        elif is_tree(path):
            yield from _files_of_zip(path, suffix)
        elif path.suffix.lower() == suffix:
            yield _named_file(path, str(path), PurePosixPath(path.name))
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error}); check its permissions") from None
    # zipfile raises RuntimeError for a password and for an unknown compression, and UnicodeDecodeError for a name that
    # is marked as UTF-8 and is not.
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, RuntimeError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: damaged or not a zip ({error}); fetch it again or unpack it") from None


def _files_of_folder(path: Path, suffix: str) -> Iterator[NamedFile]:
    found = ((PurePosixPath(file.relative_to(path).as_posix()), file) for file in path.rglob("*") if file.is_file())
    for name, file in _wanted(found, suffix):
        yield _named_file(file, f"{path}/{name}", name)


def _files_of_zip(path: Path, suffix: str) -> Iterator[NamedFile]:
    with zipfile.ZipFile(path) as archive:
        # A zip can hold a name twice. Unpacking leaves the later file, so it comes first here.
        members = ((PurePosixPath(_name_in_zip(member)), member) for member in reversed(archive.infolist()))
        files = ((name, member) for name, member in members if not member.is_dir())
        for name, member in _wanted(files, suffix):
            yield NamedFile(
                f"{path}/{name}", name.stem, str(name.with_suffix("")), _unpacked(archive, member, f"{path}/{name}")
            )


def _unpacked(archive: zipfile.ZipFile, member: zipfile.ZipInfo, where: str) -> bytearray:
    refuse_large(member.file_size, where)  # at once, if it says so itself
    with archive.open(member) as stream:
        return read_whole(stream, where)


def _name_in_zip(member: zipfile.ZipInfo) -> str:
    """A file's name. Without the UTF-8 flag zipfile decodes it as cp437, but it is nearly always UTF-8, or GBK of a
    Chinese Windows."""
    if member.flag_bits & UTF8_NAME:
        return member.filename
    for encoding in ("utf-8", "gb18030"):
        with contextlib.suppress(UnicodeError):
            return member.filename.encode("cp437").decode(encoding)
    return member.filename


def _wanted(files: Iterable[tuple[PurePosixPath, Source]], suffix: str) -> list[tuple[PurePosixPath, Source]]:
    """Files with the suffix that are not hidden, ordered by the numbers in their names."""

    def order(file: tuple[PurePosixPath, Source]) -> tuple[list[str | int], str]:
        # Splitting at a group puts text at even places and digits at odd ones, so that equal kinds are compared.
        pieces = re.split(r"(\d+)", file[0].stem)
        return [int(piece) if index % 2 else piece for index, piece in enumerate(pieces)], str(file[0])

    return sorted((file for file in files if file[0].suffix.lower() == suffix and not is_hidden(file[0])), key=order)


def is_hidden(name: PurePath) -> bool:
    """Whether a path in a folder or zip is one that macOS and editors leave behind: `__MACOSX/`, `._3.txt`."""
    return any(part.startswith(".") or part == "__MACOSX" for part in name.parts)


def _named_file(path: Path, where: str, name: PurePosixPath) -> NamedFile:
    refuse_large(path.stat().st_size, where)
    return NamedFile(printable(where), printable(name.stem), printable(str(name.with_suffix(""))), path.read_bytes())


def printable(name: str) -> str:
    """A file's name as text that can be written as UTF-8: other bytes are escaped."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def read_text(path: Path, surrogates: bool = False) -> str:
    """A whole text file, without a byte-order mark. For `surrogates`, see `decode`.

    Raises:
        UserError: the file is missing or cannot be read, or is not UTF-8.
    """
    require(path)
    try:
        refuse_large(path.stat().st_size, str(path))
        return decode(path.read_bytes().removeprefix(codecs.BOM_UTF8), str(path), surrogates=surrogates)
    except OSError as error:
        raise UserError(f"{path}: cannot be read as a text file ({error.strerror or error})") from None


def read_lines(path: Path, surrogates: bool = False) -> Iterator[tuple[int, str]]:
    """Yield the lines of a text file with their numbers, from 1; see `decode_lines` and, for `surrogates`, `decode`.

    Raises:
        UserError: the file is missing or cannot be read, or is not UTF-8.
    """
    require(path)
    try:
        with path.open("rb") as stream:
            yield from decode_lines(stream, str(path), surrogates)
    except IsADirectoryError:
        raise UserError(f"{path}: is a folder, and a file was expected; name a file in it") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read as a text file ({error.strerror or error})") from None


def read_lines_with_ends(path: Path) -> Iterator[str]:
    """Yield the lines of a text file with their line ends, as the csv module needs them, without byte-order mark.

    They may hold lone surrogates; see `decode`.

    Raises:
        UserError: the file cannot be read, or is not UTF-8.
    """
    offset = 0
    try:
        with path.open("rb") as stream:
            for raw in read_lines_up_to(stream, str(path)):
                line = decode(raw, str(path), offset, surrogates=True)
                yield line.removeprefix("\ufeff") if offset == 0 else line
                offset += len(raw)
    except OSError as error:
        raise UserError(f"{path}: cannot be read as a text file ({error.strerror or error})") from None


def decode_lines(stream: IO[bytes], where: str, surrogates: bool = False) -> Iterator[tuple[int, str]]:
    """Number and decode lines, without byte-order mark and line ends.

    `stream` is split at newlines only. `str.splitlines` would also split at U+2028 and U+0085, which occur in texts.
    """
    offset = 0
    for number, raw in enumerate(read_lines_up_to(stream, where), start=1):
        mark = len(codecs.BOM_UTF8) if number == 1 and raw.startswith(codecs.BOM_UTF8) else 0
        yield number, decode(raw[mark:], where, offset + mark, surrogates).removesuffix("\n").removesuffix("\r")
        offset += len(raw)


def decode(raw: bytes | bytearray, where: str, offset: int = 0, surrogates: bool = False) -> str:
    """The text of UTF-8 bytes.

    Args:
        raw: bytes.
        where: the name of their file, for messages.
        offset: where they begin in it.
        surrogates: accept surrogates, which some programs write as three bytes each. Pairs become their character;
            `label_check.mended` replaces what is left.

    Raises:
        UserError: they are not UTF-8. The message says where, and how to convert a file that looks like GBK.
    """
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        problem = f"{where}: not UTF-8 at byte {offset + error.start}"
    if surrogates:
        with contextlib.suppress(UnicodeDecodeError):
            return SURROGATE_PAIR.sub(_character_of_pair, raw.decode("utf-8", "surrogatepass"))
    try:
        raw.decode("gb18030")
    except UnicodeDecodeError:
        raise UserError(f"{problem}; convert it to UTF-8") from None
    raise UserError(f"{problem}; it looks like GBK: convert it with iconv -f GBK -t UTF-8")


def _character_of_pair(pair: re.Match[str]) -> str:
    return pair[0].encode("utf-16", "surrogatepass").decode("utf-16")
