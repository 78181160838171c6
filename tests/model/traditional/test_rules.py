"""Patterns as a system: trained, scored and used like any other."""

import pytest

from config import load_config
from model import load_tagger
from model.prepare import prepare
from model.reading.evaluation import score_split
from model.run_folder import load_parts
from model.training.folds import train
from utils.errors import UserError


@pytest.fixture
def config(sample_folder, tmp_path):
    return load_config([], [
        "model.name=rules", "encoder.name=scratch", "lexicon.match=none", f"run.folder={tmp_path}/runs",
        f"data.train={sample_folder}/train_data", f"data.test={sample_folder}/test_data",
        f"data.processed={tmp_path}/processed", "run.name=rules",
    ])  # fmt: skip


def test_a_run_of_rules_is_scored_and_reads(config):
    (metrics,) = train(config, prepare(config))
    assert metrics["parameters"] == 0 and metrics["history"][0]["precision"] > 0.9
    scores = score_split([load_parts(config.run_folder)], "test").scores
    assert scores.categories["email"].recall > 0.9 and scores.categories["name"].predicted == 0
    (spans,) = load_tagger(config.run_folder).predict(["请致电13812345678或写信到 li.lei@example.com"])
    assert [(span.category, span.text, span.probability) for span in spans] == [
        ("mobile", "13812345678", 1.0), ("email", "li.lei@example.com", 1.0)
    ]  # fmt: skip


def test_data_without_a_category_of_theirs_is_refused(config):
    config.data.categories = ["name"]
    with pytest.raises(UserError, match="rules finds only mobile, email, QQ, vx, but the data has none"):
        train(config, prepare(config))
