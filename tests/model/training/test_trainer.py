"""Training: steps, freezing, stopping, resuming, folds."""

import json
import os
import pathlib
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
import transformers
import yaml

from config import load_config
from data.corpus.document import to_jsonl
from data.processed import load_processed
from data.sample.sample import make_documents
from data.split import make_splits
from model import load_tagger
from model.prepare import prepare
from model.reading.evaluation import score_split
from model.run_folder import fold_folder, load_parts, weights_path
from model.training.folds import train
from model.training.trainer import Trainer
from tests.model.watched import Witness, equal, weights
from utils.device import has_bf16
from utils.errors import UserError
from utils.random_states import random_states

pytestmark = pytest.mark.slow

ROOT = pathlib.Path(__file__).parents[3]
CONFIGS = sorted(path for path in (ROOT / "configs").glob("*.yaml") if path.name != "local.yaml")


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(plain_run, run):
    plain, _ = plain_run
    same, _ = run("same_seed")
    other, _ = run("other_seed", "run.seed=7")
    assert equal(weights(plain), weights(same))
    assert not equal(weights(plain), weights(other))


def test_a_resumed_run_ends_where_an_uninterrupted_one_does(run, interrupted):
    whole, metrics = run("whole", "train.epochs=3")
    interrupted("stopped", "train.epochs=3")
    resumed, resumed_metrics = run("stopped", "train.epochs=3", go_on=True)
    assert equal(weights(whole), weights(resumed))
    assert equal(weights(whole, "best"), weights(resumed, "best"))
    scores = [[epoch["f1"] for epoch in one[0]["history"]] for one in (metrics, resumed_metrics)]
    assert scores[0] == scores[1] and len(scores[0]) == 3
    assert not (fold_folder(resumed.run_folder, 0) / "resume").exists()


def test_what_the_optimizer_kept_goes_where_its_parameters_are():
    """The step count too, which a fused optimizer counts on the device. `meta` stands for an accelerator here."""
    trainer = object.__new__(Trainer)
    trainer.network, trainer.callbacks = torch.nn.Linear(2, 1, bias=False, device="meta"), []
    trainer.optimizer = torch.optim.AdamW(trainer.network.parameters())
    kept = {"step": torch.tensor(3.0), "exp_avg": torch.ones(1, 2), "exp_avg_sq": torch.ones(1, 2)}
    trainer.load_training_tensors(random_states() | {f"optimizer.{key}.weight": value for key, value in kept.items()})
    loaded = trainer.optimizer.state[trainer.network.weight]
    assert loaded.keys() == kept.keys()
    assert {tensor.device.type for tensor in loaded.values()} == {"meta"}


def test_a_stop_while_the_last_epoch_is_tidied_away_is_no_end(plain_run, run, monkeypatch):
    whole, _ = plain_run
    unlink, removed = pathlib.Path.unlink, []

    def stop_at_the_second(path, *given, **how):
        if path.parent.name == "resume" and fold_folder(path.parents[2], 0).joinpath("last").exists():
            removed.append(path.name)
            if len(removed) == 2:
                raise KeyboardInterrupt
        unlink(path, *given, **how)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(pathlib.Path, "unlink", stop_at_the_second)
        run("tidied_halfway")
    resumed, _ = run("tidied_halfway", go_on=True)
    assert equal(weights(whole), weights(resumed))


def test_a_finished_fold_is_not_trained_again(plain_run, run):
    config, metrics = plain_run
    before = weights_path(fold_folder(config.run_folder, 0), "last").stat().st_mtime_ns
    assert run("plain", go_on=True)[1] == metrics
    assert weights_path(fold_folder(config.run_folder, 0), "last").stat().st_mtime_ns == before


@pytest.mark.usefixtures("plain_run")
def test_a_run_does_not_go_on_with_other_settings(run):
    with pytest.raises(UserError, match=r"train\.other_rate 0\.01, not 0\.5"):
        run("plain", "train.other_rate=0.5", go_on=True)


