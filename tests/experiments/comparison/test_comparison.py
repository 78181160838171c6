"""Ablations: grids, tables, and whole comparisons, stopped, resumed and failing. test_commands.py runs processes."""

import csv
import hashlib
import json
import math
import statistics
import time
from dataclasses import replace
from pathlib import Path
from threading import Barrier

import numpy as np
import pytest
import yaml

from config import load_config
from experiments.bootstrap import bootstrap_difference, micro_f1
from experiments.comparison import comparison
from experiments.comparison.comparison import Comparison, dev_counts, is_finished
from experiments.comparison.grid import SystemSettings, make_cells, read_grid, systems_of_grid
from experiments.comparison.table import Row, comma_separated, markdown, write_tables
from main import main
from model.run_folder import load_parts, save_parts
from model.training.trainer import Trainer
from preprocess import main as preprocess_main
from tests.experiments.easy_corpus import easy_documents, write_easy_corpus
from tests.experiments.in_process import run_script
from utils.errors import UserError

pytestmark = pytest.mark.slow

# -------------------------------------------------------------------------------------------------------- statistics


def test_f1_from_counts():
    assert micro_f1(np.array([[3, 4, 5], [0, 0, 0], [0, 2, 0]])).tolist() == pytest.approx([6 / 9, 0, 0])


def counts_of(seed, rate, documents=300, seeds=2):
    """Systems that find each of 5 labels a document with some probability, and never more."""
    random = np.random.default_rng(seed)
    right = random.binomial(5, rate, (seeds, documents))
    return np.stack([right, right, np.full_like(right, 5)], axis=2)


def test_the_difference_is_that_of_mean_f1_and_its_interval_covers_resampled_documents():
    own, baseline = counts_of(1, 0.8), counts_of(2, 0.7)
    value, low, high = bootstrap_difference(own, baseline)

    def mean_f1(counts):
        return statistics.mean(2 * r / (p + t) for r, p, t in counts.sum(axis=1).tolist())

    assert value == pytest.approx(mean_f1(own) - mean_f1(baseline))
    draw = np.random.default_rng(5)
    slow = []
    for _ in range(2000):
        chosen = draw.integers(0, 300, 300)
        slow.append(mean_f1(own[:, chosen]) - mean_f1(baseline[:, chosen]))
    assert (low, high) == pytest.approx(tuple(np.percentile(slow, [2.5, 97.5])), abs=0.002)
    assert 0 < low < value < high


def test_a_system_does_not_differ_from_itself():
    own = counts_of(1, 0.8)
    assert bootstrap_difference(own, own) == (0, 0, 0)


def test_counts_of_other_documents_are_refused():
    other = counts_of(1, 0.8)
    other[:, 0, 2] = 7
    with pytest.raises(ValueError, match="not of the same documents"):
        bootstrap_difference(counts_of(1, 0.8), other)


# -------------------------------------------------------------------------------------------------------------- grid


def grid_file(tmp_path, text):
    path = tmp_path / "grid.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_grid_in_dotted_and_nested_words(tmp_path):
    path = grid_file(tmp_path, "plain:\nboth:\n  train.epochs: 3\n  adversarial: {method: fgm, targets: [words]}\n"
                               "data: {data: {train: {path: x, format: bmes}}}\n")  # fmt: skip
    assert read_grid(path) == {
        "plain": (),
        "both": ("train.epochs=3", "adversarial.method=fgm", "adversarial.targets=[words]"),
        "data": ('data.train={"path": x, "format": bmes}',),
    }


def test_cells_are_rounds_of_seeds_with_runs_of_their_own(tmp_path):
    systems = {"a": SystemSettings((), ("train.epochs=7",)), "b": SystemSettings((), ("train.epochs=3",))}
    cells = make_cells(systems, 2, tmp_path)
    assert [(cell.run_name, config.run.seed, config.train.epochs) for cell, config in cells] == [
        ("a_1", 1, 7), ("b_1", 1, 3), ("a_2", 2, 7), ("b_2", 2, 3),
    ]  # fmt: skip
    assert {config.run_folder for _, config in cells} == {tmp_path / name for name in ("a_1", "a_2", "b_1", "b_2")}


def test_folders_and_systems_may_be_called_what_yaml_takes_for_something_else(tmp_path):
    folder = tmp_path / "'quoted' #1"
    ((cell, config),) = make_cells({"2024": SystemSettings()}, 1, folder)
    assert (config.run.name, config.run.folder) == ("2024_1", str(folder))
    assert load_config([], list(cell.overrides)) == config


