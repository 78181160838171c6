"""The stream against a slow, obvious parser; every layout gives the same vectors; damage is reported, not fatal."""

import bz2
import gzip
import lzma
import re
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from data.lattice.vectors import read_vectors, read_vocabulary
from data.problems import Problems
from utils.errors import UserError

DIMENSION = 20
PACKERS = {"": bytes, ".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}
# Characters that Python counts as white space, or as ends of lines, but that stand inside words of published files.
ODD_WORDS = ["甲\u00a0乙", "\u3000", "行\u2028间", "页\x0c页", "New York", "\u0085", "123", "3.14"]


@pytest.fixture
def table() -> dict[str, np.ndarray]:
    """300 words, the odd ones among them."""
    generator = np.random.default_rng(0)
    words = [f"词{number}" for number in range(300 - len(ODD_WORDS))] + ODD_WORDS
    generator.shuffle(words)
    return {word: generator.normal(size=DIMENSION).round(4).astype(np.float32) for word in words}


def as_text(table: dict[str, np.ndarray], header: bool, end: str = "\n") -> bytes:
    rows = [f"{word} " + " ".join(f"{value:.4f}" for value in vector) for word, vector in table.items()]
    return end.join([f"{len(table)} {DIMENSION}"] * header + [*rows, ""]).encode()


def as_binary(table: dict[str, np.ndarray], end: bytes = b"\n") -> bytes:
    header = f"{len(table)} {DIMENSION}\n".encode()
    # A space parts word and vector in this layout, so a word cannot hold one.
    return header + b"".join(
        w.encode() + b" " + v.astype("<f4").tobytes() + end for w, v in table.items() if " " not in w
    )


def parse_slowly(text: bytes, wanted: set[str]) -> dict[str, np.ndarray]:
    """The obvious reading of a text without damage."""
    found: dict[str, np.ndarray] = {}
    for line in text.decode().split("\n"):
        fields = line.rstrip("\r ").split(" ")
        word, values = " ".join(fields[:-DIMENSION]), fields[-DIMENSION:]
        if len(fields) > DIMENSION and word in wanted and word not in found:
            found[word] = np.array([float(value) for value in values], dtype=np.float32)
    return found


def write(folder: Path, content: bytes, name: str = "vectors") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def rows(*lines: str) -> bytes:
    return "\n".join([*lines, ""]).encode()


@pytest.mark.parametrize("suffix", PACKERS)
@pytest.mark.parametrize("layout", ["text", "unended", "header", "windows", "original", "mark", "binary", "joined"])
def test_every_layout_gives_the_same_vectors(tmp_path: Path, table: dict[str, np.ndarray], layout: str, suffix: str):
    content = {
        "text": as_text(table, header=False),
        "unended": as_text(table, header=False).removesuffix(b"\n"),
        "header": as_text(table, header=True),
        "windows": as_text(table, header=True, end="\r\n"),
        "original": as_text(table, header=True, end=" \n"),  # word2vec.c writes a space after every value
        "mark": b"\xef\xbb\xbf" + as_text(table, header=False),
        "binary": as_binary(table),
        "joined": as_binary(table, end=b""),
    }[layout]
    binary = layout in ("binary", "joined")
    path = write(tmp_path, PACKERS[suffix](content), "vectors" + suffix)
    wanted = {*list(table)[::7], *ODD_WORDS, "缺词"} - ({"New York"} if binary else set())
    expected = parse_slowly(as_text(table, header=False), wanted)
    problems = Problems()

    found = read_vectors(path, wanted, problems, block_size=1009)  # blocks end everywhere inside rows

    assert found.words == list(expected)
    assert set(found.words) == wanted - {"缺词"}
    assert found.matrix.dtype == np.float32
    np.testing.assert_array_equal(found.matrix, np.stack(list(expected.values())))
    assert found.rows_read == len(table) - binary
    assert list(read_vocabulary(path, Problems())) == [word for word in table if not (binary and " " in word)]
    assert problems.summary() == ("dropped 1: fewer rows than the header says 1" if binary else "dropped nothing")


def test_first_usable_occurrence_wins(tmp_path: Path):
    path = write(tmp_path, rows("甲 1 nan", "乙 3 4", "甲 5 6", "甲 7 8", "乙 9 9"))
    found = read_vectors(path, ["甲", "乙"], Problems())
    assert found.words == ["乙", "甲"]
    assert found.matrix.tolist() == [[3, 4], [5, 6]]


def test_no_wanted_word_is_no_error(tmp_path: Path):
    found = read_vectors(write(tmp_path, rows("甲 1 2", "乙 3 4")), [], Problems())
    assert found.words == []
    assert found.matrix.shape == (0, 2)
    assert found.rows_read == 2


def test_damaged_lines_are_reported_with_their_place_and_skipped(tmp_path: Path):
    lines = rows("6 2", "甲 1 2", "乙 1", "丙 1 2 3", "丁 1 x", "戊 inf 1", "己 1e99 1", " 1 2", "", "庚 3 4")
    path = write(tmp_path, lines.replace("丁".encode(), b"\xff\xfe") + "丁 1 x\n".encode())
    problems = Problems()

    found = read_vectors(path, "甲乙丙丁戊己庚", problems)

    assert found.words == ["甲", "庚"]
    reported = [message.removeprefix(f"{path}:").split(":")[:2] for message in problems.messages]
    assert [(int(line), reason.strip()) for line, reason in reported] == [
        (3, "wrong number of values"),
        (4, "wrong number of values"),
        (5, "word is not UTF-8"),
        (6, "vector is not finite numbers"),
        (7, "vector is not finite numbers"),
        (8, "word is missing"),
        (11, "vector is not finite numbers"),
    ]


def test_width_without_header_is_the_most_common_one(tmp_path: Path):
    path = write(tmp_path, rows("甲 1 2 3", "乙 1 2", "丙 3 4"))
    problems = Problems()
    assert read_vectors(path, "甲乙丙", problems).words == ["乙", "丙"]
    assert problems.messages[0].startswith(f"{path}:1: wrong number of values")


def test_binary_file_that_happens_to_be_utf8_is_binary(tmp_path: Path):
    vector = np.array([2, 0], dtype="<f4").tobytes()
    vector.decode("utf-8")
    found = read_vectors(write(tmp_path, b"2 2\na " + vector + b"b " + vector), "ab", Problems())
    assert found.words == ["a", "b"]
    assert found.matrix.tolist() == [[2, 0], [2, 0]]


def test_binary_file_cut_inside_a_vector_keeps_what_stands_before(tmp_path: Path, table: dict[str, np.ndarray]):
    del table["New York"]
    path = write(tmp_path, as_binary(table)[: -2 * DIMENSION])
    problems = Problems()
    found = read_vectors(path, table, problems)
    assert found.words == list(table)[:-1]
    assert problems.summary() == "dropped 1: file ends inside a vector 1"
    assert f"{path}:{len(table)}: " in problems.messages[0]


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".xz"])
def test_compressed_file_cut_short_keeps_what_can_be_unpacked(
    tmp_path: Path, table: dict[str, np.ndarray], suffix: str
):
    content = as_text(table, header=False)
    packed = PACKERS[suffix](content) + PACKERS[suffix](content)  # two parts: bz2 and xz unpack whole parts only
    path = write(tmp_path, packed[:-9])
    problems = Problems()
    found = read_vectors(path, table, problems)
    assert set(found.words) == set(table)
    assert problems.counts["compressed file is cut short"] == 1


