"""A packaged run predicts as the run does, and tells nothing of where it was trained and on what."""

import socket

import pytest

from data.processed import load_processed
from main import main
from model import load_tagger
from model.package_run import package_run
from model.run_folder import load_parts
from utils.errors import UserError

pytestmark = pytest.mark.slow


def files_below(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def packaged(plain_run, tmp_path):
    return package_run(plain_run[0].run_folder, tmp_path / "given"), tmp_path / "given"


def test_it_predicts_as_the_run_does(plain_run, packaged):
    config, _ = plain_run
    texts = [document.text for document in load_processed(config).documents][:10]
    assert load_tagger(packaged[1]).predict(texts) == load_tagger(config.run_folder).predict(texts)


def test_it_holds_what_predicts_and_nothing_else(packaged):
    assert files_below(packaged[1]) == [
        "config.yaml", "encoder/config.json", "fold0/best/model.safetensors", "fold0/metrics.json", "lexicon.txt",
        "manifest.json", "vocabulary.txt",
    ]  # fmt: skip


def test_no_path_and_no_host_is_in_it(plain_run, packaged, tmp_path):
    config, _ = plain_run
    private = [str(config.run_folder.parents[1]), config.data.train.path, str(tmp_path), socket.gethostname()]
    for path in (packaged[1] / name for name in files_below(packaged[1]) if not name.endswith(".safetensors")):
        raw = path.read_bytes()
        assert not [one for one in private if one.encode() in raw], path


def test_what_remains_is_said(plain_run, packaged, run, tmp_path):
    parts = load_parts(plain_run[0].run_folder)
    assert packaged[0].warnings == [
        f"lexicon.txt holds {len(parts.lexicon.words)} words of the corpora",
        f"vocabulary.txt holds {len(parts.vocabulary)} characters of the corpora",
    ]
    crf, _ = run("crf", "model.name=feature_crf")
    assert "names among them, as they are" in package_run(crf.run_folder, tmp_path / "crf").warnings[-1]


def test_what_is_there_is_not_replaced(plain_run, packaged, tmp_path):
    before = files_below(tmp_path)
    with pytest.raises(UserError, match="is there already; name a new folder"):
        package_run(plain_run[0].run_folder, packaged[1])
    assert files_below(tmp_path) == before


def test_the_command(plain_run, tmp_path, capsys):
    config, _ = plain_run
    named = ["--set", f"run.folder={config.run.folder}", "--set", f"run.name={config.run.name}"]
    assert main(["--mode", "package-run", *named, "--output", str(tmp_path / "given")]) == 0
    assert "no predictions, logs, events or paths" in capsys.readouterr().out
    assert main(["--mode", "package-run", *named]) == 2
    assert "needs --output FOLDER" in capsys.readouterr().err


def test_what_a_killed_process_left_beside_a_finished_package_is_cleared(packaged, plain_run, leftover_of):
    left = leftover_of(packaged[1])
    with pytest.raises(UserError, match="is there already"):
        package_run(plain_run[0].run_folder, packaged[1])
    assert not left.exists()