def test_a_grid_may_name_the_run(tmp_path):
    grid = grid_file(tmp_path, 'a: {encoder.name: "runs/{run.name}_encoder"}')
    ((_, config),) = make_cells(systems_of_grid(grid, [], ["run.name=base"]), 1, tmp_path)
    assert config.encoder.name == "runs/base_encoder" and config.run.name == "a_1"


@pytest.mark.parametrize("path", sorted(Path("configs/grids").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_shipped_grid_fits_the_configs_it_is_for(path, tmp_path):
    for config in ("demo",) if path.stem == "demo" else ("ccf_small", "resume_small", "weibo_small"):
        cells = make_cells(systems_of_grid(path, [f"configs/{config}.yaml"], []), 3, tmp_path)
        assert len(cells) == 3 * len(read_grid(path))


@pytest.mark.parametrize(
    ("text", "telling"),
    [
        ("", "expected `name"),
        ("- a\n", "expected `name"),
        ("a: [", "line 1: not valid YAML"),
        ("a: {train.epochs: 3}\na: {}\n", "line 2: not valid YAML .repeated key a."),
        ("a: {run.name: !!binary YQ==}", "is not accepted; put the value in quotes"),
        ("a: {? [1] : 2}", "a key must be a word"),
        ("a: 3\n", "must hold settings"),
        ("a/b: {}\n", "names a folder"),
        ("'..': {}\n", "names a folder"),
        ("a: {train.epoch: 3}\n", "a: .*did you mean train.epochs"),
        ("a: {adversarial.method: fgm, adversarial.epsilon: 0}\n", r"a: .*adversarial.epsilon \(0.0\) must be"),
    ],
)
def test_a_grid_that_cannot_be_read_is_one_line(tmp_path, text, telling):
    with pytest.raises(UserError, match=telling) as refused:
        ablation([], [], grid_file(tmp_path, text), 1, tmp_path)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("typed", ["2020-01-02", "007", "1:30", "1.50", "no", "0x1F", '"a: b"', "a, b", "'#1'"])
def test_a_value_of_a_grid_means_what_was_typed(tmp_path, typed):
    own = '"a: b"' if typed.startswith('"') else typed
    grid = grid_file(tmp_path, f"a:\n  run.name: {own}\n  data.categories:\n    - {own}\n    - x\n")
    config = load_config([], list(read_grid(grid)["a"]))
    wanted = typed.strip("\"'")
    assert config.run.name == wanted and config.data.categories == [wanted, "x"]


def ablation(configs, overrides, grid, seeds, folder):
    """What --mode ablate makes of its arguments."""
    return Comparison(systems_of_grid(grid, configs, overrides), seeds, folder, "title")


# ------------------------------------------------------------------------------------------------------------- table


DIFFERENCE = bootstrap_difference(counts_of(1, 0.8), counts_of(2, 0.7))
ROWS = [
    Row("plain", (50.0, 52.0), (40.0, 42.0), (45.0, 47.0), None, {"seconds": 10.0, "MiB": 1100.0}),
    Row("better", (60.0,), (50.0,), (55.0,), DIFFERENCE, {"seconds": math.nan, "MiB": 200.0}),
    Row("broken", note="failed with seed 1: no memory"),
    Row("waiting"),
]


def test_the_table_for_people():
    lines = markdown(ROWS).splitlines()
    assert lines[2] == "| plain | 2 | 51.00 ± 1.41 | 41.00 ± 1.41 | 46.00 ± 1.41 |  | 10 | 1,100 |"
    assert lines[3].startswith("| better | 1 | 60.00 | 50.00 | 55.00 | +") and "[+" in lines[3]
    assert lines[3].endswith("|  | 200 |"), "no number where there is none"
    assert "failed with seed 1: no memory" in lines[4]
    assert "not run yet" in lines[5]
    assert {line.count("|") for line in lines} == {9}


def test_scores_on_gold_have_columns_of_their_own_where_there_are_some():
    better = replace(ROWS[1], gold_f1=(70.0,), gold_difference=DIFFERENCE)
    rows = [replace(ROWS[0], gold_f1=(60.0, 64.0)), better, ROWS[2]]
    lines = markdown(rows).splitlines()
    assert "| gold_b F1 | its difference |" in lines[0] and {line.count("|") for line in lines} == {11}
    assert "| 62.00 ± 2.83 |  | 10 |" in lines[2]
    assert f"| 70.00 | {100 * DIFFERENCE.value:+.2f} [" in lines[3]
    plain, better, broken = csv.DictReader(comma_separated(rows).splitlines())
    assert (float(plain["gold_f1"]), plain["gold_difference"], broken["gold_f1"]) == (62, "", "")
    assert float(better["gold_difference_low"]) < float(better["gold_difference"])


def test_the_table_for_programs():
    plain, better, broken, _ = csv.DictReader(comma_separated(ROWS).splitlines())
    assert float(plain["f1"]) == 46 and float(plain["f1_sd"]) == pytest.approx(2**0.5)
    assert better["f1_sd"] == "" and 0 < float(better["difference_low"]) < float(better["difference"])
    assert plain["seconds"] == "10.0" and better["seconds"] == broken["seconds"] == ""
    assert broken["f1"] == "" and broken["seeds"] == "0" and "no memory" in broken["note"]


def test_the_plot_is_a_picture_also_of_nothing(tmp_path):
    for rows in (ROWS, [Row("waiting")]):
        write_tables(rows, tmp_path, "title")
        assert (tmp_path / "table.png").read_bytes().startswith(b"\x89PNG")


# ---------------------------------------------------------------------------------------------------- a whole ablation


@pytest.fixture(scope="module", autouse=True)
def here():
    """Commands run in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(comparison, "run_script", run_script)
        yield


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    """A config file for a tiny corpus with a dev part of half of it."""
    folder = tmp_path_factory.mktemp("ablation")
    corpus = write_easy_corpus(folder / "corpus.jsonl", easy_documents(16, 1))
    path = folder / "tiny.yaml"
    values = {
        "run": {"name": "tiny", "folder": str(folder / "runs"), "threads": 1},
        "data": {"train": str(corpus), "dev_share": 0.5, "max_len": 80,
                 "processed": str(folder / "processed")},
        "encoder": {"name": "scratch", "hidden": 16, "heads": 2, "depth": 1, "feed_forward": 16},
        "model": {"name": "encoder"},
        "lexicon": {"match": "none", "vectors": "none"},
        "train": {"epochs": 2, "batch_size": 2, "encoder_rate": 1e-2, "other_rate": 1e-2, "select": "last"},
    }  # fmt: skip
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    return path


GRID = """
plain: {}
fgm: {adversarial.method: fgm}
broken: {encoder.name: /nowhere, data.processed: BROKEN}
"""


@pytest.fixture(scope="module")
def compared(settings, tmp_path_factory):
    """A finished ablation of two seeds, one of its systems broken: its folder and what the command printed."""
    folder = tmp_path_factory.mktemp("compared")
    grid = folder / "grid.yaml"
    grid.write_text(GRID.replace("BROKEN", str(folder / "broken")), encoding="utf-8")
    assert main(["--mode", "ablate", "--config", str(settings), "--grid", str(grid), "--seeds", "2",
                 "--output", str(folder / "out")]) == 0  # fmt: skip
    return settings, grid, folder / "out"


def test_every_cell_is_a_run_with_its_settings(compared):
    _, _, out = compared
    assert sorted(path.name for path in (out / "cells").iterdir()) == ["fgm_1", "fgm_2", "plain_1", "plain_2"]
    assert "method: fgm" in (out / "cells" / "fgm_2" / "config.yaml").read_text()
    assert "seed: 2" in (out / "cells" / "fgm_2" / "config.yaml").read_text()


def test_the_table_holds_what_the_cells_scored(compared):
    _, _, out = compared
    rows = {row["system"]: row for row in csv.DictReader((out / "table.csv").open(encoding="utf-8"))}
    for system in ("plain", "fgm"):
        scores = [json.loads((out / f"cells/{system}_{seed}/eval/dev.json").read_text())["micro"]["f1"]
                  for seed in (1, 2)]  # fmt: skip
        assert float(rows[system]["f1"]) == pytest.approx(100 * statistics.mean(scores))
        assert float(rows[system]["seconds"]) > 0 and float(rows[system]["MiB"]) > 0
    assert rows["plain"]["difference"] == "" and rows["fgm"]["difference"] != ""
    assert (out / "table.png").exists()


def test_systems_are_compared_on_gold_labels_too(settings, tmp_path):
    lines = [
        {"id": one.id, "sha256": hashlib.sha256(one.text.encode()).hexdigest()[:16],
         "entities": [{"category": span.category, "pos_b": span.begin, "pos_e": span.end} for span in one.spans]}
        for one in easy_documents(16, 1)[:6]
    ]  # fmt: skip
    (tmp_path / "gold.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (tmp_path / "grid.yaml").write_text("plain: {}\nlonger: {train.epochs: 12, train.batch_size: 1}\n")
    assert main(["--mode", "ablate", "--config", str(settings), "--grid", str(tmp_path / "grid.yaml"), "--seeds", "1",
                 "--set", f"data.gold={tmp_path / 'gold.jsonl'}", "--output", str(tmp_path / "out")]) == 0  # fmt: skip
    rows = {row["system"]: row for row in csv.DictReader((tmp_path / "out/table.csv").open(encoding="utf-8"))}
    f1 = {system: json.loads((tmp_path / f"out/cells/{system}_1/eval/gold_b.json").read_text())["micro"]["f1"]
          for system in rows}  # fmt: skip
    assert {system: float(row["gold_f1"]) for system, row in rows.items()} == {
        system: pytest.approx(100 * score) for system, score in f1.items()
    }
    assert f1["longer"] != f1["plain"], "there is a difference to see"
    assert float(rows["longer"]["gold_difference"]) == pytest.approx(100 * (f1["longer"] - f1["plain"]))
    assert rows["plain"]["gold_difference"] == ""


def test_counts_of_documents_add_up_to_the_score(compared):
    settings, grid, out = compared
    cells = ablation([str(settings)], [], grid, 2, out).cells
    config = next(config for cell, config in cells if cell.run_name == "plain_1")
    scored = json.loads((config.run_folder / "eval" / "dev.json").read_text())
    counts = dev_counts(scored)
    assert counts.shape == (scored["documents"], 3)
    assert counts.sum(axis=0).tolist() == [scored["micro"][key] for key in ("right", "predicted", "labelled")]


def test_systems_scored_on_other_documents_have_no_difference(compared):
    settings, grid, out = compared
    comparison = ablation([str(settings)], [], grid, 2, out)
    comparison.finished = {cell for cell, _ in comparison.cells if cell.system != "broken"}
    assert comparison.rows()[1].difference and not comparison.rows()[1].note
    path = out / "cells/fgm_2/eval/dev.json"
    kept = path.read_text()
    other = json.loads(kept) | {"digest": "of others"}
    path.write_text(json.dumps(other | {"by_document": other["by_document"][:-1]}))
    try:
        row = comparison.rows()[1]
    finally:
        path.write_text(kept)
    assert row.difference is None and row.note.startswith("scored on other documents") and len(row.f1) == 2


def test_what_a_reader_must_know_of_scores_is_in_the_table(compared):
    settings, grid, out = compared
    comparison = ablation([str(settings)], [], grid, 2, out)
    comparison.finished = {cell for cell, _ in comparison.cells if cell.system != "broken"}
    path = out / "cells/fgm_2/eval/dev.json"
    kept = path.read_text()
    path.write_text(json.dumps(json.loads(kept) | {"note": "the epoch was chosen on this part"}))
    try:
        assert [row.note for row in comparison.rows()][:2] == ["", "the epoch was chosen on this part"]
    finally:
        path.write_text(kept)


def test_a_cell_that_fails_is_shown_as_failed_with_its_reason(compared):
    _, _, out = compared
    line = next(line for line in (out / "table.md").read_text().splitlines() if line.startswith("| broken"))
    assert "failed with seed 1" in line and "/nowhere" in line
    assert "/nowhere" in (out / "logs" / "broken_1.log").read_text()


def test_finished_cells_are_not_run_again(compared, monkeypatch):
    settings, grid, out = compared
    called = []
    monkeypatch.setattr(Comparison, "_call", lambda self, cell, *rest: called.append(cell.system) or "does not run")
    table = ablation([str(settings)], [], grid, 2, out).run()
    assert set(called) == {"broken"}
    assert "| fgm | 2 |" in table


def test_a_cell_of_other_settings_is_not_taken_for_finished(compared):
    settings, grid, out = compared
    assert all(is_finished(config) == (cell.system != "broken")
               for cell, config in ablation([str(settings)], [], grid, 2, out).cells)  # fmt: skip
    changed = ablation([str(settings)], ["train.epochs=3"], grid, 2, out)
    assert not any(is_finished(config) for _, config in changed.cells)


def trained_with(run, least):
    """Write another `predict.min_probability` into a run, as if it had been trained with it."""
    parts = load_parts(run)
    parts.config.predict.min_probability = least
    save_parts(parts, run)


def test_a_cell_that_reads_with_other_settings_is_scored_again_and_not_trained_again(compared):
    settings, grid, out = compared
    run = out / "cells/plain_1"
    trained = (run / "fold0/metrics.json").stat().st_mtime_ns
    for least in (0.9999, 0.0):
        changes = [f"predict.min_probability={least}"] if least else []
        again = ablation([str(settings)], changes, grid, 1, out)
        again.systems, again.cells = {"plain": again.systems["plain"]}, again.cells[:1]
        ((_, config),) = again.cells
        assert not is_finished(config)
        again.run()
        assert is_finished(config)
        scored = json.loads((run / "eval/dev.json").read_text())
        assert scored["settings"]["predict"]["min_probability"] == least
        # As if trained so: what a run was trained with must not come back where the settings say nothing of it.
        trained_with(run, 0.9999)
    trained_with(run, 0.0)
    assert (run / "fold0/metrics.json").stat().st_mtime_ns == trained


def test_a_cell_of_other_data_is_not_taken_for_finished(compared):
    settings, grid, out = compared
    _, config = ablation([str(settings)], [], grid, 1, out).cells[0]
    assert is_finished(config)
    corpus = settings.parent / "corpus.jsonl"
    before = corpus.read_bytes()
    try:
        write_easy_corpus(corpus, easy_documents(17, 1))
        assert not is_finished(config), "the processed data is older than the corpus"
        assert preprocess_main(["--config", str(settings)]) == 0
        assert not is_finished(config), "the processed data is other than the run's"
    finally:
        corpus.write_bytes(before)
        assert preprocess_main(["--config", str(settings)]) == 0
    assert is_finished(config)


def test_a_stopped_cell_goes_on(compared, monkeypatch, tmp_path):
    """A stop in the second epoch leaves the first; the next call goes on with the second and scores the run."""
    settings, _, _ = compared
    epochs, original = [], Trainer._epoch

    def stop_in_the_second(trainer, *more):
        epochs.append(trainer.state.epoch)
        if len(epochs) == 2:
            raise KeyboardInterrupt
        return original(trainer, *more)

    monkeypatch.setattr(Trainer, "_epoch", stop_in_the_second)
    grid = grid_file(tmp_path, "plain: {}")
    with pytest.raises(KeyboardInterrupt):
        ablation([str(settings)], [], grid, 1, tmp_path).run()
    assert "| plain | 1 |" in ablation([str(settings)], [], grid, 1, tmp_path).run()
    assert len(epochs) == 3, "the first of two epochs is not trained again"


def test_after_a_stop_no_other_cell_begins(compared, monkeypatch, tmp_path):
    settings, grid, _ = compared
    begun = []

    def slow(self, cell, config):
        begun.append(cell)
        time.sleep(0.2)
        return "stopped"

    def stop(running):
        raise KeyboardInterrupt

    monkeypatch.setattr(
        Comparison, "_preprocess", lambda self, cells: dict.fromkeys(c.processed_folder for _, c in cells)
    )
    monkeypatch.setattr(Comparison, "_train_and_score", slow)
    monkeypatch.setattr(comparison, "as_completed", stop)
    several = ablation([str(settings)], [], grid, 2, tmp_path)
    assert len(several.cells) > 2
    with pytest.raises(KeyboardInterrupt):
        several.run()
    assert len(begun) == 1


def test_cells_run_so_many_at_a_time_and_only_after_all_processed_data_is_made(compared, monkeypatch, tmp_path):
    settings, _, _ = compared
    both, calls = Barrier(2), []

    def command(log, script, *arguments):
        calls.append(script)
        if "train" in arguments:
            both.wait(timeout=20)  # breaks unless a second cell trains meanwhile
        return "" if script == "preprocess.py" else "stopped here"

    monkeypatch.setattr(comparison, "run_script", command)
    grid = grid_file(tmp_path, f"a: {{}}\nb: {{data.processed: {tmp_path}/b}}")
    ablation([str(settings)], [], grid, 2, tmp_path).run(jobs=2)
    assert calls == ["preprocess.py"] * 2 + ["main.py"] * 4, "two folders, four cells"


@pytest.mark.parametrize(
    ("arguments", "telling"),
    [
        ("--mode ablate", "needs --grid FILE"),
        ("--mode ablate --grid nowhere.yaml", "no such grid file"),
        ("--mode ablate --grid configs/demo.yaml", "is no section.key, so this is no grid of changes"),
        ("--mode ablate --grid configs/grids/demo.yaml --seeds 0", "at least one"),
        ("--mode ablate --grid configs/grids/demo.yaml --jobs -1", "--jobs must be at least 1, not -1"),
        ("--mode train --grid configs/grids/demo.yaml", "does not belong to --mode train"),
        ("--mode ablate --grid configs/grids/demo.yaml --split dev", "does not belong to --mode ablate"),
    ],
)
def test_bad_command_lines_are_one_line(capsys, arguments, telling):
    assert main(arguments.split()) == 2
    err = capsys.readouterr().err
    assert telling in err and err.count("\n") == 1