def test_text_cut_between_lines_is_noticed_by_its_header(tmp_path: Path):
    problems = Problems()
    read_vectors(write(tmp_path, rows("3 2", "甲 1 2", "乙 3 4")), [], problems)
    assert problems.summary() == "dropped 1: fewer rows than the header says 1"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such word-vector file"),
        (b"", "not a word2vec file"),
        (rows("一篇普通的文章。", "没有数字。"), "not a word2vec file"),
        (rows("5 2"), "not a word2vec file"),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 9, "not a word2vec file"),
        (rows("2 300", "甲 1 2", "乙 3 4"), "the header says 300 numbers per word, rows have 2"),
        (b"2 300\n" + b"\xff\x00" * 50, "no usable row"),
        (b"\x1f\x8b" + b"no gzip at all", "cannot be read"),
    ],
)
def test_unusable_files_are_refused_in_one_line(tmp_path: Path, content: bytes | None, message: str):
    path = tmp_path / "vectors"
    if content is not None:
        path.write_bytes(content)
    for read in (lambda: read_vectors(path, ["甲"], Problems()), lambda: list(read_vocabulary(path, Problems()))):
        with pytest.raises(UserError, match=message) as caught:
            read()
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)


def test_a_folder_is_refused(tmp_path: Path):
    with pytest.raises(UserError, match="cannot be read"):
        read_vectors(tmp_path, ["甲"], Problems())


