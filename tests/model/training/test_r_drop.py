"""R-Drop, multi-sample dropout and label smoothing, each against its formula."""

import pytest
import torch

from data.processed import load_processed
from model.build import fresh_network
from model.layers.divergence import kl_divergence
from model.training.r_drop import r_drop
from tests.model.batches import batch_of, samples_of

pytestmark = pytest.mark.slow


@pytest.fixture
def setting(small_config):
    """A function: changes -> (network in float64, batch)."""

    def make(*changes):
        config = small_config("regularised", *changes)
        processed = load_processed(config)
        network = fresh_network(config, processed, seed=1).double().train()
        return network, batch_of(network, samples_of(network, processed), processed)

    return make


WITHOUT_DROPOUT = ["model.dropout=0", "flat.dropout=0"]


def still(network):
    """No dropout, though in training."""
    for module in network.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
        if hasattr(module, "attention_probs_dropout_prob"):
            module.attention_probs_dropout_prob = 0.0
    return network


def test_r_drop_without_dropout_is_the_plain_loss(setting):
    network, batch = setting()
    still(network)
    output = r_drop(network, lambda twice: network(**twice), batch, 3.0)
    torch.testing.assert_close(output.loss, network(**batch).loss)
    assert len(output.scores) == 2 * len(batch["token_ids"])


def test_r_drop_is_the_mean_loss_and_the_mean_divergence(setting):
    network, batch = setting()
    output = r_drop(network, lambda twice: network(**twice), batch, 3.0)
    one, other = output.scores.chunk(2)
    losses = [network.head.loss(scores, batch["character_mask"], batch["labels"]) for scores in (one, other)]
    mask, scores = network.head.chain_mask(batch["character_mask"]), network.head.crf.scores
    pairs = ((one, other), (other, one))
    apart = [kl_divergence(p.flatten(0, 1), q.flatten(0, 1), mask, scores).sum() for p, q in pairs]
    assert min(apart) > 0.01
    expected = sum(losses) / 2 + 3.0 * sum(apart) / 2 / batch["character_mask"].sum()
    torch.testing.assert_close(output.loss, expected)


def test_several_dropout_samples_share_all_below_and_average_their_losses(setting):
    plain, batch = setting(*WITHOUT_DROPOUT)
    several, _ = setting(*WITHOUT_DROPOUT, "regularisation.dropout_samples=3")
    torch.testing.assert_close(still(several)(**batch).loss, still(plain)(**batch).loss)
    several.head.dropout.p = 0.5
    drawn = []
    several.head.dropout.register_forward_hook(lambda module, inputs, output: drawn.append((inputs[0], output)))
    output = several(**batch)
    assert len(drawn) == 3
    assert torch.equal(drawn[0][0], drawn[1][0]) and not torch.equal(drawn[0][1], drawn[1][1])
    several.eval()
    losses = [
        several.head.loss(several.head.scores(dropped, batch["character_mask"]), batch["character_mask"],
                          batch["labels"])
        for _, dropped in drawn
    ]  # fmt: skip
    torch.testing.assert_close(output.loss, sum(losses) / 3, rtol=1e-5, atol=1e-5)  # emissions are float32
    drawn.clear()
    several(**batch)
    assert len(drawn) == 1, "one sample is enough without dropout"


def test_label_smoothing_against_loops(setting):
    network, batch = setting(*WITHOUT_DROPOUT, "regularisation.label_smoothing=0.1")
    still(network)
    output = network(**batch)
    total = 0.0
    for text, mask in zip(output.scores, batch["character_mask"], strict=True):
        for chain in text:
            for emissions, here in zip(chain, mask, strict=True):
                if here:
                    probabilities = (emissions - emissions.logsumexp(0)).exp()
                    total -= sum(probability.log() for probability in probabilities) / len(probabilities)
    smooth = total / batch["character_mask"].sum()
    network.eval()
    plain = network(**batch).loss
    torch.testing.assert_close(output.loss, 0.9 * plain + 0.1 * smooth, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "changes",
    [["regularisation.r_drop=1"], ["regularisation.dropout_samples=4"], ["regularisation.label_smoothing=0.1"],
     ["regularisation.r_drop=1", "regularisation.dropout_samples=2", "regularisation.label_smoothing=0.05"]],
)  # fmt: skip
def test_each_trains(run, changes):
    _, metrics = run("regularised_run", *changes)
    losses = [epoch["loss"] for epoch in metrics[0]["history"]]
    assert losses[1] < losses[0]
