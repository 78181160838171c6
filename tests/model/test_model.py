"""The network as a whole: groups of parameters, invariances, and what each switch does."""

import dataclasses
import shutil

import numpy as np
import pytest
import safetensors.torch
import torch

from config import load_config
from data.batches.word_sets import word_frequencies
from data.processed import load_processed
from model.build import fresh_network
from model.model import parameter_groups
from model.pretrained import build_encoder
from model.training.optimizer import build_optimizer
from tests.model.batches import batch_of, samples_of
from utils.errors import UserError

SWITCHES = [
    [], ["model.name=encoder"], ["model.head=softmax"], ["model.head=span"],
    ["model.name=encoder", "model.head=softmax"], ["model.name=encoder", "model.head=span", "span.shared=false"],
    ["crf.scheme=bmes"], ["encoder.output=mix"], ["encoder.output=0"], ["flat.layers=2", "flat.fusion=gate"],
    ["model.name=bilstm", "encoder.depth=0"], ["model.name=bilstm", "context.kind=transformer"],
    ["model.name=softword", "lexicon.match=segment"], ["model.name=exsoftword"], ["model.name=softlexicon"],
    ["model.name=softlexicon", "context.kind=none"], ["model.name=lattice_lstm"],
    ["model.name=lr_cnn", "context.layers=4"],
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


class TestEncoder:
    """Encoders from a local folder."""

    def build(self, folder, *changes):
        config = load_config([], [f"encoder.name={folder}", *changes])
        return build_encoder(config.encoder, 3000, config.data.max_len + 2, pad=0)

    def test_it_is_cut_to_its_first_layers(self, pretrained_folder):
        whole, cut = self.build(pretrained_folder), self.build(pretrained_folder, "encoder.layers=2")
        states, kept = whole.transformer.state_dict(), cut.transformer.state_dict()
        assert {name for name in states if ".layer.2." in name} == set(states) - set(kept) != set()
        assert all(torch.equal(states[name], kept[name]) for name in kept)

    @torch.no_grad()
    def test_layer_k_of_the_whole_is_the_last_of_the_cut(self, pretrained_folder):
        tokens, mask = torch.randint(5, 3000, (2, 9)), torch.ones(2, 7, dtype=torch.bool)
        cut = self.build(pretrained_folder, "encoder.layers=2").eval()(tokens, mask)
        one = self.build(pretrained_folder, "encoder.output=2").eval()(tokens, mask)
        torch.testing.assert_close(cut, one)

    @torch.no_grad()
    def test_a_fresh_mix_is_the_mean_of_all_layers(self, pretrained_folder):
        tokens, mask = torch.randint(5, 3000, (2, 9)), torch.ones(2, 7, dtype=torch.bool)
        mixed = self.build(pretrained_folder, "encoder.output=mix").eval()(tokens, mask)
        layers = [self.build(pretrained_folder, f"encoder.output={k}").eval()(tokens, mask) for k in range(4)]
        torch.testing.assert_close(mixed, torch.stack(layers).mean(0))

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ("encoder.layers=4", "has 3 layers"),
            ("encoder.output=4", "layers 0 (embeddings) to 3"),
            ("data.max_len=151", "at most 152"),
        ],
    )
    def test_what_does_not_fit_is_said(self, pretrained_folder, change, message):
        with pytest.raises(UserError) as caught:
            self.build(pretrained_folder, change)
        assert message in str(caught.value) and "\n" not in str(caught.value)

    def test_no_encoder_names_id_path_and_mirror(self, tmp_path):
        with pytest.raises(UserError) as caught:
            self.build(tmp_path)
        message = str(caught.value)
        assert str(tmp_path) in message and "encoder.name=PATH" in message and "HF_ENDPOINT" in message
        assert "\n" not in message

    def test_pickled_weights_are_not_read(self, pretrained_folder, tmp_path):
        encoder = self.build(pretrained_folder)
        encoder.transformer.config.save_pretrained(tmp_path)
        torch.save(encoder.transformer.state_dict(), tmp_path / "pytorch_model.bin")
        with pytest.raises(UserError, match="safetensors"):
            self.build(tmp_path)

    def refusal(self, folder):
        """The one line with which an encoder is refused."""
        with pytest.raises(UserError) as caught:
            self.build(folder)
        assert str(folder) in str(caught.value) and "\n" not in str(caught.value)
        return str(caught.value)

    @pytest.mark.parametrize("remains", [2000, -10, 0], ids=["header cut", "data cut", "empty"])
    def test_weights_that_were_cut_are_refused(self, pretrained_folder, tmp_path, remains):
        shutil.copytree(pretrained_folder, tmp_path, dirs_exist_ok=True)
        whole = (pretrained_folder / "model.safetensors").read_bytes()
        (tmp_path / "model.safetensors").write_bytes(whole[:remains])
        assert "encoder.name=PATH" in self.refusal(tmp_path)

    def test_weights_that_are_none_are_refused(self, pretrained_folder, tmp_path):
        shutil.copytree(pretrained_folder, tmp_path, dirs_exist_ok=True)
        (tmp_path / "model.safetensors").write_text("no weights\n" * 100)
        assert "encoder.name=PATH" in self.refusal(tmp_path)

    def changed(self, whole, folder, change):
        """A copy of an encoder with other weights: change gives those of a name, or none."""
        shutil.copytree(whole, folder, dirs_exist_ok=True)
        weights = safetensors.torch.load_file(whole / "model.safetensors")
        weights = {name: change(name, tensor) for name, tensor in weights.items()}
        kept = {name: tensor for name, tensor in weights.items() if tensor is not None}
        safetensors.torch.save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
        return folder

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda name, tensor: None if ".layer.1." in name else tensor, "lack 16 of its tensors"),
            (lambda name, tensor: tensor[:-1].clone() if "word" in name else tensor, "lack 1 of its tensors"),
            (lambda name, tensor: None if "pooler" not in name else tensor, "lack 53 of its tensors"),
        ],
        ids=["a layer less", "another shape", "another model"],
    )
    def test_weights_of_another_model_are_refused(self, pretrained_folder, tmp_path, change, message):
        refused = self.refusal(self.changed(pretrained_folder, tmp_path, change))
        assert message in refused and "encoder.name=PATH" in refused

    def test_a_pooler_is_not_missed(self, pretrained_folder, tmp_path):
        bare = self.changed(pretrained_folder, tmp_path, lambda name, tensor: None if "pooler" in name else tensor)
        whole, bare = self.build(pretrained_folder).state_dict(), self.build(bare).state_dict()
        assert whole.keys() == bare.keys() and all(torch.equal(whole[name], bare[name]) for name in whole)


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