@pytest.mark.parametrize("binary", [False, True])
def test_memory_holds_a_block_and_the_wanted_words_only(tmp_path: Path, binary: bool):
    values = np.arange(100, dtype="<f4") / 7
    line = values.tobytes() if binary else " ".join(f"{value:.6f}" for value in values).encode()
    header = b"20000 100\n" if binary else b""
    path = write(tmp_path, header + b"".join(f"词{number} ".encode() + line + b"\n" for number in range(20_000)))
    wanted = {f"词{number}" for number in range(0, 20_000, 400)}

    tracemalloc.start()
    found = read_vectors(path, wanted, Problems(), block_size=1 << 18)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert len(found.words) == 50
    assert peak < path.stat().st_size / 4


@pytest.mark.parametrize(
    "content",
    [
        "2 3\n北京\t0.5\t-1\t2\n上海\t1\t2\t3\n",
        "北京\t0.5 -1 2\n上海\t1 2 3\n",
        "\ufeff北京\t0.5\t-1\t2\r\n上海\t1\t2\t3\r\n",
    ],
)
def test_tabs_between_word_and_values(tmp_path, content):
    path = tmp_path / "w.vec"
    path.write_bytes(content.encode())
    problems = Problems()
    read = read_vectors(path, ["上海", "北京"], problems)
    assert read.words == ["北京", "上海"] and read.matrix.tolist() == [[0.5, -1, 2], [1, 2, 3]] and not problems.counts
    assert list(read_vocabulary(path, problems)) == ["北京", "上海"]


def test_a_row_of_another_width_is_named_with_both_numbers(tmp_path):
    path = tmp_path / "w.vec"
    path.write_text("北京 1 2 3\n上海 1 2\n广州 1 2 3 4 5\n", encoding="utf-8")
    problems = Problems()
    assert read_vectors(path, ["北京", "上海", "广州"], problems).words == ["北京"]
    assert problems.messages == [f"{path}:2: wrong number of values: 上海: 2, expected 3",
                                 f"{path}:3: wrong number of values: 广州: 5, expected 3"]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "first"), [("北京,1,2,3\n", "北京,1,2,3"), ("北京\tNR\n", "北京\\tNR"), ("\n", "")]
)
def test_what_is_no_vector_file_shows_its_first_row(tmp_path, content, first):
    path = tmp_path / "w.vec"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(UserError, match=re.escape(f"its first row is '{first}', expected a word and numbers")):
        read_vectors(path, ["北京"], Problems())


@pytest.mark.parametrize("value", [3e38, 1e7, -1e7, float("inf"), float("nan")])
@pytest.mark.parametrize("binary", [False, True])
def test_absurd_values_are_reported_by_line_and_not_used(tmp_path, value, binary):
    words = {f"词{number}": np.full(DIMENSION, 0.5, dtype=np.float32) for number in range(120)}
    words["坏词"] = np.append(np.full(DIMENSION - 1, 0.5), value).astype(np.float32)
    words["好词"] = np.full(DIMENSION, 99.0, dtype=np.float32)
    path, problems = tmp_path / "vectors", Problems()
    path.write_bytes(as_binary(words) if binary else as_text(words, True))
    read = read_vectors(path, list(words), problems)
    assert set(read.words) == set(words) - {"坏词"} and np.isfinite(read.matrix.std())
    (message,) = problems.messages
    assert message.startswith(f"{path}:{121 if binary else 122}: vector ") and message.endswith("坏词")


@pytest.mark.parametrize("header", ["5 1000000000000", f"5 {'9' * 5000}", f"{'9' * 5000} 5", "5 65537", "3 0"])
def test_an_absurd_header_gives_no_words_or_one_line(tmp_path, header):
    (tmp_path / "vectors").write_bytes(header.encode() + "\n词 ".encode() + b"\x00\xff\x00\x01" * 50)
    try:
        assert not read_vectors(tmp_path / "vectors", ["词"], Problems()).words
    except UserError as error:
        assert len(error.lines) == 1


@pytest.mark.parametrize("pack", [".gz", ".bz2", ".xz"])
@pytest.mark.parametrize("begin", ["", "text", "binary"])
def test_a_line_without_end_takes_neither_time_nor_memory(tmp_path, table, pack, begin):
    """200 MB of one character in a file of some hundred kilobytes."""
    before = {"": b"", "text": as_text(table, False), "binary": as_binary(table)}[begin]
    open_packed = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}[pack]
    path = tmp_path / f"vectors{pack}"
    with open_packed(path, "wb") as stream:
        stream.write(before)
        for _ in range(200):
            stream.write(b"a" * 1_000_000)
    problems = Problems()
    tracemalloc.start()
    started = time.monotonic()
    if begin:
        assert len(read_vectors(path, list(table), problems).words) > 200
        assert problems.counts
    else:
        with pytest.raises(UserError, match="not a word2vec file"):
            read_vectors(path, list(table), problems)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 60e6 and time.monotonic() - started < 20
