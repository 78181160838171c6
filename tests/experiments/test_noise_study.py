"""Noise, remedies and what they win back: the arithmetic, and one study from end to end on a tiny corpus."""

import json
from dataclasses import asdict

import pytest
import yaml

import experiments.denoising.runs as denoise_runs
import preprocess
from benchmarks.noise import main, rates_of, table, won_back
from data.corpus.document import Document
from data.metrics import Score
from data.noise.noise import NoiseRates
from data.spans import Span
from experiments.denoising.decisions import Decision
from experiments.denoising.votes import Tally
from experiments.noise_study import NoiseStudy, detect
from tests.experiments.easy_corpus import easy_documents, write_easy_corpus
from tests.experiments.in_process import run_script
from utils.errors import UserError

pytestmark = pytest.mark.slow


def test_detection_counts_labels_that_are_not_true_and_true_spans_without_a_label():
    text = "天地玄黄宇宙洪荒日月"
    right, wrong, lost = Span("a", 0, 1), Span("a", 3, 4), Span("b", 6, 7)
    truth = [Document("0", text, (right, lost)), Document("1", text, (right,))]
    noisy = [Document("0", text, (right, wrong)), Document("1", text)]
    tally = Tally(0, 1, 0.0)
    decisions = [
        Decision("0", "doubtful", wrong, tally, 0.0, "mask"),
        Decision("0", "doubtful", right, tally, 0.0, "mask"),
        Decision("0", "missing", lost, tally, 0.9, "mask"),
        Decision("1", "missing", wrong, tally, 0.9, "mask"),
    ]
    found = detect(truth, noisy, decisions)
    assert found == Score(right=2, predicted=4, labelled=3)
    assert (found.precision, found.recall) == (0.5, 2 / 3)


def test_what_is_won_back_is_a_share_of_the_loss():
    def runs(*f1):
        return [{"f1": one} for one in f1]

    assert won_back(runs(0.9, 0.8), runs(0.75), runs(0.83)) == "80%"
    assert won_back(runs(0.9), runs(0.8), runs(0.75)) == "-50%"
    assert won_back(runs(0.9), runs(0.9), runs(0.95)) == "nothing was lost"


def test_the_table():
    def run(f1, **more):
        return {"precision": f1, "recall": f1, "f1": f1, **more}

    detection = {"right": 3, "predicted": 4, "labelled": 6}
    rows = {("", "clean"): [run(0.9), run(0.92)], ("missing=0.3", "noisy"): [run(0.81)],
            ("missing=0.3", "mask"): [run(0.86, detection=detection)]}  # fmt: skip
    lines = table(rows, ["missing=0.3"]).splitlines()
    assert lines[2].startswith("| none | clean | 2 | 91.00 ± 1.41 |")
    assert lines[3].startswith("| missing=0.3 | noisy | 1 | 81.00 |")
    assert lines[4] == "| missing=0.3 | mask | 1 | 86.00 | 86.00 | 86.00 | 50% | 0.75 | 0.50 |"
    assert {line.count("|") for line in lines} == {10}


def test_rates_are_read_or_refused():
    assert rates_of("missing=0.3 type=0.1") == NoiseRates(missing=0.3, type=0.1)
    for text in ("missing", "missing=much", "lost=0.3", "missing=1"):
        with pytest.raises(UserError):
            rates_of(text)


@pytest.fixture
def settings(tmp_path):
    corpus = write_easy_corpus(tmp_path / "corpus.jsonl", easy_documents(20, 1))
    values = {
        "run": {"name": "tiny", "folder": str(tmp_path / "runs"), "threads": 1},
        "data": {"train": str(corpus), "dev_share": 0.25, "max_len": 80, "processed": str(tmp_path / "processed")},
        "encoder": {"name": "scratch", "hidden": 32, "heads": 2, "depth": 1, "feed_forward": 32},
        "model": {"name": "encoder"},
        "lexicon": {"match": "none", "vectors": "none"},
        "folds": {"count": 2},
        "train": {"epochs": 3, "batch_size": 1, "encoder_rate": 1e-2, "other_rate": 1e-2, "schedule": "constant",
                  "select": "last"},
        "denoise": {"missing_from": 0.1},
    }  # fmt: skip
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    assert preprocess.main(["--config", str(path)]) == 0
    return path


