"""Temporary files of processes that no longer run are removed, and those of running ones are not."""

import os
import subprocess
import sys

import pytest

from utils import leftovers
from utils.files import atomic_file, atomic_folder, check_writable, private_files, write_text
from utils.leftovers import clear_leftovers, clear_leftovers_below, temporary_name

KILLED_AT = """
import os, signal, sys
from pathlib import Path
from utils import files
kill = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
replace, count = os.replace, int(sys.argv[2])
def replace_some(*paths):
    global count
    if not count: kill()
    count -= 1
    replace(*paths)
os.replace = replace_some
with files.atomic_folder(Path(sys.argv[1])) as folder:
    (folder / "file").write_text("new")
"""


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def ended_process():
    """The number of a process that has ended."""
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


@pytest.fixture
def of_process(monkeypatch):
    """A function: a temporary name that another process, or this one, would give."""

    def name(process, own="file"):
        with monkeypatch.context() as patch:
            patch.setattr(os, "getpid", lambda: process)
            return temporary_name(own)

    return name


def test_what_an_ended_process_left_is_removed_and_the_rest_is_not(tmp_path, of_process):
    ended, running = of_process(ended_process()), of_process(os.getppid())
    for name in (ended, running, temporary_name("mine"), ".hidden.tmp", "file.tmp", ".swp"):
        (tmp_path / name).write_text("secret")
    folder = tmp_path / of_process(ended_process(), "folder")
    (folder / "new").mkdir(parents=True)
    (folder / "new" / "text").write_text("secret")
    kept = set(names_in(tmp_path)) - {ended, folder.name}
    clear_leftovers(tmp_path)
    assert set(names_in(tmp_path)) == kept


def test_a_process_that_had_the_number_of_this_one_is_another(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(leftovers, "_token", lambda: "0" * 8)
        (tmp_path / temporary_name("file")).write_text("of the first process of an earlier container")
    clear_leftovers(tmp_path)
    assert names_in(tmp_path) == []


def test_what_another_machine_left_goes_after_a_day(tmp_path, monkeypatch, of_process):
    with monkeypatch.context() as patch:
        patch.setattr(leftovers, "_host", lambda: "0" * 8)
        fresh, old = of_process(1), of_process(2)
    for name in (fresh, old):
        (tmp_path / name).write_text("secret")
    os.utime(tmp_path / old, (0, 0))
    clear_leftovers(tmp_path)
    assert names_in(tmp_path) == [fresh]


@pytest.mark.parametrize("clear", [
    lambda folder: write_text(folder / "other", ""),
    lambda folder: check_writable(folder),
    lambda folder: check_writable(folder / "new" / "deep"),
])  # fmt: skip
def test_the_next_command_that_writes_there_clears(tmp_path, of_process, clear):
    (tmp_path / of_process(ended_process())).write_text("secret")
    clear(tmp_path)
    assert not [name for name in names_in(tmp_path) if name.endswith(".tmp")]


def test_folders_within_are_cleared_too(tmp_path, of_process):
    (tmp_path / "fold0" / "best").mkdir(parents=True)
    (tmp_path / "fold0" / "best" / of_process(ended_process())).write_text("secret")
    clear_leftovers_below(tmp_path)
    assert names_in(tmp_path / "fold0" / "best") == []


@pytest.mark.slow
@pytest.mark.parametrize("renames", range(3))
def test_a_folder_is_there_whenever_its_replacement_was_killed(tmp_path, renames):
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "file").write_text("old")
    subprocess.run([sys.executable, "-c", KILLED_AT, str(folder), str(renames)], check=False)
    assert folder.exists() == (renames != 1), "between the two renames there is none"
    check_writable(tmp_path / "folder")
    assert names_in(tmp_path) == ["folder"]
    assert (folder / "file").read_text() == ("old" if renames == 0 else "new")


@pytest.mark.parametrize(("shared", "mode"), [(False, 0), (True, 0o044)])
def test_files_are_private_unless_they_are_to_be_shared(tmp_path, shared, mode):
    before = os.umask(0o022)
    try:
        with private_files(shared):
            with atomic_file(tmp_path / "file") as temporary:
                temporary.write_text("secret")
                assert temporary.stat().st_mode & 0o077 == mode
            with atomic_folder(tmp_path / "folder") as new:
                (new / "file").write_text("secret")
                assert new.parent.stat().st_mode & 0o077 == 0
            (tmp_path / "made" / "deep").mkdir(parents=True)
        assert os.umask(0o022) == 0o022
    finally:
        os.umask(before)
    for name in ("file", "folder/file"):
        assert (tmp_path / name).stat().st_mode & 0o077 == mode
    for name in ("folder", "made", "made/deep"):
        assert (tmp_path / name).stat().st_mode & 0o077 == (0o055 if shared else 0)


def test_names_of_any_length_fit(tmp_path):
    write_text(tmp_path / ("名" * 80), "text")
    assert names_in(tmp_path) == ["名" * 80]
