"""Processed data is made where it is missing, shared where the settings that shape it are equal, and never mixed."""

import pytest

from config import load_config
from data.corpus.format_ccf import write_ccf
from data.processed import load_processed
from data.sample.sample import make_documents
from main import main
from model import prepare
from utils.errors import UserError


@pytest.fixture
def config_of(tmp_path, monkeypatch):
    """A function: settings on a tiny corpus, in a folder of their own where data/processed is."""
    monkeypatch.chdir(tmp_path)
    write_ccf(make_documents(6, 1, "train"), tmp_path / "train_data", tmp_path / "train_label")
    base = ["data.train=train_data", "encoder.name=scratch", "lexicon.match=none"]
    return lambda *changes: load_config([], [*base, *changes])


@pytest.fixture
def made(monkeypatch):
    """The folders that were made, in order."""
    folders, original = [], prepare.process
    monkeypatch.setattr(
        prepare, "process", lambda config, *given: folders.append(config.processed_folder) or original(config, *given)
    )
    return folders


def test_what_is_missing_is_made_once_and_shared_by_runs_of_one_shape(config_of, made, capsys):
    first, other = config_of("run.name=A"), config_of("run.name=B", "train.epochs=3")
    prepare.load_or_make(first)
    assert f"{first.processed_folder}: no up-to-date processed data, so it is made now" in capsys.readouterr().out
    prepare.load_or_make(other)
    assert (made, capsys.readouterr().out) == ([first.processed_folder], "")
    longer = config_of("data.max_len=200")
    prepare.load_or_make(longer)
    assert made == [first.processed_folder, longer.processed_folder] and len(set(made)) == 2


def test_what_is_stale_is_made_again(config_of, made, tmp_path):
    prepare.load_or_make(config_of())
    text = tmp_path / "train_data" / "0.txt"
    text.write_text(text.read_text(encoding="utf-8") + "完。", encoding="utf-8")
    with pytest.raises(UserError, match="older than its inputs"):
        load_processed(config_of())
    assert prepare.load_or_make(config_of()).documents[0].text.endswith("完。")
    assert len(made) == 2


def test_a_named_folder_of_other_settings_is_not_replaced(config_of, made):
    prepare.load_or_make(config_of("data.processed=mine"))
    with pytest.raises(UserError, match=r"made with another data.max_len"):
        prepare.load_or_make(config_of("data.processed=mine", "data.max_len=200"))
    assert len(made) == 1


def test_processes_that_train_together_do_not_each_make_it(config_of, made, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UserError, match="no processed data"):
        prepare.load_or_make(config_of())
    assert made == []


def test_prepare_says_what_is_up_to_date_and_can_be_forced(config_of, made, capsys):
    prepare.prepare(config_of())
    capsys.readouterr()
    prepare.prepare(config_of())
    assert "is up to date" in capsys.readouterr().out
    prepare.prepare(config_of(), force=True)
    assert len(made) == 2


def test_what_is_refused_anyway_costs_no_processing(config_of, made, tmp_path, capsys):
    (tmp_path / "file").write_text("mine")
    settings = ["--set", "data.train=train_data", "--set", "encoder.name=scratch"]
    assert main(["--mode", "train", *settings, "--set", "run.folder=file"]) == 2
    assert "cannot be written" in capsys.readouterr().err
    assert main(["--mode", "pretrain", *settings]) == 2
    assert "encoder.name is scratch" in capsys.readouterr().err
    assert made == []
