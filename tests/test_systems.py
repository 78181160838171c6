"""Every shipped system: its file fits the corpora's files, trains a step, and is compared by one command."""

import csv
import json

import pytest
import torch
import yaml

from config import load_config
from experiments.comparison import comparison
from experiments.comparison.grid import systems_of_configs
from main import main
from model.build import fresh_network
from model.prepare import prepare
from model.run_folder import RunParts
from model.traditional import is_traditional, system_class
from model.training.optimizer import build_optimizer
from tests.experiments.in_process import run_script
from tests.model.batches import batch_of, samples_of
from tests.test_config import ROOT

pytestmark = pytest.mark.slow

SYSTEMS = sorted((ROOT / "configs" / "systems").glob("*.yaml"))
WITHOUT_ENCODER = ROOT / "configs" / "encoders" / "none.yaml"


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A config file of a corpus of a few documents."""
    from data.sample.sample import write_sample

    folder = tmp_path_factory.mktemp("systems")
    write_sample(folder / "sample", 24, 4, 3)
    values = {
        "run": {"name": "tiny", "folder": str(folder / "runs"), "threads": 1},
        "data": {"train": str(folder / "sample/train_data"), "dev_share": 0.5, "max_len": 60},
        "flat": {"hidden": 16, "heads": 2, "feed_forward": 16},
    }
    path = folder / "tiny.yaml"
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    return path


def settings_for(path, base, tmp_path):
    """The base with a system's file, its categories named as the system's questions name them."""
    changes = [f"data.processed={tmp_path}/processed", f"run.folder={tmp_path}/runs", "train.epochs=1",
               "train.select=last"]  # fmt: skip
    deeper = ["encoder.depth=1"] if path.stem.startswith("mrc") else []  # or no question would reach a text
    changes += deeper
    questions = list(load_config([base, WITHOUT_ENCODER, path], deeper).mrc.queries)
    if questions and "name" not in questions:
        path_of = load_config([base]).data.train.path
        train = {"path": path_of, "categories": {"name": questions[0], "email": questions[1]}}
        kept = ", ".join(questions[:2])
        changes += [f"data.train={json.dumps(train)}", f"data.categories=[{kept}]", "mrc.queries="
                    + json.dumps({name: name for name in questions[:2]})]  # fmt: skip
    return load_config([base, WITHOUT_ENCODER, path], changes)


@pytest.mark.parametrize("path", SYSTEMS, ids=lambda path: path.stem)
def test_every_shipped_system_trains_a_step(path, base, tmp_path):
    config = settings_for(path, base, tmp_path)
    processed = prepare(config)
    if is_traditional(config.model.name):
        kind = system_class(config.model.name)
        kind.fit(processed, processed.of_part("train")[:4], tmp_path / kind.filename)
        system = kind.load(tmp_path / kind.filename, RunParts(
            tmp_path, config, processed.categories, processed.vocabulary, processed.lexicon, None, 0, ""
        ))  # fmt: skip
        assert any(system.read(processed.documents, processed.lattices))
        return
    network = fresh_network(config, processed, seed=1)
    optimizer = build_optimizer(network, config.train)
    for group in optimizer.param_groups:
        group["lr"] = group["rate"]
    before = torch.cat([parameter.detach().flatten() for parameter in network.parameters()])
    loss = network(**batch_of(network, samples_of(network, processed), processed)).loss
    loss.backward()
    optimizer.step()
    after = torch.cat([parameter.detach().flatten() for parameter in network.parameters()])
    assert loss.isfinite() and not torch.equal(before, after)


@pytest.mark.parametrize("corpus", ["ccf", "resume", "weibo"])
def test_every_system_fits_every_corpus(corpus, tmp_path):
    of_others = {f"mrc_{other}" for other in ("ccf", "resume", "weibo") if other != corpus}
    paths = [str(path) for path in SYSTEMS if path.stem not in of_others]
    for overlay in ([], [str(WITHOUT_ENCODER)]):
        if overlay:
            paths = [path for path in paths if "mrc" not in path]  # its questions reach a text through an encoder
        systems = systems_of_configs(paths, [f"{ROOT}/configs/{corpus}_small.yaml", *overlay], [], tmp_path)
        folders = {system: load_config(list(files), list(changes)).data.processed
                   for system, (files, changes) in systems.items()}  # fmt: skip
        assert folders["flat"] == folders["bilstm"] == folders["encoder_crf"]
        assert len({folders[system] for system in ("flat", "softlexicon", "softword", "exsoftword", "rules")}) == 5


def test_systems_are_compared_by_one_command(base, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(comparison, "run_script", run_script)
    paths = [str(ROOT / "configs" / "systems" / f"{name}.yaml") for name in ("feature_crf", "rules", "bilstm")]
    out = tmp_path / "out"
    settings = ["--config", str(base), "--config", str(WITHOUT_ENCODER), "--set", "train.epochs=1"]
    assert main(["--mode", "compare", *settings, "--configs", *paths, "--seeds", "1", "--output", str(out)]) == 0
    table = capsys.readouterr().out
    assert (
        "| system | seeds | P | R | F1 | difference to the first | parameters | trains, s | trains, characters/s |"
        in table
    )
    rows = {row["system"]: row for row in csv.DictReader((out / "table.csv").open(encoding="utf-8"))}
    assert list(rows) == ["feature_crf", "rules", "bilstm"]
    for row in rows.values():
        assert row["seeds"] == "1" and float(row["reads, characters/s"]) > 0 and float(row["MiB"]) > 0
    assert float(rows["rules"]["parameters"]) == 0 < float(rows["feature_crf"]["parameters"])
    assert rows["rules"]["trains, characters/s"] == "" and float(rows["bilstm"]["trains, characters/s"]) > 0
    network = json.loads((out / "cells/bilstm_1/fold0/metrics.json").read_text())
    assert float(rows["bilstm"]["parameters"]) == network["parameters"]


@pytest.mark.parametrize(
    ("arguments", "telling"),
    [
        ("--mode compare", "needs --configs FILE"),
        ("--mode compare --configs nowhere.yaml", "no such"),
        ("--mode compare --configs configs/demo.yaml configs/demo.yaml", "two files are called demo"),
        ("--mode train --configs configs/demo.yaml", "does not belong to --mode train"),
    ],
)
def test_bad_command_lines_are_one_line(capsys, monkeypatch, arguments, telling):
    monkeypatch.chdir(ROOT)
    assert main(arguments.split()) == 2
    err = capsys.readouterr().err
    assert telling in err and err.count("\n") == 1
