"""Reads word2vec files, text or binary, plain or compressed, as a stream that keeps only the wanted words.

    layout  file
    text    [count dimension \\n]  then lines of  word value value ... value \\n   (single spaces or tabs; one may end
                                                                                   the line)
    binary   count dimension \\n   then rows of   word, a space, dimension little-endian float32, perhaps \\n

Layout and compression are recognised by content, not by name. A file is read in blocks, so that memory holds one block
and the wanted words, whatever the size of the file.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import zlib
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from io import BufferedReader
from itertools import chain
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from tqdm import tqdm

from data.problems import Problems
from utils.errors import UserError

BLOCK_SIZE = 1 << 20  # bytes; a block must hold a few rows, because the layout is recognised from the first block
SAMPLE_LINES = 100
GZIP, BZIP2, XZ = b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00"  # first bytes of compressed files
WRONG_WIDTH = "wrong number of values"  # a fault of a row
LONGEST_ROW = 1 << 20  # bytes of a row in a text file, or of a word in a binary one
MOST_DIGITS, MOST_VALUES = 15, 1 << 16  # of a number in the header, and values of a row
LARGEST_VALUE = 1e6  # trained vectors stay below 100; one value of 3e38 would make all others vanish or infinite
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class WordVectors:
    """The wanted part of a word-vector file.

    Attributes:
        words: K distinct words in the order of the file.
        matrix: (K, dimension) float32; row i belongs to words[i].
        rows_read: well-formed rows of the file, wanted or not.
    """

    words: list[str]
    matrix: np.ndarray
    rows_read: int


class Layout(NamedTuple):
    """How the rows of a file are written."""

    binary: bool
    dimension: int
    rows: int  # that the header promises; 0 without a header
    header: bytes  # all bytes before the first row
    tabs: bool = False  # whether tabs separate word and values, or some of them


class Row(NamedTuple):
    """A word and its values, as text or as little-endian float32. `number` counts lines, or rows in binary files."""

    number: int
    word: str
    values: bytes


def read_vectors(path: Path, wanted: Collection[str], problems: Problems, block_size: int = BLOCK_SIZE) -> WordVectors:
    """Read the vectors of the wanted words. The first usable row of a word counts.

    `problems` gets rows of the wrong width, words that are not UTF-8, wanted words without finite numbers or with
    absurd ones, and a file that ends too early. The values of other words are not read.

    Raises:
        UserError: the file is missing, is damaged, is not a word-vector file, or has no usable row.
    """
    layout, rows = _open(path, problems, block_size)
    missing = set(wanted)
    words: list[str] = []
    values = bytearray()  # grows in place; a list of arrays would be copied into the matrix at the end
    rows_read = 0
    for row in rows:
        rows_read += 1
        if row.word not in missing:
            continue
        vector = _vector(row.values, layout.binary)
        if vector is None:
            problems.add("vector is not finite numbers", f"{path}:{row.number}", row.word)
            continue
        if np.abs(vector).max(initial=0) > LARGEST_VALUE:
            problems.add(f"vector has a value beyond {LARGEST_VALUE:g}", f"{path}:{row.number}", row.word)
            continue
        missing.remove(row.word)
        words.append(row.word)
        values += vector.data
    matrix = np.frombuffer(values, dtype=np.float32).reshape(len(words), layout.dimension)
    return WordVectors(words, matrix, rows_read)


def read_vocabulary(path: Path, problems: Problems) -> Iterator[str]:
    """The words of the file in its order, repetitions included. Values are not read.

    Problems are reported as by `read_vectors`.

    Raises:
        UserError: as by `read_vectors`. The call itself raises it for a file that cannot be read; the end of the
            iteration raises it for a file without a usable row.
    """
    _, rows = _open(path, problems, BLOCK_SIZE)
    return (row.word for row in rows)


# -------------------------------------------------------------------------------------------------------------- bytes


def _open(path: Path, problems: Problems, block_size: int) -> tuple[Layout, Iterator[Row]]:
    """The layout of a file, and its well-formed rows."""
    blocks = _blocks(path, problems, block_size)
    first = next(blocks, b"")
    layout = _recognise(first, path)
    blocks = chain([first[len(layout.header) :]], blocks)
    if layout.tabs:
        blocks = (block.replace(b"\t", b" ") for block in blocks)
    return layout, _rows(path, blocks, layout, problems)


def _blocks(path: Path, problems: Problems, size: int) -> Iterator[bytes]:
    """The unpacked content in blocks of `size` bytes. Shows a progress bar after a second."""
    try:
        bar = tqdm(total=path.stat().st_size, desc=path.name, unit="B", unit_scale=True, delay=1, leave=False)
        with path.open("rb") as file, bar:
            stream = _unpacked(file)
            while block := _block(stream, size, path, problems):
                bar.update(file.tell() - bar.n)
                yield block
    except FileNotFoundError:
        raise UserError(f"{path}: no such word-vector file; set lexicon.path to a word2vec file") from None
    except (OSError, zlib.error, lzma.LZMAError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"{path}: cannot be read ({reason}); check lexicon.path, or fetch the file again") from None


class _Stream(Protocol):
    """Buffered bytes."""

    def read1(self, size: int, /) -> bytes: ...


def _unpacked(file: BufferedReader) -> _Stream:
    start = file.read(8)
    file.seek(0)
    if start.startswith(GZIP):
        return gzip.GzipFile(fileobj=file)
    if start.startswith(BZIP2):
        return bz2.BZ2File(file)
    if start.startswith(XZ):
        return lzma.LZMAFile(file)
    return file


def _block(stream: _Stream, size: int, path: Path, problems: Problems) -> bytes:
    """The next `size` bytes, or fewer at the end. A truncated compressed file gives all that can be unpacked."""
    parts: list[bytes] = []
    try:
        # read() would lose what it has already unpacked of a truncated file.
        while size and (part := stream.read1(size)):
            parts.append(part)
            size -= len(part)
    except EOFError:
        if not parts:  # otherwise the next call reaches the end again
            problems.add("compressed file is cut short", str(path))
    return b"".join(parts)


# ------------------------------------------------------------------------------------------------------------- layout


def _recognise(sample: bytes, path: Path) -> Layout:
    """Text if lines are a word and numbers. Binary if they are not, and a header precedes bytes that are not text."""
    mark = BYTE_ORDER_MARK if sample.startswith(BYTE_ORDER_MARK) else b""
    lines = sample[len(mark) :].split(b"\n", SAMPLE_LINES)
    count, dimension = _header(lines[0])
    if dimension > MOST_VALUES:
        raise UserError(f"{path}:1: the header says {dimension} numbers per word, more than {MOST_VALUES}; set "
                        "lexicon.path to another word2vec file")  # fmt: skip
    header = mark + lines[0] + b"\n" if dimension else mark
    lines = lines[1 if dimension else 0 : SAMPLE_LINES]
    # Without spaces, or in front of them. A binary file may hold any bytes, so text alone is looked at.
    tabs = _is_text(sample) and 2 * sum(b"\t" in line for line in lines) > len(lines)
    widths = _widths([line.replace(b"\t", b" ") for line in lines] if tabs else lines)
    if not widths:
        if dimension and not _is_text(sample):
            return Layout(True, dimension, count, header)
        first = lines[0] if lines else b""
        raise UserError(
            f"{path}: not a word2vec file, text or binary; its first row is {first[:40].decode('utf-8', 'replace')!r}, "
            "expected a word and numbers with single spaces; set lexicon.path to one (unpack archives first)"
        )
    if dimension and dimension not in widths:
        found = widths.most_common(1)[0][0]
        raise UserError(
            f"{path}:1: the header says {dimension} numbers per word, rows have {found}; correct the header"
        )
    return Layout(False, dimension or widths.most_common(1)[0][0], count, header, tabs)


def _widths(lines: Sequence[bytes]) -> Counter[int]:
    """How many of the lines have how many numbers after the word."""
    return Counter(width for line in lines if (width := _width(line)))


def _header(line: bytes) -> tuple[int, int]:
    """Count and dimension of a header, or zeros for any other line."""
    fields = line.split()
    if len(fields) == 2 and all(field.isdigit() and len(field) <= MOST_DIGITS for field in fields):
        return int(fields[0]), int(fields[1])
    return 0, 0


def _width(line: bytes) -> int:
    """How many numbers follow the word; 0 if anything else does."""
    values = line.rstrip().split(b" ")[1:]
    return len(values) if all(map(_is_number, values)) else 0


def _is_number(field: bytes) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True


def _is_text(sample: bytes) -> bool:
    """Whether all is UTF-8, except for a character that the end of the sample may have cut."""
    try:
        sample.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start >= len(sample) - 3
    return b"\x00" not in sample


# --------------------------------------------------------------------------------------------------------------- rows


def _rows(path: Path, blocks: Iterator[bytes], layout: Layout, problems: Problems) -> Iterator[Row]:
    """The well-formed rows. Faults of the others, and of the end of the file, are reported in `problems`."""
    split = _binary_rows if layout.binary else _text_rows
    usable = seen = 0
    for number, word, values, fault in split(blocks, layout):
        seen += 1
        try:
            decoded = word.decode("utf-8")
        except UnicodeDecodeError:
            decoded, fault = repr(word[:40]), fault or "word is not UTF-8"
        if fault or not decoded:
            found = (
                f"{decoded}: {len(values.split())}, expected {layout.dimension}" if fault == WRONG_WIDTH else decoded
            )
            problems.add(fault or "word is missing", f"{path}:{number}", found)
            continue
        usable += 1
        yield Row(number, decoded, values)
    if not usable:
        raise UserError(f"{path}: no usable row; set lexicon.path to a complete word2vec file")
    if seen < layout.rows:
        problems.add("fewer rows than the header says", str(path), f"{seen} of {layout.rows}")


def _text_rows(blocks: Iterator[bytes], layout: Layout) -> Iterator[tuple[int, bytes, bytes, str]]:
    """Line number, word, values and what is wrong with them."""
    for number, line in enumerate(_lines(blocks), 1 + layout.header.count(b"\n")):
        line = line.rstrip()
        if line.count(b" ") == layout.dimension:  # nearly all lines, for which this is all the work
            word, _, values = line.partition(b" ")
            yield number, word, values, ""
        elif line:
            yield number, *_split_odd(line, layout.dimension)


def _lines(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Lines end at the byte \\n alone: words may hold other characters at which `str.splitlines` splits."""
    rest = b""
    for block in blocks:
        *lines, rest = (rest + block).split(b"\n")
        yield from lines
        rest = rest[:LONGEST_ROW]  # the rest of a longer row is not kept; it has the wrong number of values anyway
    yield rest


