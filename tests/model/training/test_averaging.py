"""Weight averaging: the means are those computed by hand, they are scored, saved, chosen and resumed."""

import json

import pytest
import torch

from config import load_config
from data.metrics import Score, Scores
from model import load_tagger
from model.run_folder import fold_folder, selected_epoch
from model.training import network_fold
from tests.model.watched import Witness, equal, weights

pytestmark = pytest.mark.slow

SWA = ["averaging.method=swa", "averaging.start_epoch=1", "train.epochs=4"]
FROM_THE_START = ["averaging.start_epoch=0"]
PER_STEP = ["averaging.unit=step"]


def averaged_by_hand(networks, method, decay=0.9):
    """Of the weights at each update, with a plain loop over updates."""
    mean = {name: tensor.double() for name, tensor in networks[0].items()}
    for number, network in enumerate(networks[1:], 1):
        for name, tensor in network.items():
            if method == "swa":
                mean[name] = (mean[name] * number + tensor) / (number + 1)
            else:
                mean[name] = decay * mean[name] + (1 - decay) * tensor
    return mean


@pytest.mark.parametrize(
    ("changes", "which"),
    [
        (SWA, lambda steps, epoch: steps[2 * epoch - 1 :: epoch]),
        ([*SWA, *FROM_THE_START], lambda steps, epoch: steps[epoch - 1 :: epoch]),
        ([*SWA, *PER_STEP], lambda steps, epoch: steps[epoch:]),
        ([*SWA, "averaging.method=ema", "averaging.decay=0.9", *PER_STEP], lambda steps, epoch: steps[epoch:]),
    ],
    ids=["every epoch after the first", "every epoch", "every step", "ema"],
)
def test_the_average_is_the_one_computed_by_hand(run, changes, which):
    witness = Witness(every_step=True)
    config, _ = run("averaged", *changes, witness=witness)
    taken = which(witness.networks, len(witness.networks) // 4)
    assert len(taken) > 1
    method = config.averaging.method
    expected = averaged_by_hand(taken, method)
    stored = weights(config, method)
    assert stored.keys() == expected.keys()
    for name, tensor in stored.items():
        torch.testing.assert_close(tensor.double(), expected[name], rtol=1e-5, atol=1e-6)
    assert not equal(stored, weights(config))


def test_averaging_does_not_touch_training(plain_run, run):
    with_average, _ = run("with_average", "averaging.method=swa")
    assert weights(with_average, "swa")
    plain, _ = plain_run
    assert equal(weights(with_average), weights(plain))


def test_the_average_is_scored_and_chosen_by_setting_or_by_dev_score(run):
    config, metrics = run("scored", *SWA, "train.select=swa")
    history = metrics[0]["history"]
    assert ["swa_f1" in epoch for epoch in history] == [False, True, True, True]
    best = max((epoch.get(f"{prefix}f1", -1), prefix) for epoch in history for prefix in ("", "swa_"))
    state = metrics[0]
    assert best[0] == history[state["best_epoch"] - 1][{"last": "f1", "swa": "swa_f1"}[state["best_weights"]]]
    shown = selected_epoch(state)
    assert (shown["epoch"], shown["f1"]) == (4, history[3]["swa_f1"])
    assert selected_epoch(state | {"selected": "best"})["f1"] == best[0]
    assert selected_epoch(state | {"selected": "last"})["f1"] == history[3]["f1"]
    network = load_tagger(config.run_folder).readers[0].network.state_dict()
    assert equal(network, weights(config, "swa"))


def test_where_the_average_is_best_it_is_saved_as_the_best(run, monkeypatch):
    """Scores are made up: the network's fall, the average's rise."""

    calls = []

    def score(network, **_):
        calls.append(network)
        right = 50 + len(calls) if network is not calls[0] else 50 - len(calls)
        return {"dev": Scores(Score(right, 100, 100), {})}

    monkeypatch.setattr(network_fold, "score_network", score)
    config, metrics = run("best_average", *SWA)
    assert (metrics[0]["best_epoch"], metrics[0]["best_weights"]) == (4, "swa")
    assert equal(weights(config, "best"), weights(config, "swa"))


def test_a_resumed_average_ends_where_an_unbroken_one_does(run, interrupted):
    changes = [*SWA, "averaging.start_epoch=0", "train.epochs=3"]
    whole, _ = run("average_whole", *changes)
    interrupted("average_stopped", *changes)
    resumed, _ = run("average_stopped", *changes, go_on=True)
    assert equal(weights(whole, "swa"), weights(resumed, "swa"))
    stored = [json.loads((fold_folder(config.run_folder, 0) / "metrics.json").read_text())
              for config in (whole, resumed)]  # fmt: skip
    scores = [[epoch["swa_f1"] for epoch in one["history"]] for one in stored]
    assert scores[0] == scores[1]


@pytest.mark.parametrize(
    ("changes", "telling"),
    [
        ("averaging.method=swa averaging.start_epoch=10", r"start_epoch \(10\) must be less than train.epochs"),
        ("averaging.method=ema averaging.decay=1", "less than 1"),
        ("averaging.method=ema", "more than half of the first weights is left"),
        ("averaging.method=ema averaging.decay=0.5 averaging.rate=cyclic", "must be schedule unless"),
        ("averaging.rate=constant", "must be schedule unless"),
        ("train.select=swa", r"averaging.method \(none\) must be swa"),
        ("train.select=ema averaging.method=swa", r"averaging.method \(swa\) must be ema"),
    ],
)
def test_contradictions_are_one_line(changes, telling):
    with pytest.raises(Exception, match=telling) as refused:
        load_config([], changes.split())
    assert type(refused.value).__name__ == "UserError" and "\n" not in str(refused.value)
