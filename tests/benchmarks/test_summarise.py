"""The table of trained runs."""

import json

import pytest

from benchmarks.summarise import main


@pytest.fixture
def trained(tmp_path):
    """Writes the metrics of a run, a fold for each F1; None stands for a fold without a dev part."""

    def write(name, *scores):
        for fold, f1 in enumerate(scores):
            epoch = {"epoch": 1} | ({} if f1 is None else {"precision": f1, "recall": f1, "f1": f1})
            metrics = {"selected": "last", "history": [epoch], "train_seconds": 10.0, "peak_mib": 100 + fold,
                       "parameters": 2_000_000}  # fmt: skip
            (tmp_path / name / f"fold{fold}").mkdir(parents=True)
            (tmp_path / name / f"fold{fold}" / "metrics.json").write_text(json.dumps(metrics))
        return str(tmp_path / name)

    return write


def test_seeds_are_one_system_and_folds_one_run(trained, capsys):
    assert main([trained("flat_1", 0.5), trained("flat_2", 0.6), trained("folds_1", 0.2, 0.4)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[2] == "| flat | 2 | 55.00 ± 7.07 | 55.00 ± 7.07 | 55.00 ± 7.07 | 10 | 100 | 2.0 M |"
    assert lines[3] == "| folds | 1 | 30.00 | 30.00 | 30.00 | 20 | 101 | 2.0 M |"


def test_a_run_without_scores_or_end_is_one_line(trained, tmp_path, capsys):
    (tmp_path / "begun" / "fold0").mkdir(parents=True)
    for run, telling in (
        (trained("undev", 0.5, None), "has no dev part and so no scores; leave it out"),
        (str(tmp_path / "nowhere"), "metrics.json: no such file"),
        (str(tmp_path / "begun"), "metrics.json: no such file"),
    ):
        assert main([run]) == 2
        captured = capsys.readouterr()
        assert telling in captured.err and captured.err.count("\n") == 1 and not captured.out
