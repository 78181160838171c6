"""Decisions are measured on gold labels: against a plain count, and in a whole denoising."""

import csv
import hashlib
import json
import random
from dataclasses import replace

import pytest
import yaml

from config import DenoiseConfig
from data.corpus.document import Document
from data.spans import Span
from experiments.denoising.decisions import decide
from experiments.denoising.gold_detection import detection_score, detections, labels_before_and_after
from experiments.denoising.votes import Ballot, Tally
from tests.experiments.denoising.test_plan import Home
from tests.experiments.easy_corpus import easy_documents
from utils.files import read_json


@pytest.fixture
def judged():
    """Documents with wrong labels, their gold labels, and votes that know something of these."""
    draw = random.Random(4)
    documents, gold, ballots = [], [], {}
    for number in range(12):
        text = "字" * 60
        places = range(0, 60, 6)
        true = tuple(Span("name", place, place + 2) for place in places if draw.random() < 0.5)
        labels = tuple(span for span in true if draw.random() < 0.7)
        labels += tuple(Span("name", place + 3, place + 4) for place in places if draw.random() < 0.1)
        tallies = {}
        for span in {*true, *labels}:
            probability = min(1.0, max(0.0, (0.7 if span in true else 0.1) + draw.gauss(0, 0.3)))
            tallies[span] = Tally(round(4 * probability), 4, probability)
        documents.append(Document(str(number), text, tuple(sorted(labels, key=lambda span: span.begin))))
        gold.append(replace(documents[-1], spans=true))
        ballots[str(number)] = Ballot(4, tallies)
    return documents, gold, ballots


def test_scores_are_those_of_a_plain_count(judged):
    documents, gold, ballots = judged
    settings = DenoiseConfig(missing_from=0.5, doubtful_below=0.3)
    decisions = decide(documents, ballots, ["name"], settings)
    truth = {(one.id, span) for one in gold for span in one.spans}
    labels = {(one.id, span) for one in documents for span in one.spans}
    for kind, wrong in (("missing", truth - labels), ("doubtful", labels - truth)):
        found = {(one.document, one.span) for one in decisions if one.kind == kind}
        score = detection_score(documents, gold, decisions, kind)
        assert (score.right, score.predicted, score.labelled) == (len(found & wrong), len(found), len(wrong))
        assert found and wrong
    table = {(one.finder, one.kind, one.threshold): one.score for one in
             detections(documents, gold, ballots, ["name"], settings)}  # fmt: skip
    assert table["probability", "missing", 0.5] == detection_score(documents, gold, decisions, "missing")
    recalls = [table["votes", "missing", value].recall for value in (0.1, 0.5, 0.9)]
    assert recalls == sorted(recalls, reverse=True) and recalls[0] > recalls[-1]
    assert {one for one, _, _ in table} == {"votes", "probability", "pooled", "confidence"}


def test_labels_are_scored_with_all_decisions_applied(judged):
    documents, gold, ballots = judged
    decisions = decide(documents, ballots, ["name"], DenoiseConfig(missing_from=0.5, doubtful_below=0.3))
    before, after = labels_before_and_after(documents, gold, decisions)
    missing = detection_score(documents, gold, decisions, "missing")
    doubtful = detection_score(documents, gold, decisions, "doubtful")
    assert after.right == before.right + missing.right - (doubtful.predicted - doubtful.right)
    assert after.predicted == before.predicted + missing.predicted - doubtful.predicted


@pytest.mark.slow
def test_denoising_with_gold_labels_measures_its_decisions(tmp_path, capfd):
    home = Home(tmp_path)
    lines = [
        {"id": one.id, "sha256": hashlib.sha256(one.text.encode()).hexdigest()[:16],
         "entities": [{"category": span.category, "pos_b": span.begin, "pos_e": span.end} for span in one.spans]}
        for one in easy_documents(24, 1)[:8]
    ]  # fmt: skip
    (tmp_path / "gold.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    changes = (f"data.gold={tmp_path / 'gold.jsonl'}", "folds.repeats=1", "denoise.voters=[forms]",
               "denoise.finder=pooled")  # fmt: skip
    home.cleaned_only(*changes)
    out = capfd.readouterr().out
    assert "gold_a, labels: F1" in out and "gold_b, labels: F1" in out and "pool of votes: encoder" in out
    rows = list(csv.DictReader((home.denoised / "round1" / "detection.csv").open()))
    assert len(rows) == 2 * (3 * (6 + 9) + 2) and {row["part"] for row in rows} == {"gold_a", "gold_b"}
    names = sorted(path.name for path in (home.denoised / "round1" / "gold_votes").iterdir())
    assert names == [f"{run}_fold{fold}.jsonl" for run in ("forms_repeat1", "repeat1") for fold in (0, 1)]
    voted = [json.loads(line)["id"] for line in (home.denoised / "round1/gold_votes" / names[0]).open()]
    assert sorted(voted) == sorted(line["id"] for line in lines)
    trained = {json.loads(line)["id"] for line in (home.denoised / "data" / "train.jsonl").open()}
    assert not trained & set(voted), "gold documents never train"
    assert "gold_b" in {path.stem for path in (home.denoised / "clean" / "eval").iterdir()}
    mix = yaml.safe_load((home.denoised / "mixture.yaml").read_text(encoding="utf-8"))["mix"]
    assert list(mix["weights"]) == ["clean", "clean_forms"], "the runs on the cleaned labels decide together"
    together = read_json(home.denoised / "mixture" / "eval" / "gold_b.json", "")
    assert together["digest"] == read_json(home.denoised / "clean" / "eval" / "gold_b.json", "")["digest"]
