"""A training that stands is kept until a new one has weights, whenever the new one is stopped."""

import os
import shutil
from pathlib import Path

import pytest

from data.processed import load_processed
from model.run_folder import PART_NAMES, fold_folder, load_parts, read_metrics
from model.training import replacement
from model.training.callbacks.events import Callback
from model.training.folds import train
from model.training.replacement import NEW, TrainingFolder, finish_exchange
from utils.errors import UserError


class StoppedError(Exception):
    """Stands for a process that is killed."""


class Stop(Callback):
    """Stops a training at an event of an epoch."""

    def __init__(self, event, epoch=0):
        setattr(self, event, lambda trainer: self._stop(trainer, epoch))

    def _stop(self, trainer, epoch):
        if trainer.state.epoch == epoch:
            raise StoppedError


def contents(folder):
    """Every file below a folder and its bytes."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def without_leftovers(files):
    return {name: content for name, content in files.items() if not name.startswith(NEW)}


@pytest.fixture
def stopped(run):
    """A function: train with changes, but stop at an event of an epoch."""

    def go(name, *changes, event, epoch=0):
        with pytest.raises(StoppedError):
            run(name, *changes, witness=Stop(event, epoch))

    return go


def test_a_finished_training_is_replaced_only_on_request(plain_run):
    config, _ = plain_run
    before = contents(config.run_folder)
    with pytest.raises(UserError, match=r"already trained \(fold 0\); keep it with --resume, replace it with"):
        train(config, load_processed(config))
    assert contents(config.run_folder) == before


@pytest.mark.parametrize(
    ("event", "epoch"),
    [("on_train_begin", -1), ("on_epoch_begin", 0), ("on_step_end", 0), ("on_epoch_trained", 0), ("on_evaluate", 0)],
)
def test_a_stop_before_the_first_checkpoint_leaves_the_earlier_run_byte_by_byte(run, stopped, event, epoch):
    config, _ = run("stands", "train.epochs=1")
    before = contents(config.run_folder)
    stopped("stands", "train.epochs=2", "run.seed=7", event=event, epoch=epoch)
    assert without_leftovers(contents(config.run_folder)) == before
    assert load_parts(config.run_folder).config.train.epochs == 1
    # The next training clears away what was left, and none of it counts as a fold.
    assert run("stands", "train.epochs=1", go_on=True)[1][0]["fold"] == 0
    assert contents(config.run_folder) == before


def test_a_stop_after_the_first_checkpoint_leaves_the_new_run_to_be_resumed(run, stopped):
    whole, metrics = run("whole", "train.epochs=2", "run.seed=7")
    config, _ = run("stands_no_longer", "train.epochs=1")
    (config.run_folder / "eval").mkdir()
    (config.run_folder / "eval" / "dev.json").write_text("{}")
    (config.run_folder / "notes.txt").write_text("mine")
    stopped("stands_no_longer", "train.epochs=2", "run.seed=7", event="on_epoch_end")
    fold = fold_folder(config.run_folder, 0)
    assert load_parts(config.run_folder).config.train.epochs == 2 and not (fold / "metrics.json").exists()
    assert (fold / "resume" / "state.json").exists() and not (config.run_folder / "eval").exists()
    assert "from epoch 0 of 2" in (fold / "train.log").read_text(encoding="utf-8"), "lines of before are kept"
    assert list((fold / "tensorboard").iterdir()) and not (config.run_folder / NEW).exists()
    assert (config.run_folder / "notes.txt").read_text() == "mine", "what is not ours stays"
    _, resumed = run("stands_no_longer", "train.epochs=2", "run.seed=7", go_on=True)
    assert [epoch["loss"] for epoch in resumed[0]["history"]] == [epoch["loss"] for epoch in metrics[0]["history"]]
    weights = [fold_folder(one.run_folder, 0) / "last/model.safetensors" for one in (whole, config)]
    assert weights[0].read_bytes() == weights[1].read_bytes()


def test_an_unfinished_training_may_be_started_again_and_stays_until_then(run, stopped, small_config):
    stopped("begun", "train.epochs=3", event="on_epoch_end")
    config = small_config("begun", "train.epochs=2")
    before = contents(config.run_folder)
    stopped("begun", "train.epochs=2", event="on_evaluate")
    assert without_leftovers(contents(config.run_folder)) == before
    metrics = train(config, load_processed(config))
    assert len(metrics[0]["history"]) == 2


def test_a_fold_is_replaced_alone_with_the_same_settings_and_all_folds_with_others(run, stopped):
    config, _ = run("folds", "train.epochs=1", "folds.count=2")
    before = contents(config.run_folder)
    stopped("folds", "train.epochs=1", "folds.count=2", "run.seed=5", event="on_evaluate")
    assert without_leftovers(contents(config.run_folder)) == before
    run("folds", "train.epochs=1", "folds.count=2", fold=1)
    after = contents(config.run_folder)
    assert {name for name in before if name.startswith("fold0")} <= {
        name for name in after if before.get(name) == after[name]
    }
    assert (fold_folder(config.run_folder, 1) / "metrics.json").exists()
    run("folds", "train.epochs=1", "folds.count=2", "run.seed=5", fold=1)
    assert not fold_folder(config.run_folder, 0).exists()
    assert load_parts(config.run_folder).config.run.seed == 5


def test_a_traditional_system_is_replaced_when_it_is_fitted(run, monkeypatch):
    config, _ = run("rules", "model.name=rules")
    before = contents(config.run_folder)

    def fail(*_):
        raise StoppedError

    with monkeypatch.context() as patch:
        patch.setattr("model.traditional.fold.system_class", fail)
        with pytest.raises(StoppedError):
            run("rules", "model.name=rules", "run.seed=7")
    assert without_leftovers(contents(config.run_folder)) == before
    run("rules", "model.name=rules", "run.seed=7")
    assert load_parts(config.run_folder).config.run.seed == 7
    assert read_metrics(fold_folder(config.run_folder, 0))["fold"] == 0
    run("rules", "train.epochs=1")
    assert (config.run_folder / "encoder").is_dir() and not list(config.run_folder.rglob("rules*"))


def test_folds_of_a_folder_that_is_no_run_are_never_removed(small_config):
    config = small_config("foreign", "train.epochs=1")
    mine = fold_folder(config.run_folder, 0) / "thesis.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    with pytest.raises(UserError, match="holds fold0 but is not a run, so nothing in it is replaced"):
        train(config, load_processed(config), overwrite=True)
    assert contents(config.run_folder) == {"fold0/thesis.txt": b"mine"}


# ------------------------------------------------------------------------------------------------------- the exchange

EARLIER = {"fold0/best/w": "old", "fold1/best/w": "old", "eval/dev.json": "old", "notes": "mine",
           **{name if name != "encoder" else "encoder/config.json": "old" for name in PART_NAMES}}  # fmt: skip
LATER = {"fold0/resume/w": "new", **{name: "new" for name in PART_NAMES if name != "encoder"}}


def write(folder: Path, files):
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)


def test_an_exchange_that_is_stopped_anywhere_is_finished_by_the_next_training(tmp_path, monkeypatch):
    expected = {"notes": b"mine", **{name: content.encode() for name, content in LATER.items()}}
    renaming, stops = os.replace, 0
    while True:
        run = tmp_path / f"run{stops}"
        write(run, EARLIER)
        folder = TrainingFolder(run, [0, 1])
        write(folder.path, LATER)
        left = stops

        def rename(source, target):
            nonlocal left
            if ".tmp" not in str(source):  # of the file that says what to exchange
                if left == 0:
                    raise StoppedError
                left -= 1
            renaming(source, target)

        with monkeypatch.context() as patch:
            patch.setattr(replacement.os, "replace", rename)
            try:
                folder.take_place()
                done = True
            except StoppedError:
                done = False
        present = contents(run)
        manifest, fold = present.get("manifest.json"), present.get("fold0/resume/w")
        assert manifest is None or (manifest == b"new") == (fold is not None), "no reader sees a mixture"
        finish_exchange(run)
        assert contents(run) == expected
        if done:
            break
        stops += 1
    assert stops >= len(PART_NAMES) + 3


def test_leftovers_before_the_exchange_are_cleared_away(tmp_path):
    write(tmp_path, EARLIER)
    before = contents(tmp_path)
    write(TrainingFolder(tmp_path, [0]).path, LATER)
    finish_exchange(tmp_path)
    assert contents(tmp_path) == before
    shutil.rmtree(tmp_path / "fold0")
    finish_exchange(tmp_path)
