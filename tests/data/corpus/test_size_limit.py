"""Nothing larger than the limit is read at once, whatever a file says of its own size."""

import io
import json
import struct
import tracemalloc
import zipfile

import pytest

from config import CorpusConfig
from data.corpus.corpus_files import decode_lines, named_files, read_lines, read_text
from data.corpus.formats import read_corpus
from data.corpus.input_texts import read_texts
from data.corpus.size_limit import files_up_to
from data.problems import Problems
from main import main
from utils.errors import UserError

LARGE = 3 * 2**20
TELLING = "larger than 1 MiB; split it, or raise data.largest_file"


def write_bomb(path, size=LARGE, name="0.txt"):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, b"a" * size)
    return path


def lying(path):
    """A zip whose headers say that its member is small."""
    raw = bytearray(write_bomb(path).read_bytes())
    while (place := raw.find(struct.pack("<I", LARGE))) >= 0:
        raw[place : place + 4] = struct.pack("<I", 100)
    path.write_bytes(raw)
    return path


@pytest.mark.parametrize("make", [write_bomb, lying])
def test_a_member_of_a_zip_that_unpacks_to_much_is_refused(tmp_path, make):
    archive = make(tmp_path / "bomb.zip")
    with files_up_to(1), pytest.raises(UserError, match=f"0.txt: {TELLING}|damaged or not a zip"):
        list(named_files(archive, ".txt"))


def test_a_member_is_read_once_and_not_twice(tmp_path):
    archive = write_bomb(tmp_path / "large.zip", 40 * 2**20)
    tracemalloc.start()
    (file,) = named_files(archive, ".txt")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(file.raw) == 40 * 2**20 and peak < 1.4 * len(file.raw)


def test_whole_files_and_lines_have_the_limit_and_files_of_lines_have_none(tmp_path):
    line = json.dumps({"text": "天" * 100_000}) + "\n"
    path = tmp_path / "many.jsonl"
    path.write_text(line * 5)
    long = tmp_path / "long.txt"
    long.write_text("a" * LARGE)
    with files_up_to(1):
        assert len(list(read_texts(path, None, Problems()))) == 5
        for read in (lambda: read_text(long), lambda: list(read_lines(long)), lambda: list(named_files(long, ".txt")),
                     lambda: list(decode_lines(io.BytesIO(b"a" * LARGE), "standard input"))):  # fmt: skip
            with pytest.raises(UserError, match=TELLING):
                read()
        with pytest.raises(UserError, match=TELLING):
            read_corpus(CorpusConfig(path=str(long)), Problems())
    assert len(read_text(long)) == LARGE


def test_the_setting_reaches_the_reader(tmp_path, capsys):
    long = tmp_path / "long.txt"
    long.write_text("a" * LARGE)
    given = ["--mode", "eval", "--input", str(long), "--set", f"run.folder={tmp_path}"]
    assert main([*given, "--set", "data.largest_file=1"]) == 2
    assert "no such run" in capsys.readouterr().err, "the run comes first"
    with files_up_to(1024):
        assert len(read_text(long)) == LARGE
