"""What a training leaves, refuses and keeps when something goes wrong around it."""

import json
import shutil
import socket
import subprocess
import sys

import pytest

from data.processed import load_processed
from main import main
from model.run_folder import fold_folder, load_parts
from model.training import folds as folds_module
from model.training.callbacks.checkpoint import epochs_done
from model.training.folds import train
from tests.model.watched import Witness
from utils.errors import UserError

pytestmark = pytest.mark.slow

HOLD = """
import sys
from pathlib import Path
from utils.locks import locked
with locked(Path(sys.argv[1]), "", ""):
    print(1, flush=True)
    sys.stdin.read()
"""


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def weights_of(config):
    return (fold_folder(config.run_folder, 0) / "best" / "model.safetensors").read_bytes()


def test_a_second_training_of_a_run_is_refused_while_the_first_one_runs(run, small_config):
    config, _ = run("twice", "train.epochs=1")
    before = contents(config.run_folder)
    command = [sys.executable, "-c", HOLD, str(config.run_folder / ".lock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        other.stdout.readline()
        telling = rf"twice: is written to by process {other.pid} on {socket.gethostname()}; wait until it has ended"
        for flags in ({"overwrite": True}, {"go_on": True}):
            with pytest.raises(UserError, match=telling):
                train(small_config("twice", "train.epochs=1", "run.seed=9"), load_processed(config), **flags)
        other.stdin.close()
    assert contents(config.run_folder) == before


@pytest.mark.parametrize("name", ["config.yaml", "fold0/thesis.txt", "eval/notes.md", "manifest.json", ".new/text"])
@pytest.mark.parametrize("flag", ["overwrite", "go_on", None])
def test_a_folder_that_is_no_run_stays_as_it_is(small_config, tmp_path, name, flag):
    config = small_config("foreign", f"run.folder={tmp_path}", "train.epochs=1")
    path = config.run_folder / name
    path.parent.mkdir(parents=True)
    path.write_text('{"name": "a web application", "version": 3}')
    with pytest.raises(UserError, match=r"foreign: holds .* but is not a run, so nothing in it is replaced"):
        train(config, load_processed(config), **({flag: True} if flag else {}))
    assert list(contents(config.run_folder)) == [path.relative_to(config.run_folder)]


@pytest.mark.parametrize("name", ["fold0/thesis.txt", "fold0/best/notes.md", "eval/table.csv", "fold0/resume/mine.bin"])
def test_a_foreign_file_in_a_run_is_not_lost_by_overwriting_it(run, tmp_path, name):
    config, _ = run("kept", "train.epochs=1", f"run.folder={tmp_path}")
    (config.run_folder / name).parent.mkdir(exist_ok=True)
    (config.run_folder / name).write_text("mine")
    before = contents(config.run_folder)
    with pytest.raises(UserError, match="was not made by a training and would be lost; move it elsewhere"):
        train(config, load_processed(config), overwrite=True)
    assert contents(config.run_folder) == before
    (config.run_folder / name).unlink()
    train(config, load_processed(config), overwrite=True)


def test_a_training_that_was_killed_before_its_manifest_may_start_again(small_config, tmp_path, monkeypatch):
    config = small_config("early", f"run.folder={tmp_path}", "train.epochs=1")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("utils.recorded_files.write_sealed", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        train(config, load_processed(config))
    assert (config.run_folder / "config.yaml").exists() and not (config.run_folder / "manifest.json").exists()
    train(config, load_processed(config))
    assert load_parts(config.run_folder).config == config and not (config.run_folder / ".lock").exists()


@pytest.mark.parametrize("place", ["recorded_files", "remove_checkpoint"])
def test_the_last_moment_of_a_training_costs_no_epoch(run, small_config, tmp_path, monkeypatch, place):
    """Between the last epoch and the metrics, and between the metrics and the removal of the checkpoint."""
    changes = ("train.epochs=2", f"run.folder={tmp_path}")
    expected, _ = run("whole", *changes)
    config = small_config("stopped", *changes)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(folds_module, place, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        train(config, load_processed(config))
    assert epochs_done(fold_folder(config.run_folder, 0)) == 2
    witness = Witness()
    _, (metrics,) = run("stopped", *changes, go_on=True, witness=witness)
    assert len(metrics["history"]) == 2 and not (fold_folder(config.run_folder, 0) / "resume").exists()
    assert weights_of(config) == weights_of(expected)


def test_training_stops_at_the_first_loss_that_is_no_number(small_config, tmp_path):
    config = small_config("nan", f"run.folder={tmp_path}", "train.epochs=2")
    config.train.other_rate, config.train.crf_rate, config.train.clip = 1e30, 1e30, 0.0
    with pytest.raises(UserError, match=r"fold 0: the loss of batch \d+ in epoch 1 is (nan|inf); lower train\."):
        train(config, load_processed(config))
    assert not list(config.run_folder.rglob("*.safetensors"))


def test_a_weight_that_becomes_infinite_in_the_last_step_is_not_saved(small_config, tmp_path):
    config = small_config("infinite", f"run.folder={tmp_path}", "train.epochs=1", "train.batch_size=1000")
    config.train.other_rate, config.train.clip = 1e38, 0.0
    config.train.warmup = 0.0
    with pytest.raises(UserError, match=r"after epoch 1, .* holds values that are not finite numbers"):
        train(config, load_processed(config))
    assert not list(config.run_folder.rglob("*.safetensors"))


def test_every_file_that_is_read_again_has_a_digest(plain_run):
    folder = plain_run[0].run_folder
    recorded = json.loads((folder / "manifest.json").read_text())["files"]
    logs = ("train.log", "tensorboard", "eval", "manifest.json")
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert set(recorded) == {name for name in there if not any(log in name for log in logs)}
    assert all(len(digests) == 1 for digests in recorded.values())


def test_files_with_text_are_private(small_config, tmp_path, capsys):
    config = small_config("private", f"run.folder={tmp_path}", "train.epochs=1")
    text = tmp_path / "text.txt"
    text.write_text("请联系张伟，电话13800138000。")
    given = [f"--set={name}" for name in (f"run.folder={tmp_path}", "run.name=private")]
    train(config, load_processed(config))
    for shared, readable in (("false", False), ("true", True)):
        assert main(["--mode", "predict", *given, "--set", f"run.shared={shared}", "--input", str(text)]) == 0
        found = tmp_path / "private_predictions"
        assert bool(found.stat().st_mode & 0o055) == readable
        assert all(bool(path.stat().st_mode & 0o044) == readable for path in found.iterdir())
        shutil.rmtree(found)