def test_a_run_does_not_go_on_from_another_encoder_in_the_same_place(run, pretrained_folder, tmp_path):
    encoder = shutil.copytree(pretrained_folder, tmp_path / "encoder")
    change = [f"encoder.name={encoder}", "train.epochs=1"]
    run("pretrained_again", *change)
    assert run("pretrained_again", *change, go_on=True)[1]
    other = transformers.AutoModel.from_pretrained(encoder)
    torch.nn.init.zeros_(other.embeddings.word_embeddings.weight)
    other.save_pretrained(encoder)
    with pytest.raises(UserError, match=r"began with other weights than .*encoder holds now"):
        run("pretrained_again", *change, go_on=True)


def test_rates_warm_up_and_decay_with_optimizer_steps_not_batches(run):
    witness = Witness()
    config, _ = run("rates", "train.accumulation=3", "train.warmup=0.25", "train.epochs=4", witness=witness)
    processed = load_processed(config)
    documents = make_splits(processed, config.data, config.folds)[0].train
    segments = int(np.isin(processed.segments[:, 0], documents).sum())
    batches = -(-segments // config.train.batch_size)
    total = 4 * -(-batches // 3)
    assert len(witness.rates) == total
    warmup = round(0.25 * total)
    expected = [(n + 1) / (warmup + 1) if n < warmup else (total - n) / (total - warmup) for n in range(total)]
    measured = [rates[0] / config.train.encoder_rate for rates in witness.rates]
    assert measured == pytest.approx(expected)


def test_a_frozen_encoder_does_not_move_and_then_does(run, pretrained_folder):
    change = [f"encoder.name={pretrained_folder}", "train.epochs=3", "train.freeze_epochs=2"]
    witness = Witness()
    run("frozen", *change, witness=witness)
    pretrained = transformers.AutoModel.from_pretrained(pretrained_folder).state_dict()
    assert all(torch.equal(pretrained[name], tensor) for name, tensor in witness.encoders[0].items())
    assert equal(witness.encoders[0], witness.encoders[1])
    still, free = witness.encoders[1:]
    moved = [name for name in still if not torch.equal(still[name], free[name])]
    assert any("attention" in name for name in moved)


def test_early_stopping_stops_after_patience_and_keeps_the_best(run):
    config, metrics = run("patience", "train.epochs=30", "train.patience=2", "train.encoder_rate=1e-12",
                          "train.other_rate=1e-12", "train.crf_rate=1e-12")  # fmt: skip
    assert len(metrics[0]["history"]) == 3  # nothing is learned: the first epoch stays the best
    assert metrics[0]["best_epoch"] == 1
    assert weights(config, "best").keys() == weights(config, "last").keys()


def test_early_stopping_waits_for_the_average_that_was_asked_for(run):
    config, metrics = run("patience_swa", "train.epochs=5", "train.patience=1", "train.select=swa",
                          "averaging.method=swa", "averaging.start_epoch=2", "train.encoder_rate=1e-12",
                          "train.other_rate=1e-12", "train.crf_rate=1e-12")  # fmt: skip
    assert len(metrics[0]["history"]) == 3 and weights(config, "swa")
    assert "chosen on this part" in score_split([load_parts(config.run_folder)], "dev").note


def test_best_and_last_are_what_they_say(run):
    witness = Witness()
    config, metrics = run("best", "train.epochs=4", witness=witness)
    scores = [epoch["f1"] for epoch in metrics[0]["history"]]
    best = max(range(4), key=lambda epoch: (scores[epoch], -epoch))
    assert metrics[0]["best_epoch"] == best + 1
    prefix = "encoder.transformer."
    for select, epoch in (("best", best), ("last", 3)):
        stored = {name: tensor for name, tensor in weights(config, select).items() if name.startswith(prefix)}
        assert equal({name[len(prefix) :]: tensor for name, tensor in stored.items()}, witness.encoders[epoch])


def test_every_fold_starts_from_a_network_of_its_own(run):
    both, _ = run("folds", "folds.count=2", "train.epochs=1")
    alone, metrics = run("folds_alone", "folds.count=2", "train.epochs=1", fold=1)
    assert len(metrics) == 1 and metrics[0]["fold"] == 1
    assert equal(weights(both, fold=1), weights(alone, fold=1))
    with pytest.raises(UserError, match="folds 0 to 1"):
        run("folds_alone", "folds.count=2", "train.epochs=1", fold=2)


def test_training_again_leaves_nothing_of_the_training_before(run):
    config, _ = run("again")
    stray = fold_folder(config.run_folder, 0) / "resume" / "state.json"
    stray.parent.mkdir()
    stray.write_text("{}")
    run("again", "train.epochs=1")
    assert not stray.exists()


@pytest.mark.parametrize(("change", "telling"), [("model.name=flatt", "flatt"), ("encoder.output=5", "encoder.output")])
def test_a_training_that_is_refused_costs_no_earlier_one(run, change, telling):
    config, _ = run("kept", "train.epochs=1")
    before = weights(config)
    with pytest.raises(UserError, match=telling):
        run("kept", "train.epochs=1", change)
    assert equal(weights(config), before) and load_parts(config.run_folder).config == config


def test_a_batch_size_larger_than_the_data_gives_one_short_batch(run):
    witness = Witness()
    config, _ = run("large", "train.batch_size=500", "train.epochs=2", witness=witness)
    assert len(witness.rates) == 2, "a step in each epoch"
    log = (fold_folder(config.run_folder, 0) / "train.log").read_text(encoding="utf-8")
    assert " segments in 1 batches" in log
    assert not equal(*witness.encoders), "the batch was trained on"


def test_batches_by_token_budget_and_the_share_of_padding_that_is_reported(plain_run, run):
    _, by_count = plain_run
    config, by_tokens = run("by_tokens", "train.epochs=2", "train.batch_tokens=480")
    assert all(0 < metrics[0]["padding_share"] < 0.2 for metrics in (by_count, by_tokens))
    assert by_tokens[0]["history"][1]["loss"] < by_tokens[0]["history"][0]["loss"]
    log = (fold_folder(config.run_folder, 0) / "train.log").read_text(encoding="utf-8")
    assert f", padding {100 * by_tokens[0]['padding_share']:.1f}%" in log


def test_batches_prepared_by_other_processes_are_the_same(plain_run, run):
    alone, _ = plain_run
    helped, _ = run("with_workers", "run.workers=2")
    assert equal(weights(alone), weights(helped))


@pytest.mark.half_precision
@pytest.mark.parametrize("system", ["flat", "bilstm"])
def test_half_precision_trains_close_to_full_precision(run, system):
    changes = [f"model.name={system}", "train.epochs=1"]
    full, (of_full,) = run(f"{system}_full", *changes, "train.precision=float32")
    half, (of_half,) = run(f"{system}_half", *changes, "train.precision=bf16")
    assert not equal(weights(full), weights(half))
    assert of_half["history"][0]["loss"] == pytest.approx(of_full["history"][0]["loss"], rel=0.05)


@pytest.mark.half_precision
def test_precision_auto_is_the_fastest_that_the_processor_has(run):
    chosen = "bf16" if has_bf16(torch.device("cpu")) else "float32"
    auto, _ = run("auto", "train.epochs=1", "train.precision=auto")
    explicit, _ = run("explicit", "train.epochs=1", f"train.precision={chosen}")
    assert equal(weights(auto), weights(explicit))


@pytest.mark.half_precision
def test_reading_takes_the_machines_precision_whatever_training_took(small_config, run):
    config, _ = run("read_anywhere", "train.epochs=1", "train.precision=bf16")
    (reader,) = load_tagger(config.run_folder).readers
    assert reader.half == has_bf16(torch.device("cpu"))


TWO_PROCESSES = """
import json, sys
from config import load_config
from data.corpus.document import to_jsonl
from model.training.folds import train
from data.processed import load_processed
from data.sample.sample import make_documents
from data.split import make_splits

for name, changes in json.loads(sys.argv[2]).items():
    config = load_config([sys.argv[1]], [f"run.name={name}", *changes])
    # Past the check that a scratch encoder is not worth freezing: what is frozen does not matter here.
    config.train.freeze_epochs = int(name == "frozen")
    train(config, load_processed(config))
"""


def test_two_processes_train_one_network_also_where_parts_of_it_get_no_gradients(small_config, sample_folder, tmp_path):
    config = small_config("alone", "folds.count=0")
    wordless = small_config("wordless", "lexicon.shortest=12")
    cases = {
        "frozen": [],
        "lower_layer": ["encoder.output=1"],
        "no_words": ["model.name=lattice_lstm", "lexicon.shortest=12", f"data.processed={wordless.data.processed}"],
        "no_tags_in_the_second_pass": ["adversarial.method=vat"],
    }
    settings = {
        "run": {"folder": str(tmp_path), "threads": 1},
        "encoder": {"name": "scratch", "hidden": 16, "heads": 2, "depth": 2, "feed_forward": 32},
        "flat": {"hidden": 16, "heads": 2, "feed_forward": 32},
        "lexicon": {"dimension": 8},
        "data": {
            "train": f"{sample_folder}/train_data", "test": f"{sample_folder}/test_data", "max_len": 66,
            "processed": config.data.processed,
        },
        "train": {"epochs": 2, "batch_size": 32},
    }  # fmt: skip
    (tmp_path / "two.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    (tmp_path / "two.py").write_text(TWO_PROCESSES, encoding="utf-8")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"}
    done = subprocess.run(
        [*command, str(tmp_path / "two.py"), str(tmp_path / "two.yaml"), json.dumps(cases)],
        env=environment, cwd=ROOT, capture_output=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    for name in cases:
        both = json.loads((tmp_path / name / "fold0" / "metrics.json").read_text())
        log = (tmp_path / name / "fold0" / "train.log").read_text().splitlines()
        assert len(both["history"]) == 2 and len(log) == 4  # one process wrote


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_shipped_config_trains_a_step(path, sample_folder, pretrained_folder, tmp_path):
    """On the sample corpus, with a tiny encoder where the config names one of a hub; all else as shipped."""
    shipped = yaml.safe_load(path.read_text(encoding="utf-8"))
    encoder = shipped["encoder"]["name"]
    changes = [
        f"data.train={sample_folder}/train_data", "data.unlabelled.path=", f"run.folder={tmp_path}/runs",
        f"data.processed={tmp_path}/processed", "train.epochs=1", "train.batch_size=64", "run.threads=1",
    ]  # fmt: skip
    if shipped["data"].get("dev"):
        changes.append(f"data.dev={sample_folder}/test_data")
    if shipped["data"].get("test"):
        changes.append(f"data.test={sample_folder}/test_data")
    if encoder != "scratch":
        changes.append(f"encoder.name={pretrained_folder}")
    if shipped["data"].get("gold"):
        document = make_documents(1, 7, "train")[0]
        gold = to_jsonl([replace(document, spans=document.spans[:1])])
        (tmp_path / "gold.jsonl").write_text(gold, encoding="utf-8")
        changes.append(f"data.gold={tmp_path}/gold.jsonl")
    if shipped.get("folds"):
        changes.append(f"folds.count={0 if shipped['data'].get('dev') else 2}")  # of a dev part votes only denoising
    config = load_config([path], changes)
    prepare(config)
    metrics = train(config, load_processed(config), only_fold=0)
    assert metrics[0]["history"][0]["loss"] > 0
    shutil.rmtree(tmp_path / "runs")


def test_the_shown_loss_is_the_mean_of_the_last_batches(run):
    """Fewer batches than it looks back on, so it is the loss of the epoch."""
    shown = []

    class Reader(Witness):
        def on_epoch_trained(self, trainer):
            shown.append(trainer.recent_loss())

    _, (metrics,) = run("shown_loss", "train.epochs=1", witness=Reader())
    assert shown == [pytest.approx(metrics["history"][0]["loss"])]


def test_the_bar_is_hidden_by_its_environment_variable(run, capsys):
    """conftest.py sets TQDM_DISABLE, which an explicit `disable` would overrule."""
    run("no_bar", "train.epochs=1")
    assert "step/s" not in capsys.readouterr().err
