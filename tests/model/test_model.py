"""The network as a whole: groups of parameters, invariances, and what each switch does."""

import dataclasses

import numpy as np
import pytest
import torch

from data.batches.word_sets import word_frequencies
from data.processed import load_processed
from model.build import fresh_network
from model.model import parameter_groups
from model.training.optimizer import build_optimizer
from tests.model.batches import batch_of, samples_of

SWITCHES = [
    [], ["model.name=encoder"], ["model.head=softmax"], ["model.head=span"],
    ["model.name=encoder", "model.head=softmax"], ["model.name=encoder", "model.head=span", "span.shared=false"],
    ["crf.scheme=bmes"], ["encoder.output=mix"], ["encoder.output=0"], ["flat.layers=2", "flat.fusion=gate"],
    ["model.name=bilstm", "encoder.depth=0"], ["model.name=bilstm", "context.kind=transformer"],
    ["model.name=softword", "lexicon.match=segment"], ["model.name=exsoftword"], ["model.name=softlexicon"],
    ["model.name=softlexicon", "context.kind=none"], ["model.name=lattice_lstm"],
    ["model.name=lr_cnn", "context.layers=4"],
    ["lexicon.tags=lac"], ["model.name=encoder", "lexicon.tags=lac"], ["model.name=softlexicon", "lexicon.tags=lac"],
]  # fmt: skip


@pytest.fixture(scope="module")
def setting(small_config):
    """A function: changes -> (network, training batch of 5 segments, config, processed data)."""

    def make(*changes):
        config = small_config("model", *changes)
        processed = load_processed(config)
        network = fresh_network(config, processed, seed=1)
        return network, samples_of(network, processed, 5), config, processed

    return make


@pytest.mark.parametrize("switches", SWITCHES, ids=lambda switches: ",".join(switches) or "all on")
def test_every_parameter_is_in_exactly_one_group_and_gets_a_gradient(setting, switches):
    network, samples, config, processed = setting(*switches)
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    grouped = [id(parameter) for group in parameter_groups(network).values() for parameter in group]
    assert sorted(grouped) == sorted(names)
    optimized = build_optimizer(network, config.train).param_groups
    assert sorted(id(parameter) for group in optimized for parameter in group["params"]) == sorted(names)
    decaying = [names[id(parameter)] for group in optimized if group["weight_decay"] for parameter in group["params"]]
    assert decaying and not [name for name in decaying if "bias" in name]  # an LSTM's are named bias_ih_l0 and so on
    network(**batch_of(network, samples, processed)).loss.backward()
    still = {name for name, parameter in network.named_parameters() if parameter.grad is None}
    expected = set()
    if "encoder.output=0" in switches:  # layers above the chosen one are not used
        expected = {name for name in names.values() if ".encoder.layer." in name}
    assert still == expected


