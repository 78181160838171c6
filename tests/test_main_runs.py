"""`--runs`: several trained runs read and are scored as one, from the command line."""

import json
import shutil

import pytest

from data.sample.sample import write_sample
from main import main
from preprocess import main as preprocess_main
from utils.recorded_files import read_sealed, write_sealed

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with a run of rules and one of a feature CRF on the same data."""
    folder = tmp_path_factory.mktemp("runs")
    write_sample(folder / "sample", 30, 8, 3)
    for name in ("rules", "feature_crf"):
        assert preprocess_main(settings(folder, name)) == main(["--mode", "train", *settings(folder, name)]) == 0
    return folder


def settings(folder, name, *more):
    pairs = [
        f"data.train={folder}/sample/train_data", f"data.test={folder}/sample/test_data", f"run.folder={folder}/runs",
        f"data.processed={folder}/processed", "encoder.name=scratch", f"model.name={name}", f"run.name={name}", *more,
    ]  # fmt: skip
    arguments = [argument for pair in pairs for argument in ("--set", pair)]
    return arguments if more else ["--config", str(_empty(folder)), *arguments]


def _empty(folder):
    path = folder / "empty.yaml"
    path.write_text("{}")
    return path


def both(home, mode, *arguments):
    runs = [str(home / "runs" / name) for name in ("feature_crf", "rules")]
    return main(["--mode", mode, "--runs", *runs, "--output", str(home / "out"), *arguments])


def score_of(home, *arguments):
    assert both(home, "eval", *arguments) == 0
    return json.loads((home / "out" / "dev.json").read_text(encoding="utf-8"))


def test_runs_are_scored_together_on_the_dev_part_they_share(home, capsys):
    plain = score_of(home)
    rules = json.loads(_eval_alone(home, "rules").read_text(encoding="utf-8"))
    alone = json.loads(_eval_alone(home, "feature_crf").read_text(encoding="utf-8"))
    assert plain["categories"]["name"] == alone["categories"]["name"], "rules know no names and have no vote on them"
    decided = score_of(home, "--set", "mix.override=[email,mobile,QQ,vx]")
    assert {name: decided["categories"][name] for name in ("email", "mobile")} == {
        name: rules["categories"][name] for name in ("email", "mobile")
    }
    assert capsys.readouterr().err == ""


def test_on_the_test_part_all_folds_of_every_run_vote(home):
    folded = settings(home, "feature_crf", "run.name=folded", "folds.count=3", "lexicon.match=all")
    assert main(["--mode", "train", *folded]) == 0
    assert_test_part_and_its_corpus_score_alike(home, "rules", "folded")


def test_what_rules_do_not_look_for_is_missed_wherever_the_texts_come_from(home):
    assert_test_part_and_its_corpus_score_alike(home, "rules")


def assert_test_part_and_its_corpus_score_alike(home, *names):
    runs = ["--runs", *(str(home / "runs" / name) for name in names), "--output", str(home / "out")]
    assert main(["--mode", "eval", "--split", "test", *runs]) == 0
    labels = ["--input", str(home / "sample" / "test_data"), "--labels", str(home / "sample" / "test_label")]
    assert main(["--mode", "eval", *labels, *runs]) == 0
    of_split, of_corpus = (json.loads((home / "out" / f"{name}.json").read_text(encoding="utf-8"))
                           for name in ("test", "corpus-test_data"))  # fmt: skip
    for same in ("micro", "digest", "note"):
        assert of_split[same] == of_corpus[same]


def test_labels_of_categories_that_no_run_was_told_of_are_counted_out_and_said(home, tmp_path):
    text = "联系13912345678，周五见"
    entities = [{"category": "mobile", "pos_b": 2, "pos_e": 12}, {"category": "weekday", "pos_b": 14, "pos_e": 15}]
    corpus = tmp_path / "days.jsonl"
    corpus.write_text(json.dumps({"text": text, "entities": entities}) + "\n", encoding="utf-8")
    assert both(home, "eval", "--input", str(corpus)) == 0
    scores = json.loads((home / "out" / "corpus-days.json").read_text(encoding="utf-8"))
    assert scores["note"] == "labels that are not counted, since the runs' data has no such category: weekday 1"
    assert sum(labelled for _, _, labelled in scores["by_document"]) == 1


def test_runs_keep_their_own_data_where_a_file_names_another(home, tmp_path, capsys):
    more = tmp_path / "more.yaml"
    more.write_text("{data: {processed: elsewhere}, mix: {override: [email]}}", encoding="utf-8")
    assert both(home, "eval", "--config", str(more)) == 0
    assert "keeps the settings it was trained with; the files have no effect on data.processed" in (
        capsys.readouterr().out
    )
    assert both(home, "eval", "--set", "data.processed=elsewhere") == 2
    assert "elsewhere: no processed data" in capsys.readouterr().err


def test_a_run_may_be_the_folder_one_stands_in(home, monkeypatch, capsys):
    monkeypatch.chdir(home / "runs" / "rules")
    assert main(["--mode", "eval", "--runs", ".", "--output", str(home / "out"), "--set", "mix.weights.rules=2"]) == 0
    assert capsys.readouterr().err == ""


def _eval_alone(home, name):
    assert main(["--mode", "eval", "--set", f"run.folder={home}/runs", "--set", f"run.name={name}"]) == 0
    return home / "runs" / name / "eval" / "dev.json"


def test_runs_read_texts_together(home):
    assert both(home, "predict", "--input", str(home / "sample" / "test_data")) == 0
    lines = (home / "out" / "predict.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 8 and any(json.loads(line)["entities"] for line in lines)


@pytest.mark.parametrize(
    ("arguments", "telling"),
    [
        (["--runs", "x"], "with --output"),
        (["--runs", "x", "--output", "out"], "x: no such run"),
        (["--set", "mix.weights={a: -1}"], "mix.weights.a (-1.0) must be at least 0"),
        (["--set", "mix.override=[name]"], "must be one of mobile, email, QQ, vx"),
        (["--set", "mix.override=[QQ]", "--set", "mix.back_up=[QQ]"], "must not both name QQ"),
    ],
)
def test_what_makes_no_sense_is_one_line(home, capsys, monkeypatch, arguments, telling):
    monkeypatch.chdir(home)
    assert main(["--mode", "eval", *arguments]) == 2
    error = capsys.readouterr().err
    assert telling in error and error.count("\n") == 1


def test_runs_without_a_dev_part_in_common_are_refused(home, capsys):
    more = ["data.split_seed=7", "run.name=other"]
    assert main(["--mode", "train", *settings(home, "rules", *more)]) == 0
    runs = [str(home / "runs" / name) for name in ("rules", "other")]
    assert main(["--mode", "eval", "--runs", *runs, "--output", str(home / "out")]) == 2
    assert "has not the same dev part" in capsys.readouterr().err


def test_a_run_trained_on_what_has_since_changed_is_refused_wherever_it_stands(home, tmp_path, capsys):
    stale = tmp_path / "stale"
    shutil.copytree(home / "runs" / "feature_crf", stale)
    write_sealed(stale / "manifest.json", read_sealed(stale / "manifest.json", "") | {"data": "something else"})
    for runs in ([home / "runs" / "rules", stale], [stale, home / "runs" / "rules"]):
        assert main(["--mode", "eval", "--runs", *map(str, runs), "--output", str(home / "out")]) == 2
        assert "was trained on other data" in capsys.readouterr().err
