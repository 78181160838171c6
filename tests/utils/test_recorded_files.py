import json
import os

import pytest

from utils.errors import UserError
from utils.recorded_files import RecordedFiles, read_sealed, write_sealed


@pytest.fixture
def files(tmp_path):
    """A folder with one recorded file."""
    recorded = RecordedFiles(tmp_path, "make it again")
    recorded.record({"version": 1})
    with recorded.write(tmp_path / "part" / "file") as temporary:
        temporary.write_text("first")
    return recorded


def test_a_file_that_was_written_is_accepted_and_a_changed_one_is_not(files, tmp_path):
    path = tmp_path / "part" / "file"
    files.check(path)
    path.write_text("First")
    with pytest.raises(UserError, match=r"file: damaged or cut short, or not the file that .*; make it again"):
        files.check(path)
    path.unlink()
    with pytest.raises(UserError, match="no such file; make it again"):
        files.check(path)


def test_a_file_that_is_not_recorded_is_refused(files, tmp_path):
    (tmp_path / "other").write_text("first")
    with pytest.raises(UserError, match="not the file that"):
        files.check(tmp_path / "other")


@pytest.mark.parametrize("stopped_at", range(1, 4))
def test_a_replacement_that_is_stopped_leaves_a_file_that_is_accepted(files, tmp_path, monkeypatch, stopped_at):
    """The manifest, the file and the manifest are renamed, in this order."""
    path, replace, done = tmp_path / "part" / "file", os.replace, []

    def stop(*paths):
        done.append(paths)
        if len(done) == stopped_at:
            raise KeyboardInterrupt
        replace(*paths)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(os, "replace", stop)
        with files.write(path) as temporary:
            temporary.write_text("second")
    files.check(path)
    assert path.read_text() == ("first" if stopped_at < 3 else "second")
    with files.write(path) as temporary:
        temporary.write_text("third")
    files.check(path)
    path.write_text("first")
    with pytest.raises(UserError):
        files.check(path)


def test_other_contents_keep_the_digests(files, tmp_path):
    files.record({"version": 2})
    files.check(tmp_path / "part" / "file")
    assert files.manifest()["version"] == 2


def test_any_change_of_a_sealed_file_is_noticed(tmp_path):
    path, value = tmp_path / "sealed.json", {"categories": ["name", "place"], "files": {"a": ["1"]}}
    write_sealed(path, value)
    assert read_sealed(path, "") == value
    raw = path.read_bytes()
    for place in range(len(raw)):
        changed = raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :]
        path.write_bytes(changed)
        try:
            found = read_sealed(path, "make it again")
        except UserError as error:
            assert str(error).endswith("make it again")
        else:
            assert found == value, "only white space may change"


def test_json_of_an_earlier_version_has_no_seal(tmp_path):
    (tmp_path / "old.json").write_text(json.dumps({"version": 3}))
    assert read_sealed(tmp_path / "old.json", "") == {"version": 3}
    (tmp_path / "old.json").write_text(json.dumps({"version": 4, "files": {}}))
    with pytest.raises(UserError, match="changed after it was written"):
        read_sealed(tmp_path / "old.json", "")