@torch.no_grad()
def test_a_text_counts_for_its_weight(setting):
    network, samples, _, processed = setting()
    network.eval()
    alone = [network(**batch_of(network, [sample], processed)).loss * len(sample.lattice.tokens)
             for sample in samples]  # fmt: skip
    weighted = [sample._replace(weight=0.5 * number) for number, sample in enumerate(samples)]
    loss = network(**batch_of(network, weighted, processed)).loss
    characters = sum(len(sample.lattice.tokens) for sample in samples)
    expected = sum(0.5 * number * one for number, one in enumerate(alone)) / characters
    torch.testing.assert_close(loss, expected, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_belief_reaches_the_loss_of_its_chain(setting):
    network, samples, _, processed = setting()
    network.eval()
    chains = len(samples[0].labels.tags)

    def relabelled(samples, **changes):
        return [sample._replace(labels=sample.labels._replace(**{
            name: change(sample.labels) for name, change in changes.items()})) for sample in samples]  # fmt: skip

    unknown = relabelled(samples, unknown=lambda labels: np.ones_like(labels.unknown))
    believed = relabelled(unknown, belief=lambda labels: np.eye(chains, dtype=np.float32)[0])

    def loss_of(samples):
        return network(**batch_of(network, samples, processed)).loss

    first_chain = relabelled(
        samples, unknown=lambda labels: np.arange(chains)[:, None].repeat(labels.tags.shape[1], 1) > 0
    )
    assert loss_of(unknown).item() == pytest.approx(0, abs=1e-4)
    torch.testing.assert_close(loss_of(believed), loss_of(first_chain), rtol=1e-4, atol=1e-5)


def test_rates_follow_the_module(setting):
    network, _, config, _ = setting()
    of = {
        id(parameter): (group["rate"], group["weight_decay"])
        for group in build_optimizer(network, config.train).param_groups
        for parameter in group["params"]
    }
    rates = {name: of[id(parameter)] for name, parameter in network.named_parameters()}
    settings = config.train
    assert rates["encoder.transformer.embeddings.word_embeddings.weight"][0] == settings.encoder_rate
    assert rates["flat.positions.fusion.project.weight"] == (settings.other_rate, settings.weight_decay)
    assert rates["flat.layers.0.attention.content_bias"] == (settings.other_rate, 0.0)
    assert rates["flat.norm.weight"] == (settings.other_rate, 0.0)
    assert rates["head.crf.transitions"] == (settings.crf_rate, 0.0)


@torch.no_grad()
@pytest.mark.parametrize("switches", [*SWITCHES[:4], *SWITCHES[10:]], ids=lambda own: ",".join(own) or "all on")
def test_a_batch_equals_its_samples(setting, switches):
    network, samples, _, processed = setting(*switches)
    network.eval()
    batch = batch_of(network, samples, processed)
    together = network(**batch)
    total = 0.0
    for row, sample in enumerate(samples):
        alone = network(**batch_of(network, [sample], processed))
        length = len(sample.lattice.tokens)
        same = together.scores[row, :, :length]
        if "model.head=span" in switches:
            same = same[:, :, :length]
        torch.testing.assert_close(alone.scores[0], same, rtol=1e-4, atol=1e-4)
        total += alone.loss * length
    torch.testing.assert_close(together.loss, total / batch["character_mask"].sum(), rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_more_padding_changes_nothing(setting):
    network, samples, _, processed = setting()
    network.eval()
    samples = sorted(samples, key=lambda sample: len(sample.lattice.tokens))
    batch = batch_of(network, samples[:-1], processed)
    # A longer text in the batch pads the others; its own row is then taken out.
    padded = batch_of(network, samples, processed)
    padded["labels"] = {name: tensor[:-1] for name, tensor in padded["labels"].items()}
    padded |= {name: padded[name][:-1] for name in padded.keys() - {"distances", "labels"}}
    plain, more = network(**batch), network(**padded)
    length = batch["character_mask"].shape[1]
    assert padded["character_mask"].shape[1] > length
    keep = batch["character_mask"][:, None, :, None]
    torch.testing.assert_close(more.scores[:, :, :length] * keep, plain.scores * keep, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(more.loss, plain.loss, rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_nothing_known_costs_nothing(setting):
    network, samples, _, processed = setting()
    batch = batch_of(network, samples, processed)
    batch["labels"]["unknown"] = torch.ones_like(batch["labels"]["tags"], dtype=torch.bool)
    assert network.eval()(**batch).loss.item() == pytest.approx(0.0, abs=1e-5)


@pytest.mark.half_precision
@pytest.mark.parametrize(
    "switches",
    [[], ["model.head=softmax"], ["model.head=span"], ["model.head=span", "span.shared=false"],
     ["model.name=bilstm"], ["model.name=softlexicon"], ["model.name=lattice_lstm"],
     ["model.name=lr_cnn", "context.layers=4"], ["model.name=mrc"]],
    ids=lambda own: ",".join(own) or "all on",
)  # fmt: skip
def test_half_precision_keeps_the_loss_close_and_in_float32(setting, switches):
    network, samples, _, processed = setting(*switches)
    network.eval()
    batch = batch_of(network, samples, processed)
    full = network(**batch)
    with torch.autocast("cpu", torch.bfloat16):
        half = network(**batch)
    assert half.scores.dtype == half.loss.dtype == torch.float32
    assert not torch.equal(half.scores, full.scores)  # something was computed in half precision
    torch.testing.assert_close(half.loss, full.loss, rtol=0.02, atol=0.02)


@torch.no_grad()
def test_a_tag_moves_the_scores_of_its_characters_once_it_has_learned(setting):
    network, samples, _, processed = setting("model.name=encoder", "lexicon.tags=lac")
    network.eval()
    batch = batch_of(network, samples, processed)
    plain, mask = network(**batch).scores, batch["character_mask"]  # (B, C, L, T), (B, L)
    number = batch["tags"][0, 2]
    assert not network.tags.weight.any()
    network.tags.weight[number] = 1.0
    moved = (network(**batch).scores - plain).abs().amax(dim=(1, 3)) > 1e-4  # (B, L)
    assert torch.equal(moved & mask, (batch["tags"] == number) & mask)


def test_word_vectors_start_the_embeddings(setting):
    network, _, _, _ = setting()
    vectors = torch.randn(network.words.num_embeddings - 1, 8)
    network.load_word_vectors(vectors)
    assert torch.equal(network.words.weight[1:], vectors)
    assert not network.words.weight[0].any()
    with pytest.raises(ValueError, match="do not fit"):
        network.load_word_vectors(vectors[:-1])


def test_word_frequencies_are_those_of_the_texts_that_training_may_read(setting):
    network, _, _, processed = setting("model.name=softlexicon")

    def counted(*parts):
        documents = [document for part in parts for document in processed.of_part(part)]
        return word_frequencies(processed.lattices, documents, len(processed.lexicon.words))

    frequencies = network.features.frequencies.long().numpy()
    assert (frequencies == counted("train", "additional", "unlabelled")).all()
    assert (frequencies != counted("train", "test")).any()


def test_word_vectors_begin_with_the_length_asked_for_however_long_they_came(setting):
    _, _, config, processed = setting("model.name=softlexicon", "lexicon.length=2")
    vectors = np.random.default_rng(0).normal(3, 7, size=(len(processed.lexicon.words), 8)).astype(np.float32)
    as_drawn = fresh_network(config, processed, seed=1).words.weight.detach()
    from_file = fresh_network(config, dataclasses.replace(processed, vectors=vectors), seed=1).words.weight.detach()
    for table in (as_drawn, from_file):
        assert table[1:].square().sum(dim=1).mean().item() == pytest.approx(4.0, rel=1e-5)
        assert not table[0].any()  # the pad
    expected = vectors * 2 / np.sqrt((np.linalg.norm(vectors, axis=1) ** 2).mean())
    torch.testing.assert_close(from_file[1:], torch.from_numpy(expected))


def test_networks_without_words_or_with_none_are_not_scaled(setting):
    setting("model.name=encoder", "lexicon.length=1")
    network, *_ = setting("lexicon.length=1", "lexicon.shortest=12")
    assert network.words.weight.shape[0] == 1 and not network.words.weight.any()
