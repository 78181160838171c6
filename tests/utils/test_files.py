import csv
import errno
import hashlib
import io
import os

import pytest

from utils.errors import UserError
from utils.files import (
    atomic_file,
    atomic_folder,
    check_writable,
    csv_row,
    digest_file,
    read_json,
    writable,
    write_json,
    write_text,
)


def files_below(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_a_file_appears_whole_and_its_folder_with_it(tmp_path):
    path = tmp_path / "new" / "deep" / "file.txt"
    with atomic_file(path) as temporary:
        temporary.write_text("text")
        assert not path.exists()
        assert temporary.parent == path.parent, "only a rename within a folder is atomic"
    assert path.read_text() == "text"
    assert files_below(path.parent) == ["file.txt"]


def test_a_file_that_fails_leaves_the_old_one_and_nothing_else(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError, match="stopped"), atomic_file(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError("stopped")
    assert path.read_text() == "old"
    assert files_below(tmp_path) == ["file.txt"]


def test_any_text_comes_back_from_a_row_of_csv():
    values = ["甲\r乙", "\n", "\r\n", '他说"好",', "\r", "", "\u2028"]
    row = csv_row([*values, 7])
    assert list(csv.reader(io.StringIO(row, newline=""))) == [[*values, "7"]]
    assert csv_row(("a", 1)) == "a,1\n"


def test_a_folder_takes_the_place_of_the_old_one(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "old").write_text("")
    with atomic_folder(folder) as temporary:
        (temporary / "new").write_text("")
        assert files_below(folder) == ["old"]
    assert files_below(tmp_path) == ["folder", "folder/new"]


@pytest.mark.skipif(os.name != "posix", reason="rights are a matter of POSIX")
def test_others_may_read_the_folder(tmp_path):
    with atomic_folder(tmp_path / "folder"):
        pass
    assert (tmp_path / "folder").stat().st_mode & 0o777 == 0o755


def test_a_folder_that_fails_leaves_the_old_one_and_nothing_else(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "old").write_text("")
    with pytest.raises(KeyboardInterrupt), atomic_folder(folder) as temporary:
        (temporary / "half").write_text("")
        raise KeyboardInterrupt
    assert files_below(tmp_path) == ["folder", "folder/old"]


@pytest.mark.parametrize("make", [atomic_file, atomic_folder])
@pytest.mark.parametrize("below", ["file/x", "file/x/y"])
def test_a_file_where_a_folder_should_be_is_one_line(tmp_path, make, below):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UserError, match=r"cannot be written \(.+\); choose another folder"), make(tmp_path / below):
        pass
    assert (tmp_path / "file").read_text() == "mine"
    assert files_below(tmp_path) == ["file"]


def test_a_folder_where_a_file_should_be_is_one_line(tmp_path):
    (tmp_path / "place").mkdir()
    with pytest.raises(UserError, match="cannot be written"):
        write_text(tmp_path / "place", "text")
    assert files_below(tmp_path) == ["place"]


def test_a_file_where_a_new_folder_should_come_stays(tmp_path):
    (tmp_path / "place").write_text("mine")
    with pytest.raises(UserError, match="cannot be written"), atomic_folder(tmp_path / "place"):
        pass
    assert files_below(tmp_path) == ["place"]


def test_a_name_too_long_is_one_line(tmp_path):
    with pytest.raises(UserError, match="cannot be written"):
        write_text(tmp_path / ("x" * 300), "text")


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_forbidden_folder_is_one_line(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(UserError, match="cannot be written"):
        write_text(tmp_path / "file", "text")
    tmp_path.chmod(0o700)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EDQUOT])
def test_a_full_or_locked_disk_is_one_line(tmp_path, number):
    with pytest.raises(UserError, match="choose another folder"), writable(tmp_path):
        raise OSError(number, os.strerror(number))


@pytest.mark.parametrize("place", [".", "new", "new/deep"])
def test_trying_whether_a_folder_can_be_written_leaves_nothing(tmp_path, place):
    check_writable(tmp_path / place)
    assert files_below(tmp_path) == []


@pytest.mark.parametrize("place", ["file", "file/x", "file/x/y", "x" * 300, "new/" + "x" * 300])
def test_a_folder_that_cannot_be_written_is_one_line(tmp_path, place):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UserError, match=r"cannot be written \(.+\); choose another folder"):
        check_writable(tmp_path / place)
    assert files_below(tmp_path) == ["file"]


def test_other_errors_are_not_hidden(tmp_path):
    with pytest.raises(OSError, match="I/O"), writable(tmp_path):
        raise OSError(errno.EIO, "I/O")
    with pytest.raises(FileNotFoundError), writable(tmp_path):
        raise FileNotFoundError(errno.ENOENT, "gone")


def test_json_comes_back_and_is_utf8_with_plain_line_ends(tmp_path):
    value = {"中文": [1, 2.5, None, "\u2028\r\n"]}
    write_json(tmp_path / "value.json", value)
    assert read_json(tmp_path / "value.json", "do something") == value
    raw = (tmp_path / "value.json").read_bytes()
    assert "中文".encode() in raw
    assert b"\r" not in raw
    assert raw.endswith(b"}\n")


@pytest.mark.parametrize("content", [b"", b'{"a": 1', b"\xff\xfe", b"[1,\n2,\n,3]"])
def test_damaged_json_says_so_and_what_to_do(tmp_path, content):
    (tmp_path / "value.json").write_bytes(content)
    with pytest.raises(UserError, match=r"value\.json: damaged \(.*\); make it again"):
        read_json(tmp_path / "value.json", "make it again")


def test_missing_json_says_what_to_do(tmp_path):
    with pytest.raises(UserError, match=r"none\.json: no such file; make it"):
        read_json(tmp_path / "none.json", "make it")
    with pytest.raises(UserError, match="damaged"):
        read_json(tmp_path, "make it")


def test_digest_is_sha256_of_the_bytes(tmp_path):
    (tmp_path / "file").write_bytes(b"a" * 3_000_000)
    assert digest_file(tmp_path / "file") == hashlib.sha256(b"a" * 3_000_000).hexdigest()