def test_additional_documents_are_not_made_noisy(settings, tmp_path):
    more = write_easy_corpus(tmp_path / "more.jsonl", easy_documents(6, 4))
    overrides = [f"data.additional=[{more}]", "data.additional_leaks=keep"]
    arguments = [argument for override in overrides for argument in ("--set", override)]
    assert preprocess.main(["--config", str(settings), *arguments]) == 0
    train, dev = NoiseStudy([str(settings)], overrides, {}, 0, tmp_path / "study")._truth()
    assert len(train) + len(dev) == 20


def test_a_study_from_end_to_end_is_made_once(settings, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(denoise_runs, "run_script", run_script)
    (tmp_path / "remedies.yaml").write_text("mask: {}\ncorrect: {denoise.missing: add}\n")
    command = ["--config", str(settings), "--noise", "missing=0.3", "--seeds", "1", "--documents", "10",
               "--remedies", str(tmp_path / "remedies.yaml"), "--output", str(tmp_path / "study")]  # fmt: skip
    assert main(command) == 0
    printed = capsys.readouterr().out
    assert all(f"| missing=0.3 | {system} | 1 |" in printed for system in ("noisy", "mask", "correct"))
    cell = tmp_path / "study" / "missing=0.3_1"
    lines = {path.stem: path.read_text(encoding="utf-8").splitlines() for path in cell.glob("*.jsonl")}
    assert len(lines["train"]) == len(lines["truth"]) == 10
    spans = {name: sum(len(json.loads(line)["entities"]) for line in own) for name, own in lines.items()}
    assert 0 < spans["train"] < spans["truth"]
    clean = (tmp_path / "study" / "clean_1" / "train.jsonl").read_text(encoding="utf-8").splitlines()
    assert clean == lines["truth"]
    assert not list(cell.rglob("*.safetensors"))
    noisy = json.loads((cell / "mask.json").read_text(encoding="utf-8"))["detection"]
    monkeypatch.setattr(denoise_runs, "run_script", lambda *_: pytest.fail("something was done again"))
    assert main([*command, "--thresholds", "0", "0.1", "1"]) == 0
    again = capsys.readouterr().out
    assert printed[printed.index("| noise |") :] in again, "the table comes from what was kept"
    study = NoiseStudy([str(settings)], [], {}, 10, tmp_path / "study")
    everything, default, nothing = study.detection_at("missing=0.3", 1, [0.0, 0.1, 1.0])
    assert asdict(default.both) == noisy, "the default is what the remedies went by"
    for one in (everything, default, nothing):
        assert one.both.predicted == one.doubtful.predicted + one.missing.predicted
        assert one.both.right == one.missing.right, "no label is wrong, so none is doubted rightly"
    both, _, missing = everything
    assert both.predicted > nothing.both.predicted and both.labelled == nothing.both.labelled == noisy["labelled"]
    scores = f"| missing=0.3 | 0 | {both.precision:.2f} | {both.recall:.2f} | 0 of "
    assert scores in again and f"| {missing.right} of {missing.predicted} right |" in again
    (tmp_path / "remedies.yaml").write_text("correct: {denoise.missing: add}\nmore: {denoise.doubtful: remove}\n")
    with pytest.raises(pytest.fail.Exception, match="done again"):
        main(command)  # a remedy may be added, and is then tried
    (tmp_path / "remedies.yaml").write_text("mask: {denoise.missing: ignore}\n")
    assert main(command) == 2
    assert "a remedy mask that changed other settings" in capsys.readouterr().err
    (tmp_path / "remedies.yaml").write_text("mask: {}\n")
    for other in (["--set", "denoise.missing_from=0.3"], ["--set", "train.epochs=2"], ["--documents", "9"],
                  ["--set", "predict.min_probability=0.5"]):  # fmt: skip
        assert main([*command, *other]) == 2
        assert "holds a study of another corpus or with other settings" in capsys.readouterr().err
    write_easy_corpus(tmp_path / "corpus.jsonl", easy_documents(21, 1))
    assert preprocess.main(["--config", str(settings)]) == 0
    assert main(command) == 2
    assert "holds a study of another corpus" in capsys.readouterr().err
    with pytest.raises(UserError, match="holds a study of another corpus"):
        study.detection_at("missing=0.3", 1, [0.0])


def test_a_folder_of_nobody_knows_which_study_is_refused(settings, tmp_path):
    (tmp_path / "old/clean_1").mkdir(parents=True)
    with pytest.raises(UserError, match="holds a study of another corpus or with other settings"):
        NoiseStudy([str(settings)], [], {}, 0, tmp_path / "old").clean(1)


def test_a_study_needs_folds(settings, tmp_path):
    with pytest.raises(UserError, match="votes need folds"):
        NoiseStudy([str(settings)], ["folds.count=0"], {}, 0, tmp_path)
