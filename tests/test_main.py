"""The command line as a person meets it: what it takes, what it writes, and one line for whatever cannot be done."""

import csv
import io
import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import main
from data.sample.sample import write_sample
from model.run_folder import VERSION
from preprocess import main as preprocess_main

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
CHANGED = {  # what of the settings differs from the defaults; learns something in seconds
    "data": {"max_len": 60},
    "encoder": {"name": "scratch", "hidden": 32, "heads": 2, "depth": 1, "feed_forward": 32},
    "flat": {"hidden": 32, "heads": 2, "feed_forward": 32, "dropout": 0},
    "model": {"dropout": 0},
    "lexicon": {"dimension": 8},
    "train": {"epochs": 8, "batch_size": 4, "precision": "float32", "encoder_rate": 5e-3, "other_rate": 5e-3},
    "folds": {"count": 2},
}


class Home:
    """A corpus, its processed data, settings, and a run of two folds in folder/runs/tiny."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.corpus = folder / "sample"
        self.runs = folder / "runs"
        self.run = self.runs / "tiny"
        self.settings = folder / "settings.yaml"
        settings = {section: dict(values) for section, values in CHANGED.items()}
        settings["run"] = {"name": "tiny", "folder": str(self.runs), "threads": 1, "device": "cpu"}
        settings["data"] |= {
            "train": str(self.corpus / "train_data"),
            "test": str(self.corpus / "test_data"),
            "processed": str(folder / "processed"),
        }
        self.settings.write_text(yaml.safe_dump(settings), encoding="utf-8")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = Home(tmp_path_factory.mktemp("home"))
    write_sample(home.corpus, 40, 13, 42)
    assert preprocess_main(["--config", str(home.settings)]) == 0
    assert main.main(["--mode", "train", "--config", str(home.settings)]) == 0
    return home


@pytest.fixture
def copy(home, tmp_path):
    """The run elsewhere, to be damaged; and the flags that name it."""
    results = shutil.ignore_patterns("eval")
    run = shutil.copytree(home.run, tmp_path / "copied" / "tiny", ignore=results)
    return run, ("--set", f"run.folder={run.parent}")


@pytest.fixture
def command(home, capsys, monkeypatch):
    """Runs the command line with the settings; gives its exit status, standard output and standard error."""

    def run(mode, *arguments, typed=None, config=True):
        if typed is not None:
            monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(typed), encoding="utf-8"))
        capsys.readouterr()
        settings = ["--config", str(home.settings)] if config else []
        status = main.main(["--mode", mode, *settings, *map(str, arguments)])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


@pytest.fixture
def refused(command):
    """Runs what cannot be done; gives its one line."""

    def run(mode, *arguments, **how):
        status, out, err = command(mode, *arguments, **how)
        assert (status, out) == (2, "")
        assert err.startswith("main.py: ") and err.endswith("\n") and err.count("\n") == 1
        assert "Traceback" not in err
        return err

    return run


@pytest.fixture
def predicted(command, tmp_path):
    """Predicts into a folder; gives the documents of predict.jsonl and the rows of predict.csv."""

    def run(*arguments, **how):
        status, _, err = command("predict", *arguments, "--output", tmp_path / "out", **how)
        assert status == 0, err
        lines = (tmp_path / "out" / "predict.jsonl").read_text(encoding="utf-8").split("\n")
        with (tmp_path / "out" / "predict.csv").open(encoding="utf-8-sig", newline="") as table:
            rows = list(csv.reader(table))
        assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["predict.csv", "predict.jsonl"]
        return [json.loads(line) for line in lines if line], rows

    return run


def write_texts(folder, **texts):
    """`NAME.txt` for each text, byte for byte."""
    folder.mkdir(exist_ok=True)
    for name, text in texts.items():
        (folder / f"{name}.txt").write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


def files_below(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


# ---------------------------------------------------------------------------------------------------------- prediction


def test_a_folder_is_answered_in_the_formats_of_the_house_and_of_the_competition(home, predicted):
    documents, rows = predicted("--input", home.corpus / "test_data")
    assert [document["id"] for document in documents] == [str(number) for number in range(13)]
    assert rows[0] == ["ID", "Category", "Pos_b", "Pos_e", "Privacy"]
    expected = [
        [document["id"], entity["category"], str(entity["pos_b"]), str(entity["pos_e"]), entity["privacy"]]
        for document in documents
        for entity in document["entities"]
    ]
    assert len(expected) > 2
    assert rows[1:] == expected
    for document in documents:
        stored = (home.corpus / "test_data" / f"{document['id']}.txt").read_bytes().decode()
        assert document["text"] == stored
        for entity in document["entities"]:
            assert stored[entity["pos_b"] : entity["pos_e"] + 1] == entity["privacy"]  # the end is inclusive
            assert 0 < entity["probability"] <= 1


def test_an_annotation_tool_gets_a_file_beside_the_others(home, command, tmp_path):
    text = (home.corpus / "train_data" / "0.txt").read_bytes().decode().replace("\n", "").replace("\r", "")
    for tool, name in (("doccano", "predict.doccano.jsonl"), ("labelstudio", "predict.labelstudio.json")):
        out = tmp_path / tool
        status, shown, err = command("predict", "--format", tool, "--output", out, typed=f"{text}\n无\n".encode())
        assert (status, err) == (0, "") and str(out / name) in shown
        assert files_below(out) == sorted(["predict.csv", "predict.jsonl", name])
    first, second = map(json.loads, (tmp_path / "doccano" / "predict.doccano.jsonl").read_text("utf-8").splitlines())
    tasks = json.loads((tmp_path / "labelstudio" / "predict.labelstudio.json").read_text("utf-8"))
    assert first["text"] == text == tasks[0]["data"]["text"] and second["label"] == []
    (prediction,) = tasks[0]["predictions"]
    assert prediction["model_version"] == home.run.name
    values = [result["value"] for result in prediction["result"]]
    assert [[value["start"], value["end"], *value["labels"]] for value in values] == first["label"] != []
    assert [text[begin:end] for begin, end, _ in first["label"]] == [value["text"] for value in values]


def test_predictions_scored_against_themselves_are_perfect(home, command, predicted, tmp_path):
    documents, _ = predicted("--input", home.corpus / "test_data")
    status, out, _ = command("eval", "--input", tmp_path / "out" / "predict.jsonl")
    assert status == 0
    found = sum(len(document["entities"]) for document in documents)
    (micro,) = (line.split() for line in out.splitlines() if line.startswith("micro"))
    assert micro == ["micro", "1.0000", "1.0000", "1.0000", str(found), str(found)]
    saved = json.loads((home.run / "eval" / "corpus-predict.json").read_text())
    assert saved["corpus"] == str(tmp_path / "out" / "predict.jsonl")
    assert saved["documents"] == 13


def test_every_kind_of_input_gives_the_same_spans(home, predicted, tmp_path):
    texts = home.corpus / "test_data"
    whole, rows = predicted("--input", texts)
    archive = shutil.make_archive(str(tmp_path / "texts"), "zip", texts)
    lines = tmp_path / "texts.jsonl"
    lines.write_text("".join(json.dumps({"id": d["id"], "text": d["text"]}) + "\n" for d in whole))
    assert predicted("--input", archive)[1] == rows
    assert predicted("--input", lines)[1] == rows
    # An output that exists is replaced, here by shorter ones.
    number, entity = next((d["id"], e) for d in whole for e in d["entities"])
    (one,), alone = predicted("--input", texts / f"{number}.txt")
    assert one["id"] == number and entity["privacy"] in [row[-1] for row in alone[1:]]
    first_line = one["text"].split("\n")[0]
    for arguments in ((), ("--input", "-")):
        typed, _ = predicted(*arguments, typed=f"{first_line}\r\n\n第三".encode())
        assert [(one["id"], one["text"]) for one in typed] == [("0", first_line), ("1", ""), ("2", "第三")]


def test_odd_texts_keep_every_character_in_its_place(home, predicted, tmp_path):
    stored = (home.corpus / "train_data" / "0.txt").read_bytes().decode()
    texts = {
        "crlf": stored.replace("\n", "\r\n").replace("，", "，\r\n"),
        "empty": "",
        "spaces": " \n\t　",
        "emoji": "😀🎉👨‍👩‍👧" * 30,
        "rare": "㐀𠮷龘\ufffd\u2028\x85",
        "long": "".join(random.Random(0).choices(stored, k=100_000)),
    }
    documents, _ = predicted("--input", write_texts(tmp_path / "odd", **texts), "--fold", "0")
    assert {document["id"]: document["text"] for document in documents} == texts
    for document in documents:
        for entity in document["entities"]:
            assert document["text"][entity["pos_b"] : entity["pos_e"] + 1] == entity["privacy"]


def test_an_empty_standard_input_is_answered_with_nothing(predicted):
    assert predicted(typed=b"") == ([], [["ID", "Category", "Pos_b", "Pos_e", "Privacy"]])


def test_broken_lines_are_reported_and_the_others_read(command, tmp_path):
    path = tmp_path / "broken.jsonl"
    path.write_text('{"text": "张三"}\nnot json\n{"txt": 1}\n{"text": "李四", "id": 0}\n', encoding="utf-8")
    status, out, _ = command("predict", "--input", path, "--output", tmp_path / "out")
    assert status == 0
    assert f"{path}:2: not a JSON object" in out
    assert out.splitlines()[-1].startswith("dropped 2: ") and "; changed 1: id given before" in out
    lines = (tmp_path / "out" / "predict.jsonl").read_text().splitlines()
    assert [json.loads(line)["id"] for line in lines] == ["0", "broken#4"]


def test_a_refused_prediction_leaves_an_older_one_whole(home, predicted, refused, tmp_path):
    predicted("--input", home.corpus / "test_data")
    before = [path.read_bytes() for path in sorted((tmp_path / "out").iterdir())]
    texts = write_texts(tmp_path / "texts", a="好的", b="张三".encode("gbk"))
    assert "b.txt: not UTF-8 at byte 0" in refused("predict", "--input", texts, "--output", tmp_path / "out")
    assert files_below(tmp_path / "out") == ["predict.csv", "predict.jsonl"]
    assert [path.read_bytes() for path in sorted((tmp_path / "out").iterdir())] == before


def garbage(folder):
    (folder / "bad.zip").write_bytes(b"PK\x03\x04garbage")
    return folder / "bad.zip"


def cut_zip(folder):
    write_texts(folder / "many", **{f"t{number}": os.urandom(3000).hex() for number in range(5)})
    path = Path(shutil.make_archive(str(folder / "cut"), "zip", folder / "many"))
    raw = path.read_bytes()
    path.write_bytes(raw[:4000] + bytes(2000) + raw[6000:])
    return path


def no_text(folder):
    (folder / "none.jsonl").write_text('{"txt": "a"}\nno\n')
    return folder / "none.jsonl"


def other_file(folder):
    (folder / "texts.docx").write_bytes(b"PK")
    return folder / "texts.docx"


@pytest.mark.parametrize(
    ("make", "telling"),
    [
        (lambda folder: folder / "none", "no such file or folder; check the path"),
        (lambda folder: write_texts(folder / "empty"), "no .txt in it"),
        (lambda folder: write_texts(folder / "gbk", a="张三在北京".encode("gbk")), "iconv -f GBK -t UTF-8"),
        (garbage, "damaged or not a zip"),
        (cut_zip, "damaged or not a zip"),
        (no_text, "no text in it (dropped 2"),
        (other_file, "not an input"),
    ],
)
def test_an_input_that_cannot_be_read_is_one_line(refused, tmp_path, make, telling):
    path = make(tmp_path)
    message = refused("predict", "--input", path, "--output", tmp_path / "out")
    assert str(path) in message and telling in message
    assert not (tmp_path / "out").exists() or files_below(tmp_path / "out") == []


def test_standard_input_that_is_not_utf8_or_closed_is_one_line(refused, tmp_path, monkeypatch):
    output = ("--output", tmp_path / "out")
    typed = "好的\n".encode() + b"\xff"
    assert "standard input: not UTF-8 at byte 7" in refused("predict", *output, typed=typed)
    monkeypatch.setattr(sys, "stdin", None)
    assert "standard input is closed" in refused("predict", *output)


@pytest.mark.parametrize("place", ["file", "file/deeper"])
def test_an_output_that_cannot_be_is_noticed_before_the_work(refused, home, tmp_path, monkeypatch, place):
    def work(*_, **__):
        raise AssertionError("the network was loaded")

    monkeypatch.setattr("model.reading.tagger.load_network", work)
    (tmp_path / "file").write_text("mine")
    message = refused("predict", "--input", home.corpus / "test_data", "--output", tmp_path / place)
    assert f"{tmp_path / place}: cannot be written" in message and "choose another folder" in message
    assert (tmp_path / "file").read_text() == "mine"


# ------------------------------------------------------------------------------------------- settings of a trained run


def test_settings_of_prediction_are_honoured(home, predicted):
    texts = ("--input", home.corpus / "test_data")
    documents, rows = predicted(*texts)
    found = sorted(entity["probability"] for document in documents for entity in document["entities"])
    least = (found[len(found) // 2 - 1] + found[len(found) // 2]) / 2
    documents, fewer = predicted(*texts, "--set", f"predict.min_probability={least}")
    assert 1 < len(fewer) < len(rows)
    assert all(entity["probability"] >= least for document in documents for entity in document["entities"])
    assert len(predicted(*texts, "--set", "predict.min_votes=0")[1]) > len(rows)


def test_settings_that_shape_the_windows_are_honoured_before_they_are_cut(home, predicted, monkeypatch):
    from model.reading import predictor

    overlaps = []

    def noted(length, max_len, overlap):
        overlaps.append(overlap)
        return cut(length, max_len, overlap)

    cut = predictor.window_bounds
    monkeypatch.setattr(predictor, "window_bounds", noted)
    predicted("--input", home.corpus / "test_data")
    assert set(overlaps) == {30}  # half of data.max_len


def test_a_file_may_set_prediction_and_is_told_what_it_cannot_set(home, command, tmp_path):
    more = tmp_path / "more.yaml"
    more.write_text("train: {epochs: 99}\npredict: {min_probability: 0.999}\n")
    texts = ("--input", home.corpus / "test_data", "--output", tmp_path / "out")
    status, out, _ = command("predict", "--config", more, *texts)
    assert status == 0
    assert "keeps the settings it was trained with" in out.splitlines()[0]
    assert out.splitlines()[0].endswith(" train.epochs")
    assert " 0 spans " in out


@pytest.mark.parametrize("mode", ["predict", "eval"])
def test_what_only_training_can_change_is_refused(refused, home, mode):
    arguments = ("--input", home.corpus / "test_data") if mode == "predict" else ()
    message = refused(mode, *arguments, "--set", "train.select=last")
    assert "was trained with train.select best" in message and "--set train.select=last" in message
    assert all(name in message for name in ("predict.*", "run.device", "run.threads"))  # what can be changed


@pytest.mark.parametrize("mode", ["predict", "eval"])
def test_a_device_and_threads_are_honoured(refused, command, home, monkeypatch, mode):
    import torch

    asked = []
    monkeypatch.setattr(torch, "set_num_threads", asked.append)
    arguments = ("--input", home.corpus / "test_data") if mode == "predict" else ()
    assert command(mode, *arguments, "--set", "run.threads=3", "--set", "run.seed=42")[0] == 0
    assert set(asked) == {3}
    if not torch.backends.mps.is_available():
        assert "run.device is mps" in refused(mode, *arguments, "--set", "run.device=mps")


def test_a_copied_run_works_under_another_name_without_its_settings(home, command, copy):
    run, _ = copy
    renamed = run.rename(run.parent / "other")
    places = ("--set", f"run.folder={renamed.parent}", "--set", "run.name=other")
    assert command("predict", "--input", home.corpus / "test_data", *places, config=False)[0] == 0
    assert (renamed.with_name("other_predictions") / "predict.csv").exists()
    status, out, _ = command("eval", *places, config=False)
    assert status == 0 and f"scores: {renamed / 'eval' / 'dev.json'}" in out
    assert command("eval", *places)[1] == out


@pytest.mark.parametrize("mode", ["predict", "eval"])
def test_a_run_that_was_stopped_is_read_and_says_so(home, command, copy, tmp_path, mode):
    run, named = copy
    arguments = ("--input", home.corpus / "test_data", "--output", tmp_path / "out") if mode == "predict" else ()
    assert "not finished" not in command(mode, *arguments, *named)[1]
    (run / "fold1/metrics.json").unlink()
    (run / "fold1/resume").mkdir()
    (run / "fold1/resume/state.json").write_text('{"epoch": 0}')
    status, out, _ = command(mode, *arguments, *named)
    assert status == 0 and f"{run}/fold1: training was not finished: epoch 1 of " in out
    assert "not finished" not in command(mode, *arguments, *named, "--fold", "0")[1]
    shutil.rmtree(run / "fold1")
    status, out, _ = command(mode, *arguments, *named)
    assert status == 0 and f"{run}: not all 2 folds are trained, only fold 0\n" in out
    assert "there is only" not in command(mode, *arguments, *named, "--fold", "0")[1], "as asked for"


# ---------------------------------------------------------------------------------------------------------- evaluation


def test_dev_scores_come_from_the_folds_that_did_not_see_it(home, command):
    status, out, _ = command("eval")
    assert status == 0 and "slightly optimistic" in out
    saved = json.loads((home.run / "eval" / "dev.json").read_text())
    assert saved["documents"] == 40
    assert "from fold 1 of 2" in command("eval", "--fold", "1")[1]
    part = json.loads((home.run / "eval" / "dev.json").read_text())
    assert 0 < part["documents"] < 40 and part["digest"] != saved["digest"]


def test_test_scores_are_those_of_the_test_corpus(home, command):
    assert command("eval", "--split", "test")[0] == 0
    given = ("--input", home.corpus / "test_data", "--labels", home.corpus / "test_label")
    assert command("eval", *given)[0] == 0
    scores = [json.loads((home.run / "eval" / f"{name}.json").read_text()) for name in ("test", "corpus-test_data")]
    assert scores[0].pop("corpus") == "test" and scores[1].pop("corpus") == str(given[1])
    assert scores[0] == scores[1]


def test_data_made_again_from_other_texts_is_not_scored(home, command, refused, tmp_path):
    """Its dev part would be drawn anew, from documents that the run was trained on."""
    corpus = shutil.copytree(home.corpus, tmp_path / "sample")
    places = ("--set", f"data.train={corpus}/train_data", "--set", f"data.processed={tmp_path}/processed")
    short = ("--set", "train.epochs=1", "--set", "folds.count=0", "--set", "data.test=")
    run = ("--set", f"run.folder={tmp_path}/runs")
    arguments = ("--config", str(home.settings), *places, *short)
    assert preprocess_main(arguments) == 0
    assert command("train", *places, *short, *run)[0] == 0
    named = (*run, "--set", "run.name=tiny")
    assert command("eval", *named, config=False)[0] == 0
    assert "data.test is empty" in refused("eval", "--split", "test", *named, config=False)
    (corpus / "train_data" / "0.txt").write_text("新的文字", encoding="utf-8")
    assert "older than its inputs" in refused("eval", *named, config=False)
    assert "older than its inputs" in refused("train", "--overwrite", *places, *short, *run)
    assert preprocess_main(arguments) == 0
    assert "was trained on other data" in refused("eval", *named, config=False)


@pytest.mark.parametrize(
    ("line", "telling"),
    [
        ('{"text": "张三", "entities": [{"category": "PER", "pos_b": 0, "pos_e": 1}]}', ["labels only PER", "company"]),
        ('{"text": "张三"}', ["no labels in it", "`entities`, a list of {category, pos_b, pos_e}"]),
        (
            '{"text": "张三", "entities": [{"category": "name", "pos_b": 3, "pos_e": 40}]}',
            ["1 of its 1 labels cannot be used", "dropped 1", "corpus.jsonl:1"],
        ),
        ("not json", ["format not recognised"]),
        ("", ["format not recognised"]),
    ],
)
def test_a_corpus_that_cannot_be_scored_is_one_line(refused, tmp_path, line, telling):
    path = tmp_path / "corpus.jsonl"
    path.write_text(line, encoding="utf-8")
    message = refused("eval", "--input", path)
    assert all(words in message for words in [str(path), *telling])


# ------------------------------------------------------------------------------------------------------------ training

BRIEF = ("--set", "train.epochs=3", "--set", "folds.count=0", "--set", "train.batch_size=16")


def histories(run):
    metrics = json.loads((run / "fold0" / "metrics.json").read_text())
    return [epoch[value] for epoch in metrics["history"] for value in ("loss", "f1")]


def test_a_stopped_training_goes_on_to_the_same_end(home, command, tmp_path, monkeypatch):
    from model.training.callbacks.checkpoint import Checkpoint

    places = [("--set", f"run.folder={tmp_path / name}") for name in ("whole", "stopped")]
    assert command("train", *BRIEF, *places[0])[0] == 0

    def stop(self, trainer):
        saved(self, trainer)
        if trainer.state.epoch == 1:
            raise KeyboardInterrupt

    saved = Checkpoint.on_epoch_end
    with monkeypatch.context() as patch:
        patch.setattr(Checkpoint, "on_epoch_end", stop)
        status, out, err = command("train", *BRIEF, *places[1])
    assert (status, out) == (130, "")
    assert err.splitlines()[-1] == "main.py: stopped; --mode train goes on with --resume"
    assert "Traceback" not in err
    stopped = tmp_path / "stopped" / "tiny"
    assert not [name for name in files_below(stopped) if name.endswith(".tmp")]
    status, out, _ = command("train", *BRIEF, *places[1], "--resume")
    assert status == 0 and "fold 0: 3 epochs" in out
    assert histories(stopped) == pytest.approx(histories(tmp_path / "whole" / "tiny"))
    # Settings that would change the end are refused, and nothing is lost by trying.
    status, _, err = command("train", *BRIEF, *places[1], "--resume", "--set", "train.epochs=9")
    assert status == 2 and "began with train.epochs 3, not 9" in err
    assert histories(stopped) == pytest.approx(histories(tmp_path / "whole" / "tiny"))


def test_additional_documents_that_leak_are_left_out_aloud(home, command, refused, tmp_path):
    places = ("--set", f"data.additional=[{home.corpus / 'test_data'}]", "--set", f"data.processed={tmp_path / 'made'}")
    places += ("--set", f"run.folder={tmp_path}", "--set", "train.epochs=1", "--set", "train.batch_size=16")
    assert preprocess_main(["--config", str(home.settings), *places]) == 0
    said = "13 of 13 additional documents are left out of each fold: they share text"
    status, out, _ = command("train", *places)
    assert status == 0 and out.startswith(said) and out.count("left out") == 1
    status, out, _ = command("train", "--overwrite", *places, "--fold", "1", "--set", "data.additional_leaks=keep")
    assert status == 0 and "left out" not in out
    refusing = ("--overwrite", "--set", "data.additional_leaks=refuse")
    assert "13 of 13 additional documents share" in refused("train", *places, *refusing)


def test_folds_of_two_trainings_are_never_mixed(command, copy):
    run, place = copy
    (run / "eval").mkdir(exist_ok=True)
    (run / "eval" / "dev.json").write_text("{}")
    once = ("--set", "train.epochs=1", "--set", "train.batch_size=16")
    assert command("train", "--overwrite", *once, *place, "--fold", "1")[0] == 0
    assert sorted(folder.name for folder in run.glob("fold*")) == ["fold1"]
    assert not (run / "eval").exists()
    # Folds with the same settings belong together, and may be trained one by one.
    assert command("train", *once, *place, "--fold", "0")[0] == 0
    assert sorted(folder.name for folder in run.glob("fold*")) == ["fold0", "fold1"]
    assert command("train", "--overwrite", *once, *place, "--set", "folds.count=0")[0] == 0
    assert sorted(folder.name for folder in run.glob("fold*")) == ["fold0"]


def test_a_run_without_a_dev_part_says_so(command, refused, tmp_path):
    without = ("--set", "train.epochs=1", "--set", "folds.count=0", "--set", "data.dev_share=0")
    without += ("--set", "train.select=last", "--set", f"run.folder={tmp_path}")
    status, out, _ = command("train", *without)
    assert status == 0 and "no dev part" in out
    assert "no dev part" in refused("eval", *without)


@pytest.mark.parametrize("place", ["file", "file/deeper"])
def test_a_run_folder_that_cannot_be_is_noticed_before_the_work(refused, tmp_path, monkeypatch, place):
    def work(*_, **__):
        raise AssertionError("a network was made")

    monkeypatch.setattr("model.training.network_fold.fresh_network", work)
    (tmp_path / "file").write_text("mine")
    message = refused("train", "--set", f"run.folder={tmp_path / place}")
    assert "cannot be written" in message and str(tmp_path / place) in message
    assert files_below(tmp_path) == ["file"]


# ----------------------------------------------------------------------------------------------------------- bad input


def replace(name, change):
    """Damage one file of a run; a change to None removes it."""

    def damage(run):
        path = run / name
        changed = change(path.read_bytes())
        path.unlink()
        if changed is not None:
            path.write_bytes(changed)

    return damage


@pytest.mark.parametrize(
    ("damage", "telling"),
    [
        (shutil.rmtree, "no such run"),
        (replace("manifest.json", lambda raw: None), "no such file"),
        (replace("manifest.json", lambda raw: raw[:20]), "damaged"),
        (replace("manifest.json", lambda raw: b"[]"), "damaged"),
        (replace("manifest.json", lambda raw: b'{"version": 1}'), "made by version 1"),
        (replace("manifest.json", lambda raw: raw.replace(b'"version": %d' % VERSION, b'"version": 99')), "version 99"),
        (replace("config.yaml", lambda raw: b""), "config.yaml"),
        (replace("config.yaml", lambda raw: raw[:200]), "config.yaml"),
        (replace("config.yaml", lambda raw: raw.replace(b"epochs:", b"epoches:", 1)), "config.yaml: damaged"),
        (replace("lexicon.txt", lambda raw: None), "lexicon.txt: no such file"),
        (replace("lexicon.txt", lambda raw: raw + "新词\n".encode()), "lexicon.txt: damaged"),
        (replace("vocabulary.txt", lambda raw: None), "damaged"),
        (replace("encoder/config.json", lambda raw: None), "damaged"),
        (replace("encoder/config.json", lambda raw: raw[:30]), "damaged"),
        (replace("fold1/best/model.safetensors", lambda raw: raw[:-100]), "cut short"),
        (replace("fold1/best/model.safetensors", lambda raw: b""), "cut short"),
    ],
)
def test_a_damaged_run_is_one_line(refused, home, copy, damage, telling):
    run, place = copy
    damage(run)
    message = refused("predict", "--input", home.corpus / "test_data", *place)
    assert telling in message and str(run) in message
    assert not run.with_name(f"{run.name}_predictions").exists()


@pytest.mark.parametrize(
    ("arguments", "telling"),
    [
        ("--mode train --set train.epoch=3", "did you mean train.epochs?"),
        ("--mode train --set train.epochs=many", "a whole number"),
        ("--mode train --set train.epochs", "expected section.key=value"),
        ("--mode train --set train=3", "train (3) must be a section with settings of its own"),
        ("--mode train --set folds.count=1", "folds.count (1) must be 0"),
        ("--mode train --set encoder.layers=2", "encoder.depth"),
        ("--mode train --config none.yaml", "no such configuration file"),
        ("--mode train --overwrite --set data.max_len=70", "made with another data.max_len"),
        ("--mode train", "runs/tiny: already trained (fold 0, 1); keep it with --resume, replace it with --overwrite"),
        ("--mode train --fold 1", "already trained (fold 1)"),
        ("--mode predict --format brat", "invalid choice: 'brat'"),
        ("--mode predict --text-key content", "--text-key describe --input, which is not given"),
        ("--mode train --resume --overwrite", "--resume keeps what is trained and --overwrite replaces it"),
        ("--mode train --fold 2", "folds 0 to 1"),
        ("--mode pretrain --fold 0", "--fold does not belong to --mode pretrain"),
        ("--mode train --fold -1", "folds 0 to 1"),
        ("--mode train --fold one", "invalid int value: 'one'"),
        ("--mode train --input texts", "--input does not belong to --mode train"),
        ("--mode predict --fold 2", "fold 2 is not trained; trained are 0, 1"),
        ("--mode predict --resume", "--resume does not belong to --mode predict"),
        ("--mode predict --set run.name=none", "no such run"),
        ("--mode predict --set predict.min_votes=1", "predict.min_votes (1.0) must be at least 0 and less than 1"),
        ("--mode eval --fold 2", "fold 2 is not trained"),
        ("--mode eval --input none", "no such file or folder in "),
        ("--mode eval --labels none", "describe --input"),
        ("--mode eval --input none --split test", "give one of them"),
        ("--mode train --output out", "--output does not belong to --mode train"),
        ("--mode guess", "--mode guess: no such mode; known here: train, eval"),
        ("--epochs 3", "--mode"),
        (f"--mode predict --set run.name={'x' * 300}", "File name too long"),
    ],
)
def test_a_command_that_makes_no_sense_is_one_line(home, capsys, tmp_path, monkeypatch, arguments, telling):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
    before = {path: path.stat().st_mtime_ns for path in home.run.rglob("*.*")}
    capsys.readouterr()
    assert main.main(["--config", str(home.settings), *arguments.split()]) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.startswith("main.py: ") and captured.err.count("\n") == 1
    assert telling in captured.err
    assert list(tmp_path.iterdir()) == []
    assert {path: path.stat().st_mtime_ns for path in home.run.rglob("*.*")} == before


def test_relative_paths_are_looked_for_where_the_command_runs(home, command, refused, tmp_path, monkeypatch):
    write_texts(tmp_path / "texts", a="张三")
    monkeypatch.chdir(tmp_path)
    assert command("predict", "--input", "texts", "--output", "out")[0] == 0
    assert files_below(tmp_path / "out") == ["predict.csv", "predict.jsonl"]
    assert f"runs/tiny: no such run in {tmp_path}" in refused("predict", "--input", "texts", "--set", "run.folder=runs")


# ----------------------------------------------------------------------------------------------------------- terminals


def test_a_terminal_that_cannot_show_a_character_gets_its_number(home, command, tmp_path, monkeypatch):
    shown = io.BytesIO()
    terminal = io.TextIOWrapper(shown, encoding="ascii", write_through=True)
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", terminal)
        assert command("predict", "--output", tmp_path / "输出", typed="张三".encode())[0] == 0
    assert rb"\u8f93\u51fa/predict.jsonl" in shown.getvalue()
    assert files_below(tmp_path / "输出") == ["predict.csv", "predict.jsonl"]


def test_a_process_elsewhere_whose_reader_leaves_ends_quietly(home, tmp_path):
    """As `| head` does; the output is still in the buffer when the work is done."""
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, ROOT / "main.py", "--mode", "predict", "--config", home.settings, "--output", "out"],
        input="张三在北京\n".encode(), stdout=write, stderr=subprocess.PIPE, cwd=tmp_path,
        env={name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"},
    )  # fmt: skip
    os.close(write)
    assert (done.returncode, done.stderr) == (0, b"")
    assert json.loads((tmp_path / "out" / "predict.jsonl").read_text(encoding="utf-8"))["text"] == "张三在北京"


def test_in_a_log_of_both_streams_the_error_comes_last(tmp_path):
    """The last line of a command's log is what a table says of a cell that failed."""
    program = (
        "from utils.errors import UserError\nfrom utils.command_line import run_command\n"
        "def command():\n    print('18 documents are left out')\n    raise UserError('no such thing')\n"
        "run_command('main.py', command, '')"
    )
    with (tmp_path / "log").open("wb") as log:
        subprocess.run(
            [sys.executable, "-c", program], stdout=log, stderr=log, cwd=ROOT,
            env={name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"},
        )  # fmt: skip
    assert (tmp_path / "log").read_text() == "18 documents are left out\nmain.py: no such thing\n"
