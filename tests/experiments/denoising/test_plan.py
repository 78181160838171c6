"""Cleaning from end to end on a tiny corpus: who votes on what, what goes on after a kill, what a person corrects."""

import csv
import json
import shutil
from dataclasses import replace

import pytest
import yaml

import experiments.denoising.fold_votes
import experiments.denoising.runs as denoise_runs
import preprocess
from config import load_config
from data.batches.dataset import SegmentDataset
from data.corpus.document import to_json
from data.corpus.formats import read_corpus
from data.noise.noise import NoiseRates, add_noise
from data.problems import Problems
from data.processed import load_processed
from data.spans import Span, clash
from experiments.denoising.decision_table import read_decisions
from experiments.denoising.files import read_documents
from experiments.denoising.plan import Denoise
from experiments.denoising.round_stages import summary
from experiments.denoising.runs import DenoiseRuns
from experiments.denoising.votes import count_votes
from experiments.stages import Plan
from main import main
from model.training.trainer import Trainer
from tests.experiments.easy_corpus import easy_documents, write_easy_corpus
from tests.experiments.in_process import run_script

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def here(monkeypatch):
    monkeypatch.setattr(denoise_runs, "run_script", run_script)


class Home:
    """A corpus with noise, its settings and its folders."""

    def __init__(self, folder):
        train = add_noise(easy_documents(24, 1), NoiseRates(missing=0.3), 3)
        self.folder, self.settings = folder, folder / "tiny.yaml"
        self.denoised = folder / "runs" / "tiny_denoise"
        values = {
            "run": {"name": "tiny", "folder": str(folder / "runs"), "threads": 1},
            "data": {"train": str(write_easy_corpus(folder / "train.jsonl", train)),
                     "unlabelled": str(write_easy_corpus(folder / "unlabelled.jsonl", easy_documents(5, 2))),
                     "dev_share": 0.25, "max_len": 80, "processed": str(folder / "processed")},
            "encoder": {"name": "scratch", "hidden": 32, "heads": 2, "depth": 1, "feed_forward": 32},
            "model": {"name": "encoder"},
            "lexicon": {"match": "none", "vectors": "none"},
            "folds": {"count": 2, "repeats": 2},
            "train": {"epochs": 2, "batch_size": 1, "encoder_rate": 1e-2, "other_rate": 1e-2,
                      "schedule": "constant"},
            "denoise": {"missing_from": 0.1, "doubtful_below": 0.02, "missing": "add"},
            "pseudo": {"certain_from": 0.15},
        }  # fmt: skip
        self.settings.write_text(yaml.safe_dump(values), encoding="utf-8")
        assert preprocess.main(["--config", str(self.settings)]) == 0

    def run(self, mode="denoise", *more):
        return main(["--mode", mode, "--config", str(self.settings), *more])

    def cleaned_only(self, *changes):
        """All stages of denoising but the run to compare with, which costs as much as the others that a test is of."""
        work = Denoise(self.config(*changes))
        Plan(work.folder, [stage for stage in work.denoise() if not stage.name.startswith("first")]).run()

    def votes(self, round_number=1):
        files = sorted((self.denoised / f"round{round_number}" / "votes").iterdir())
        return {path.name: path.read_text(encoding="utf-8") for path in files}

    def config(self, *changes):
        return load_config([self.settings], list(changes))


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A whole pipeline; and for every run, one after the other, the texts that each of its trainings saw."""
    home = Home(tmp_path_factory.mktemp("denoise"))
    runs, seen = [], []  # the processed data of every run, which is kept so that no other can be taken for it
    original = SegmentDataset.__init__
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(denoise_runs, "run_script", run_script)

        def watched(dataset, processed, documents, labeller):
            if not (runs and runs[-1] is processed):
                runs.append(processed)
                seen.append([])
            seen[-1].append({processed.documents[number].text for number in documents})
            original(dataset, processed, documents, labeller)

        patch.setattr(SegmentDataset, "__init__", watched)
        assert home.run("pipeline") == 0
    return home, seen


def ids_of(votes):
    return [json.loads(line)["id"] for line in votes.splitlines()]


def test_every_vote_comes_from_a_network_that_did_not_see_the_document(finished):
    home, trained = finished
    folds = [documents for run in trained if len(run) == 2 for documents in run]
    assert len(folds) == 4
    votes = [ids_of(home.votes()[f"repeat{repeat}_fold{fold}.jsonl"]) for repeat in (1, 2) for fold in (0, 1)]
    texts = {document.id: document.text for document in read_documents(home.denoised / "data/train.jsonl")}
    for seen, judged in zip(folds, votes, strict=True):
        voted_on = {texts[identity] for identity in judged}
        assert seen.isdisjoint(voted_on) and seen | voted_on == set(texts.values())
    for repeat in (votes[:2], votes[2:]):
        assert sorted(repeat[0] + repeat[1]) == sorted(texts), "each document has one vote of each repeat"
    assert set(votes[0]) != set(votes[2]), "folds are drawn anew"


def test_the_dev_part_is_untouched_and_seen_by_nobody(finished):
    home, trained = finished
    config = home.config("folds.count=0")
    given = {document.id: document.text for document in read_corpus(config.data.train, Problems())}
    dev = read_documents(home.denoised / "data/dev.jsonl")
    assert 0 < len(dev) < len(given)
    assert all(given[document.id] == document.text for document in dev)
    processed = {document.text: document for document in load_processed(config).documents}
    assert all(processed[document.text] == document for document in dev) and any(document.spans for document in dev)
    texts = {document.text for document in dev}
    assert all(seen.isdisjoint(texts) for run in trained for seen in run)
    for name in ("first", "clean", "final"):
        settings = yaml.safe_load((home.denoised / name / "config.yaml").read_text(encoding="utf-8"))
        assert settings["data"]["dev"]["path"] == str(home.denoised / "data/dev.jsonl")


def test_the_labels_of_votes_are_those_that_came_and_the_cleaned_ones_follow_the_table(finished):
    home, _ = finished
    documents = {document.id: document for document in read_documents(home.denoised / "data/train.jsonl")}
    for content in home.votes().values():
        for line in content.splitlines():
            record = json.loads(line)
            judged = {(one["category"], one["pos_b"], one["pos_e"]) for one in record["candidates"]}
            assert judged >= {tuple(span) for span in documents[record["id"]].spans}
    cleaned = {document.id: document for document in read_documents(home.denoised / "round1/train.jsonl")}
    with (home.denoised / "round1/decisions.csv").open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream))
    added = [row for row in rows if row["action"] == "add"]
    assert added
    for identity, document in documents.items():
        own = {(row["category"], int(row["pos_b"]), int(row["pos_e"])) for row in added if row["id"] == identity}
        # What is added takes the place of the doubtful labels of its category that it shares characters with.
        kept = {span for span in document.spans if not any(clash(span, Span(*one)) for one in own)}
        assert {tuple(span) for span in cleaned[identity].spans} == {tuple(span) for span in kept} | own
    exported = json.loads((home.denoised / "round1/labelstudio.json").read_text(encoding="utf-8"))
    assert {task["data"]["id"] for task in exported} == set(documents)
    annotated = [one for task in exported for annotation in task["annotations"] for one in annotation["result"]]
    suggested = [one for task in exported for one in task.get("predictions", [{"result": []}])[0]["result"]]
    kinds = [row["kind"] for row in rows]
    assert kinds.count("doubtful") == sum("meta" in one for one in annotated)
    assert kinds.count("missing") == len(suggested)


def test_the_pipeline_ends_with_predictions_for_the_unlabelled_texts(finished):
    home, trained = finished
    texts = read_corpus(home.config().data.unlabelled, Problems())
    pseudo = read_documents(home.denoised / "unlabelled/pseudo.jsonl")
    assert pseudo and all(document.weight == 0.5 for document in pseudo)
    assert {document.text for document in pseudo} <= {document.text for document in texts}
    first, clean, final = (run[0] for run in trained if len(run) == 1)
    assert first == clean and len(final) >= len(clean)
    predicted = (home.denoised / "submission/predict.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["id"] for line in predicted] == [document.id for document in texts]
    assert (home.denoised / "submission/predict.csv").read_text(encoding="utf-8-sig").startswith("ID,Category,Pos_b")


def test_nothing_is_done_twice_and_a_plan_does_nothing(finished, capsys, monkeypatch):
    home, _ = finished
    monkeypatch.setattr(denoise_runs, "run_script", lambda *_: pytest.fail("something was done again"))
    assert home.run("pipeline", "--dry-run") == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 21 and all("] done" in line for line in lines)
    assert home.run("pipeline") == 0
    assert capsys.readouterr().out.count("done before") == 21
    assert home.run("pipeline", "--dry-run", "--set", "pseudo.certain_from=0.9") == 0
    states = ["done" in line.split(":")[0] for line in capsys.readouterr().out.splitlines()]
    assert states == [True] * 17 + [False] * 4, "pseudo-labels, the final run, its scores and its predictions"
    for reading in ("predict.min_probability=0.8", "mix.override=[mobile]"):
        assert home.run("pipeline", "--dry-run", "--set", reading) == 0
        out = capsys.readouterr().out
        states = {line.split("to do ")[1].split(":")[0] for line in out.splitlines() if "to do " in line}
        assert states == {"first, score", "clean, score", "final, score", "submit"}, "nothing is trained for it"


def test_scores_of_all_runs_are_printed(finished, capsys):
    home, _ = finished
    assert home.run("pipeline") == 0
    out = capsys.readouterr().out
    assert all(f"\n{name} " in out for name in ("first", "clean", "final"))
    assert home.run("denoise") == 0
    out = capsys.readouterr().out
    assert "\nfirst " in out and "\nclean " in out and "\nfinal " not in out, "that one was not asked for"


@pytest.fixture
def copy(finished, tmp_path, monkeypatch):
    """The finished work where a test may change it: all paths in it are relative to the working folder."""
    home, _ = finished
    other = Home.__new__(Home)
    other.folder, other.settings, other.denoised = home.folder, home.settings, home.denoised
    kept = tmp_path / "kept"
    shutil.copytree(home.denoised, kept)
    yield other
    shutil.rmtree(home.denoised)
    shutil.copytree(kept, home.denoised)


def test_a_corrected_table_is_what_is_trained_on(copy, capsys):
    path = copy.denoised / "round1/decisions.csv"
    table = path.read_text(encoding="utf-8-sig").replace(",add,", ",ignore,")
    path.write_text(table, encoding="utf-8-sig")
    assert copy.run("denoise") == 0
    out = capsys.readouterr().out
    assert out.count("done before") == 10 and "[11/13] round 1, clean: apply" in out
    before, after = (read_documents(copy.denoised / name) for name in ("data/train.jsonl", "round1/train.jsonl"))
    assert [document.spans for document in before] == [document.spans for document in after]


def test_another_round_does_not_undo_corrections(copy, capsys):
    path = copy.denoised / "round1/decisions.csv"
    path.write_text(path.read_text(encoding="utf-8-sig").replace(",add,", ",ignore,"), encoding="utf-8-sig")
    assert copy.run("denoise", "--dry-run", "--set", "denoise.rounds=2") == 0
    assert "done  round 1, decide" in capsys.readouterr().out


def test_corrections_are_kept_where_all_is_decided_anew(copy, capsys):
    path = copy.denoised / "round1/decisions.csv"
    path.write_text(path.read_text(encoding="utf-8-sig").replace(",add,", ",ignore,"), encoding="utf-8-sig")
    corrected = path.read_bytes()
    assert copy.run("denoise", "--set", "denoise.missing=mask") == 0
    kept = path.with_name("decisions_corrected_1.csv")
    assert f"the corrections are in {kept}" in capsys.readouterr().out
    assert kept.read_bytes() == corrected != path.read_bytes()
    assert copy.run("denoise", "--set", "denoise.missing=ignore") == 0
    assert "the corrections are in" not in capsys.readouterr().out, "nobody corrected what was written since"


def test_a_table_with_an_unknown_category_is_one_line(copy, capsys):
    path = copy.denoised / "round1/decisions.csv"
    header, row, *rest = path.read_text(encoding="utf-8-sig").split("\n")
    fields = row.split(",")
    fields[2] = "nickname"
    path.write_text("\n".join([header, ",".join(fields), *rest]), encoding="utf-8-sig")
    assert copy.run("denoise") == 2
    err = capsys.readouterr().err
    assert "unknown category nickname; the categories are" in err and err.count("\n") == 1


@pytest.mark.parametrize("killed_at", ["epoch 2", "epoch 4", "vote 2"])  # epoch 4 is the second of the second fold
def test_a_killed_run_goes_on_to_the_same_votes(finished, tmp_path, monkeypatch, killed_at):
    whole, _ = finished
    home = Home(tmp_path)
    epoch, write_votes, begun = Trainer._epoch, experiments.denoising.fold_votes.write_votes, {"epoch": 0, "vote": 0}

    def watch(kind, original):
        def begin(*arguments):
            begun[kind] += 1
            if killed_at == f"{kind} {begun[kind]}":
                raise KeyboardInterrupt
            return original(*arguments)

        return begin

    monkeypatch.setattr(Trainer, "_epoch", watch("epoch", epoch))
    monkeypatch.setattr(experiments.denoising.fold_votes, "write_votes", watch("vote", write_votes))
    with pytest.raises(KeyboardInterrupt):
        home.cleaned_only()
    killed_at = ""
    home.cleaned_only()
    assert home.votes() == whole.votes()
    killed = 11 if begun["vote"] == 4 else 10
    assert begun["epoch"] == killed, "two epochs of four folds and of the cleaned run, and the one that was killed"


def test_a_second_round_trains_on_the_cleaned_labels_and_judges_those_that_came(tmp_path):
    home = Home(tmp_path)
    home.cleaned_only("denoise.rounds=2", "folds.repeats=1", "denoise.doubtful=remove", "denoise.doubtful_below=0.2")
    settings = yaml.safe_load((home.denoised / "round2/repeat1/config.yaml").read_text(encoding="utf-8"))
    assert settings["data"]["train"]["path"] == str(home.denoised / "round1/train.jsonl")
    settings = yaml.safe_load((home.denoised / "clean/config.yaml").read_text(encoding="utf-8"))
    assert settings["data"]["train"]["path"] == str(home.denoised / "round2/train.jsonl")
    came = {document.id: document for document in read_documents(home.denoised / "data/train.jsonl")}
    for content in home.votes(2).values():
        for line in content.splitlines():
            record = json.loads(line)
            judged = {(one["category"], one["pos_b"], one["pos_e"]) for one in record["candidates"]}
            assert judged >= {tuple(span) for span in came[record["id"]].spans}


def test_additional_documents_that_share_text_with_the_dev_part_train_no_fold(tmp_path):
    home = Home(tmp_path)
    corpus = read_corpus(home.config().data.train, Problems())
    copies = tmp_path / "additional.jsonl"
    copies.write_text("".join(to_json(replace(one, id=f"copy{one.id}")) + "\n" for one in corpus), encoding="utf-8")
    changes = (f"data.additional=[{copies}]", "folds.repeats=1")
    assert preprocess.main(["--config", str(home.settings), "--set", changes[0]]) == 0
    home.cleaned_only(*changes)
    dev = {document.id for document in read_documents(home.denoised / "data/dev.jsonl")}
    for fold in (0, 1):
        metrics = json.loads((home.denoised / f"round1/repeat1/fold{fold}/metrics.json").read_text())
        held_out = ids_of(home.votes()[f"repeat1_fold{fold}.jsonl"])
        assert metrics["additional_documents_left_out"] >= len(dev) + len(held_out)


def test_without_a_dev_part_there_are_no_scores(tmp_path, capsys):
    home = Home(tmp_path)
    changes = ("data.dev_share=0", "train.select=last", "folds.repeats=1")
    assert home.run("denoise", *(word for change in changes for word in ("--set", change))) == 0
    assert "no dev part, so there are no scores" in capsys.readouterr().out
    assert not (home.denoised / "data/dev.jsonl").exists()


def test_folds_choose_nothing_by_the_labels_they_vote_on(finished):
    home, _ = finished
    settings = yaml.safe_load((home.denoised / "round1/repeat1/config.yaml").read_text(encoding="utf-8"))
    assert (settings["train"]["select"], settings["train"]["patience"]) == ("last", 0)
    settings = yaml.safe_load((home.denoised / "clean/config.yaml").read_text(encoding="utf-8"))
    assert settings["train"]["select"] == "best", "as the user has it"


def test_trainings_depend_on_the_weights_of_a_local_encoder(finished, tmp_path):
    home, _ = finished
    names = {"vocab.txt", "config.json", "model.safetensors"}
    for name in (*names, "README.md"):
        (tmp_path / name).touch()
    inputs = DenoiseRuns(home.config(f"encoder.name={tmp_path}"), [], None).other_inputs()
    assert {path.name for path in inputs if path.parent == tmp_path} == names


def test_all_networks_begin_with_the_encoder_that_was_pretrained_first(tmp_path, pretrained_folder):
    home = Home(tmp_path)
    changes = (f"encoder.name={pretrained_folder}", "denoise.pretrain=true", "pretrain.epochs=1", "folds.repeats=1",
               "train.epochs=1", f"data.processed={tmp_path / 'with_encoder'}")  # fmt: skip
    assert preprocess.main(["--config", str(home.settings), *(f"--set={one}" for one in changes)]) == 0
    home.cleaned_only(*changes)
    encoder = home.denoised / "pretrain_encoder"
    assert (encoder / "model.safetensors").read_bytes() != (pretrained_folder / "model.safetensors").read_bytes()
    for run in ("clean", "round1/repeat1"):
        settings = yaml.safe_load((home.denoised / run / "config.yaml").read_text(encoding="utf-8"))
        assert settings["encoder"]["name"] == str(encoder)
    plan = Plan(home.denoised, Denoise(home.config(*changes)).denoise())
    assert [stage.name for stage in plan.stages if not plan.is_done(stage)] == ["first", "first, score"]
    with (encoder / "model.safetensors").open("ab") as weights:
        weights.write(b" ")
    assert not any(plan.is_done(stage) for stage in plan.stages if stage.name in ("round 1, folds 1", "clean"))


def test_other_systems_vote_beside_the_network(tmp_path):
    home = Home(tmp_path)
    changes = ("folds.repeats=1", "train.epochs=1", "denoise.voters=[forms, feature_crf]")
    home.cleaned_only(*changes)
    names = [
        f"{run}_fold{fold}.jsonl" for run in ("feature_crf_repeat1", "forms_repeat1", "repeat1") for fold in (0, 1)
    ]
    assert sorted(home.votes()) == names
    ballots = count_votes(sorted((home.denoised / "round1" / "votes").iterdir()))
    documents = read_documents(home.denoised / "data" / "train.jsonl")
    for document in documents:
        ballot = ballots[document.id]
        assert ballot.voters == 3, "one fold of each system has not seen the document"
        assert all(span in ballot.spans for span in document.spans), "every label is judged"
    rows = read_decisions(home.denoised / "round1" / "decisions.csv", documents, Problems())
    assert rows and all(row.tally.voters == 3 for row in rows)


def test_one_training_that_is_watched_needs_no_folds(tmp_path, capfd):
    home = Home(tmp_path)
    changes = ("denoise.finder=dynamics", "folds.count=0", "folds.repeats=1", "train.epochs=3",
               "denoise.doubtful_below=0.1")  # fmt: skip
    assert home.run("pipeline", *(f"--set={one}" for one in changes)) == 0
    out = capfd.readouterr().out
    assert "over its epochs the network gives a label" in out and "fold 0 of" in out
    assert not (home.denoised / "round1" / "votes").exists(), "no fold has voted"
    votes = sorted((home.denoised / "first" / "fold0" / "dynamics").iterdir())
    assert [path.name for path in votes] == ["epoch2.jsonl", "epoch3.jsonl"]
    documents = read_documents(home.denoised / "data" / "train.jsonl")
    ballots = count_votes(votes)
    assert all(span in ballots[one.id].spans for one in documents for span in one.spans), "every label is judged"
    rows = read_decisions(home.denoised / "round1" / "decisions.csv", documents, Problems())
    assert rows and all(row.tally.voters == 2 for row in rows), "each epoch is a voter"
    for row in rows:
        assert row.share == pytest.approx(ballots[row.document].of(row.span).probability, abs=1e-4)
    assert (home.denoised / "submission" / "predict.csv").exists()
    assert not (home.denoised / "clean" / "fold0" / "dynamics").exists(), "only the first run is watched"


def test_a_traditional_system_cleans_alone(tmp_path):
    home = Home(tmp_path)
    home.cleaned_only("folds.repeats=1", "model.name=feature_crf")
    assert sorted(home.votes()) == ["repeat1_fold0.jsonl", "repeat1_fold1.jsonl"]
    assert (home.denoised / "clean" / "fold0" / "metrics.json").exists()


def test_a_pipeline_needs_unlabelled_texts(finished, tmp_path, capsys):
    home, _ = finished
    without = ("--set", "data.unlabelled=", "--set", f"data.processed={tmp_path / 'processed'}")
    assert preprocess.main(["--config", str(home.settings), *without]) == 0
    assert home.run("pipeline", *without) == 2
    assert "data.unlabelled is empty" in capsys.readouterr().err


def test_a_pipeline_in_which_nothing_is_certain_goes_on_without_pseudo_labels(tmp_path, capfd):
    home = Home(tmp_path)
    settings = ("--set", "pseudo.certain_from=1", "--set", "folds.repeats=1", "--set", "train.epochs=1")
    assert home.run("pipeline", *settings) == 0
    assert "no span of the unlabelled texts is certain, so the final run trains without" in capfd.readouterr().out
    assert (home.denoised / "unlabelled" / "pseudo.jsonl").read_text() == ""
    assert (home.denoised / "submission" / "predict.csv").exists()
    assert home.run("pipeline", *settings) == 0
    assert "no span" not in capfd.readouterr().out, "nothing is done twice"


@pytest.mark.parametrize(
    ("arguments", "telling"),
    [
        ("--mode denoise --set folds.count=0", "votes need folds: set folds.count"),
        (
            "--mode denoise --dry-run --set denoise.voters=[frms]",
            "unknown system frms; did you mean forms?",
        ),
        ("--mode denoise --dry-run --set denoise.voters=[lac]", "lexicon.tags (none) must be lac"),
        ("--mode denoise --dry-run --set denoise.voters=[encoder]", "denoise.voters must not name encoder"),
        ("--mode denoise --dry-run --set data.processed=nowhere", "no processed data"),
        ("--mode denoise --set denoise.missing_from=1.5", "denoise.missing_from (1.5) must be"),
        ("--mode denoise --set denoise.missing_from_of.name=2", "denoise.missing_from_of.name (2.0) must be"),
        ("--mode denoise --set denoise.missing_from_of.name=much", "('much') must be a number"),
        (
            "--mode denoise --set denoise.missing_from_of.nmae=0.3",
            "denoise.missing_from_of: unknown category nmae; did",
        ),
        ("--mode denoise --set denoise.doubtful=add", "denoise.doubtful ('add') must be one of"),
        ("--mode train --dry-run", "--dry-run does not belong to --mode train"),
        ("--mode denoise --fold 1", "--fold does not belong to --mode denoise"),
    ],
)
def test_bad_command_lines_are_one_line(finished, capsys, arguments, telling):
    home, _ = finished
    first, second, *rest = arguments.split()
    assert main([first, second, "--config", str(home.settings), *rest]) == 2
    err = capsys.readouterr().err
    assert telling in err and err.count("\n") == 1


@pytest.mark.parametrize(("probability", "warned"), [(0.19, True), (0.21, False)])
def test_a_person_is_told_how_much_the_voters_know(probability, warned):
    told = summary([], 1, probability)
    assert f"a probability of {probability:.2f} on average" in told
    assert ("train the folds longer" in told) == warned