def _split_odd(line: bytes, dimension: int) -> tuple[bytes, bytes, str]:
    """Word, values and fault of a line with more spaces than values. It is right if the word holds the extra spaces."""
    fields = line.rsplit(b" ", dimension)
    if len(fields) <= dimension or _is_number(fields[0].rpartition(b" ")[2]):
        word, _, values = line.partition(b" ")
        return word, values, WRONG_WIDTH
    return fields[0], line[len(fields[0]) + 1 :], ""


def _binary_rows(blocks: Iterator[bytes], layout: Layout) -> Iterator[tuple[int, bytes, bytes, str]]:
    """Row number, word, values and what is wrong with them."""
    width = 4 * layout.dimension
    number, rest = 1, b""
    for block in blocks:
        buffer, begin = rest + block, 0
        while (space := buffer.find(b" ", begin)) >= 0 and (end := space + 1 + width) <= len(buffer):
            yield number, buffer[begin:space].lstrip(b"\n"), buffer[space + 1 : end], ""
            number, begin = number + 1, end
        rest = buffer[begin:]
        if len(rest) > LONGEST_ROW + width:
            yield number, rest[:40], b"", "word does not end"
            return
    if rest.strip():
        yield number, rest.partition(b" ")[0].lstrip(b"\n"), b"", "file ends inside a vector"


def _vector(values: bytes, binary: bool) -> np.ndarray | None:
    """(dimension,) float32, or None if a value is not a finite number."""
    try:
        # Python's float refuses what is not a number; NumPy's parsers of text only warn.
        numbers = np.frombuffer(values, "<f4") if binary else np.array([float(field) for field in values.split(b" ")])
    except ValueError:
        return None
    with np.errstate(over="ignore"):  # too large for float32 becomes infinite, which is refused below
        vector = numbers.astype(np.float32)
    return vector if np.isfinite(vector).all() else None
