"""Rates: schedules, layer-wise decay and unfreezing, each against its formula."""

import math

import pytest

from config import AveragingConfig, TrainConfig, load_config
from data.processed import load_processed
from model.build import fresh_network
from model.training.callbacks.freeze import FreezeEncoder
from model.training.optimizer import build_optimizer
from model.training.schedule import Schedule, constant, cosine, cyclic, linear
from tests.model.watched import Witness

pytestmark = pytest.mark.slow

WARMUP, TOTAL = 4, 20


def test_each_schedule_is_its_formula():
    for step in range(TOTAL + 3):
        rising = (step + 1) / (WARMUP + 1)
        done = min(1.0, (step - WARMUP) / (TOTAL - WARMUP))
        expected = (1 - done, (1 + math.cos(math.pi * done)) / 2, 1.0) if step >= WARMUP else (rising,) * 3
        found = [schedule(step, WARMUP, TOTAL) for schedule in (linear, cosine, constant)]
        assert found == pytest.approx(expected, abs=1e-12)


def test_a_cycle_falls_from_full_to_low_and_begins_again():
    assert [cyclic(step, 4, 0.2) for step in range(5)] == pytest.approx([0.8, 0.6, 0.4, 0.2, 0.8])


@pytest.mark.parametrize("name", ["linear", "cosine", "constant"])
def test_training_follows_the_schedule(run, name):
    witness = Witness()
    config, _ = run(f"schedule_{name}", f"train.schedule={name}", "train.warmup=0.25", witness=witness)
    total = len(witness.rates)
    expected = [{"linear": linear, "cosine": cosine, "constant": constant}[name](step, round(total / 4), total)
                for step in range(total)]  # fmt: skip
    assert [rates[0] / config.train.encoder_rate for rates in witness.rates] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("averaging", "expected"),
    [
        (AveragingConfig(method="swa", start_epoch=1), None),
        (AveragingConfig(method="swa", start_epoch=1, rate="constant"), [0.5] * 8),
        (AveragingConfig(method="swa", start_epoch=1, rate="cyclic"), [0.875, 0.75, 0.625, 0.5] * 2),
        (AveragingConfig(method="swa", start_epoch=1, rate="cyclic", unit="step"), [0.5] * 8),
    ],
    ids=["as scheduled", "constant", "cyclic by epoch", "cyclic by step"],
)
def test_rates_while_weights_are_averaged(averaging, expected):
    train = TrainConfig(epochs=3, warmup=0.0)
    schedule = Schedule(train, averaging, steps_per_epoch=4)
    factors = [schedule.factor(step) for step in range(12)]
    plain = [linear(step, 0, 12) for step in range(12)]
    assert factors[:4] == plain[:4]
    assert factors[4:] == pytest.approx(expected or plain[4:])


@pytest.fixture
def network(pretrained_folder, small_config):
    config = small_config("rates", f"encoder.name={pretrained_folder}")
    return fresh_network(config, load_processed(small_config("rates")), seed=1)  # three layers


def rates_by_name(network, settings):
    rate_of = {
        id(parameter): group["rate"]
        for group in build_optimizer(network, settings).param_groups
        for parameter in group["params"]
    }
    return {name: rate_of[id(parameter)] for name, parameter in network.named_parameters()}


def test_every_encoder_layer_learns_slower_than_the_one_above(network):
    rates = rates_by_name(network, TrainConfig(encoder_rate=1e-4, layer_decay=0.5))
    for layer in range(3):
        own = {rate for name, rate in rates.items() if f"encoder.layer.{layer}." in name}
        assert list(own) == pytest.approx([1e-4 * 0.5 ** (2 - layer)])
    below = {rate for name, rate in rates.items() if ".embeddings." in name}
    assert list(below) == pytest.approx([1e-4 * 0.5**3])
    others = {name for name in rates if not name.startswith("encoder.transformer.")}
    plain = rates_by_name(network, TrainConfig(encoder_rate=1e-4))
    assert all(rates[name] == plain[name] for name in others)
    assert {rate for name, rate in plain.items() if name not in others} == {1e-4}


def test_the_encoder_thaws_from_the_top():
    callback = FreezeEncoder(epochs=2, every=2)
    assert [callback.lowest(epoch, depth=3) for epoch in range(11)] == [4, 4, 3, 3, 2, 2, 1, 1, 0, 0, 0]
    at_once = FreezeEncoder(epochs=2)
    assert [at_once.lowest(epoch, depth=3) for epoch in range(4)] == [4, 4, 0, 0]
    assert FreezeEncoder(epochs=0).lowest(0, depth=3) == 0


def test_what_is_frozen_gets_no_gradient(network):
    def trained():
        return {name for name, parameter in network.encoder.named_parameters() if parameter.requires_grad}

    everything = trained()
    network.encoder.freeze(2)
    assert trained() == {name for name in everything if "layer.1." in name or "layer.2." in name}
    network.encoder.freeze(4)
    assert not trained()
    network.encoder.freeze(0)
    assert trained() == everything


@pytest.mark.parametrize(
    ("changes", "telling"),
    [
        ("train.layer_decay=1.5", "at most 1"),
        ("train.layer_decay=0", "greater than 0"),
        ("train.unfreeze_every=1", "because train.freeze_epochs is 0"),
        ("train.schedule=step", "linear, cosine, constant"),
    ],
)
def test_contradictions_are_one_line(changes, telling):
    with pytest.raises(Exception, match=telling):
        load_config([], changes.split())
