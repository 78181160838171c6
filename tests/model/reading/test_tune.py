"""`--mode tune` writes settings that eval and predict read, and reports on documents it did not choose on."""

import json

import pytest

from config import load_config
from data.processed import load_processed
from main import main
from tests.model.reading.test_gold_scores import write_gold

pytestmark = pytest.mark.slow


@pytest.fixture
def runs(run, small_config, tmp_path):
    documents = load_processed(small_config("plain")).documents
    gold = write_gold(tmp_path / "gold.jsonl", documents[:16])
    return [run(f"tuned_{name}", f"data.gold={gold}", f"model.name={name}")[0] for name in ("feature_crf", "forms")]


def test_the_settings_give_the_reported_score_again(runs, tmp_path, capsys):
    folders, mix = [str(config.run_folder) for config in runs], tmp_path / "mix.yaml"
    capsys.readouterr()
    assert main(["--mode", "tune", "--runs", *folders, "--output", str(mix)]) == 0
    shown = capsys.readouterr().out
    reported = next(line.split()[1:] for line in shown.splitlines() if line.startswith("gold_b"))
    settings = load_config([str(mix)], ["data.train=x"])
    assert settings.mix.by == "logistic" and set(settings.mix.weights) == {config.run.name for config in runs}
    assert main(["--mode", "eval", "--runs", *folders, f"--config={mix}", f"--output={tmp_path / 'scores'}"]) == 0
    scored = json.loads((tmp_path / "scores" / "gold_b.json").read_text())["micro"]
    assert reported == [f"{scored[name]:.4f}" for name in ("precision", "recall", "f1")]


def test_it_chooses_on_a_given_corpus(runs, plain_run, tmp_path, capsys):
    config, _ = plain_run
    folder = str(config.run_folder)
    given = ["--input", config.data.test.path, "--output", str(tmp_path / "one.yaml")]
    assert main(["--mode", "tune", "--runs", folder, *given]) == 0
    assert "gold_b" not in capsys.readouterr().out
    assert (
        main(["--mode", "eval", "--runs", folder, f"--config={tmp_path / 'one.yaml'}", "--output", str(tmp_path)]) == 0
    )


@pytest.mark.parametrize(
    ("arguments", "telling"),
    [
        (["--runs", "PLAIN", "--output", "mix.yaml"], "train the runs with data.gold, or give labelled documents"),
        (["--runs", "GOLD", "GOLD", "--output", "mix.yaml"], "two of them have the same name"),
        (["--runs", "GOLD"], "name a place for it with --output"),
        (["--runs", "GOLD", "--output", "mix.yaml", "--labels", "x"], "describe --input, which is not given"),
    ],
)
def test_what_cannot_be_tuned_is_said_in_one_line(runs, plain_run, tmp_path, monkeypatch, capsys, arguments, telling):
    monkeypatch.chdir(tmp_path)
    places = {"PLAIN": str(plain_run[0].run_folder), "GOLD": str(runs[0].run_folder)}
    capsys.readouterr()
    assert main(["--mode", "tune", *(places.get(one, one) for one in arguments)]) == 2
    assert telling in capsys.readouterr().err
    assert not (tmp_path / "mix.yaml").exists()


def test_runs_of_other_gold_labels_are_refused(runs, run, small_config, tmp_path, capsys):
    documents = load_processed(small_config("plain")).documents
    (tmp_path / "other").mkdir()
    gold = write_gold(tmp_path / "other" / "gold.jsonl", documents[:10])
    other, _ = run("tuned_other", f"data.gold={gold}", "model.name=forms")
    folders = [str(config.run_folder) for config in (runs[0], other)]
    assert main(["--mode", "tune", "--runs", *folders, "--output", str(tmp_path / "mix.yaml")]) == 2
    assert "the same gold labels" in capsys.readouterr().err
