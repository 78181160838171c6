"""The protocol that makes a score believable, from fresh weights for each fold to a test part that chooses nothing.

Public code for this task is known to break each of these rules. Modules have further tests of their own.
"""

from __future__ import annotations

import contextlib
import itertools
import pickle

import numpy as np
import pytest
import torch
from accelerate.utils import send_to_device

from config import load_config
from data.batches.positions import relative_positions
from data.batches.tags import TagScheme
from data.corpus.document import Document
from data.lattice.segment import cut_spans, segment_bounds
from data.lattice.vectors import read_vectors
from data.metrics import score_spans
from data.problems import Problems
from data.processed import load_processed
from data.sample.sample import write_sample
from data.spans import ScoredSpan, Span
from data.split import make_splits
from model import load_tagger
from model.build import fresh_network
from model.layers.attention import RelativeAttention
from model.layers.crf import ChainCRF
from model.layers.position import RelativePositions
from model.model import parameter_groups
from model.prepare import prepare
from model.reading.vote import vote
from model.run_folder import load_tensors, write_tensors
from model.training import network_fold
from model.training.folds import train
from model.training.optimizer import build_optimizer
from tests.model.batches import batch_of, samples_of
from tests.model.watched import equal, weights

pytestmark = pytest.mark.slow

SMALL = [
    "encoder.name=scratch", "encoder.hidden=16", "encoder.heads=2", "encoder.depth=1", "encoder.feed_forward=32",
    "flat.hidden=16", "flat.heads=2", "flat.feed_forward=32", "lexicon.dimension=8", "data.max_len=66",
    "folds.count=3", "train.epochs=3", "train.batch_size=32", "run.threads=1",
    "averaging.method=swa", "averaging.start_epoch=0", "train.select=swa",
]  # fmt: skip


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """Settings with three folds and a test part, and the processed sample corpus that belongs to them."""
    home = tmp_path_factory.mktemp("protocol")
    write_sample(home / "sample", 30, 4, 3)
    config = load_config([], [
        *SMALL, f"data.train={home}/sample/train_data", f"data.test={home}/sample/test_data",
        f"data.processed={home}/processed", f"run.folder={home}/runs", "run.name=protocol",
    ])  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        refuse_pickles(patch)
        prepare(config)
    return config, load_processed(config)


def refuse_pickles(patch):
    """Reading or writing a pickle fails."""

    def refuse(*_, **__):
        raise AssertionError("a pickle was read or written")

    for name in ("load", "loads", "dump", "dumps"):
        patch.setattr(pickle, name, refuse)
    for name in ("Pickler", "Unpickler"):  # libraries that are imported meanwhile may derive from them
        patch.setattr(pickle, name, type(name, (getattr(pickle, name),), {"__init__": refuse}))
    patch.setattr(torch, "load", refuse)
    patch.setattr(torch, "save", refuse)


@pytest.fixture(scope="module")
def trained(prepared):
    """The first fold of a run: its settings, the documents it trained on, and those it was scored on in each epoch."""
    config, processed = prepared
    trained_on, scored_on = [], []
    dataset, score = network_fold.SegmentDataset, network_fold.score_network

    def watch_dataset(processed, documents, labeller):
        trained_on.extend(documents)
        return dataset(processed, documents, labeller)

    def watch_score(network, dev, **more):
        scored_on.append(list(dev))
        return score(network, dev=dev, **more)

    with pytest.MonkeyPatch.context() as patch:
        refuse_pickles(patch)
        patch.setattr(network_fold, "SegmentDataset", watch_dataset)
        patch.setattr(network_fold, "score_network", watch_score)
        train(config, processed, only_fold=0)
    return config, trained_on, scored_on


def training_batch(network, processed, count=4):
    return batch_of(network, samples_of(network, processed, count), processed)


def test_a_fold_starts_from_fresh_weights(prepared):
    config, processed = prepared
    first = fresh_network(config, processed, seed=5)
    before = {name: tensor.clone() for name, tensor in first.state_dict().items()}
    optimizer = build_optimizer(first, config.train)
    first(**training_batch(first, processed)).loss.backward()
    for group in optimizer.param_groups:
        group["lr"] = 0.1
    optimizer.step()
    second = fresh_network(config, processed, seed=5)
    assert any(not torch.equal(before[name], tensor) for name, tensor in first.state_dict().items())
    assert all(torch.equal(before[name], tensor) for name, tensor in second.state_dict().items())


def test_a_frozen_encoder_gets_no_gradient(prepared):
    config, processed = prepared
    network = fresh_network(config, processed, seed=5)
    network.encoder.freeze(network.encoder.depth + 1)
    network(**training_batch(network, processed)).loss.backward()
    assert all(parameter.grad is None for parameter in network.encoder.transformer.parameters())
    assert network.head.emission.weight.grad is not None


def test_the_position_fusion_learns_and_its_biases_start_small(prepared):
    config, processed = prepared
    network = fresh_network(config, processed, seed=5)
    fusion = network.flat.positions.fusion.project.weight
    assert any(parameter is fusion for parameter in parameter_groups(network)["other"])
    before = fusion.detach().clone()
    optimizer = build_optimizer(network, config.train)
    for group in optimizer.param_groups:
        group["lr"] = group["rate"]
    network(**training_batch(network, processed)).loss.backward()
    optimizer.step()
    assert not torch.equal(before, fusion)
    attention = RelativeAttention(hidden=160, heads=8)
    assert max(attention.content_bias.std().item(), attention.position_bias.std().item()) < 0.1


def test_a_distance_means_the_same_whatever_the_padding():
    rows = RelativePositions(8, max_distance=30)
    of_word = []
    for length in (6, 25):
        distances, index = relative_positions(length, np.array([[2]]), np.array([[4]]))
        of_word.append(rows(torch.from_numpy(distances))[index[0, :6, length]])  # six characters seen with the word
    torch.testing.assert_close(*of_word)


def test_votes_of_two_documents_do_not_add_up():
    span = ScoredSpan("name", 3, 4, 0.9)
    first, second = [[span], [], []], [[], [span], [span]]  # three models on two documents
    assert vote(first, min_votes=0.5) == []
    assert [voted[:3] for voted in vote(second, min_votes=0.5)] == [("name", 3, 4)]


def test_out_of_fold_means_unseen_and_doubtful_labels_do_not_reach_the_loss(prepared):
    config, processed = prepared
    splits = make_splits(processed, config.data, config.folds)
    for split in splits:
        assert not set(split.train) & set(split.dev)
    assert sorted(itertools.chain(*(split.dev for split in splits))) == processed.of_part("train")
    # The mask reaches the loss: with the labels masked, what stands in them no longer matters.
    network = fresh_network(config, processed, seed=5).eval()
    batch = training_batch(network, processed)
    tags = batch["labels"]["tags"]
    labelled = tags != 0
    changed = batch | {"labels": {"tags": torch.where(labelled, 0, tags)}}
    assert network(**batch).loss != network(**changed).loss
    unknown = labelled.any(dim=2, keepdim=True).expand_as(labelled).contiguous()
    masked = [one | {"labels": one["labels"] | {"unknown": unknown}} for one in (batch, changed)]
    torch.testing.assert_close(*(network(**one).loss for one in masked))


def test_the_crf_mask_stays_a_prefix():
    crf = ChainCRF(TagScheme("per_type", ["name"]))
    emissions, tags = torch.randn(1, 3, 4), torch.tensor([[0, 1, 3]])
    mask, unknown = torch.ones(1, 3, dtype=torch.bool), torch.tensor([[False, True, False]])
    # The middle character may be anything, but it still stands between its neighbours: O ? E leaves only O B E.
    only_path = crf.loss(emissions, tags, mask)
    torch.testing.assert_close(crf.loss(emissions, tags, mask, unknown), only_path, rtol=1e-4, atol=1e-4)


def test_weights_load_under_the_names_they_were_saved_with(prepared, tmp_path):
    config, processed = prepared
    network, other = (fresh_network(config, processed, seed=seed) for seed in (1, 2))
    write_tensors(network.state_dict(), tmp_path / "model.safetensors")
    other.load_state_dict(load_tensors(tmp_path / "model.safetensors"), strict=True)
    assert all(torch.equal(tensor, other.state_dict()[name]) for name, tensor in network.state_dict().items())


def test_averaged_weights_are_written_and_read_where_they_are_selected(trained):
    config, _, _ = trained
    averaged = weights(config, "swa")
    assert averaged.keys() == weights(config).keys() and not equal(averaged, weights(config))
    (reader,) = load_tagger(config.run_folder).readers
    assert equal(reader.network.state_dict(), averaged)


def test_no_entity_is_cut_and_no_text_truncated():
    text = "甲" * 55 + "乙丙丁戊己庚" + "。" + "辛" * 40
    span = Span("name", 55, 60)
    bounds = segment_bounds(text, [span], max_len=58)
    assert "".join(text[begin:end] for begin, end in bounds) == text
    assert cut_spans([span], bounds) == []
    # tests/model/test_tagger.py: every span of a long text is found once, to the end of 100,000 characters.


@pytest.mark.parametrize("head", ["crf", "softmax", "span"])
@pytest.mark.parametrize("system", ["flat", "bilstm", "softlexicon"])
def test_a_forward_and_backward_pass_copies_nothing_from_the_device(prepared, monkeypatch, system, head):
    """`meta` stands for an accelerator: its tensors hold no data, so a copy of one to the processor fails."""
    config, processed = prepared
    config = load_config([], [*SMALL, f"model.name={system}", f"model.head={head}"])
    network = fresh_network(config, processed, seed=5)
    batch = send_to_device(training_batch(network, processed), "meta")
    network.to("meta")
    # The encoder of transformers looks into its mask, and autocast does not know this device.
    monkeypatch.setattr(
        network.encoder, "encode", lambda ids, seen: torch.zeros(*ids.shape, network.encoder.size, device="meta")
    )
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: contextlib.nullcontext())
    loss = network(**batch).loss
    loss.backward()
    assert loss.device.type == "meta"


def test_no_pickle_is_read_or_written(trained, monkeypatch):
    """Processing and training refuse pickles in the fixtures."""
    config, _, _ = trained
    refuse_pickles(monkeypatch)
    load_processed(config)
    load_tagger(config.run_folder).predict(["张三在北京。"])


def test_only_the_wanted_words_of_a_vector_file_are_kept(tmp_path):
    path = tmp_path / "vectors.txt"
    path.write_text("".join(f"词{number} {number} 0.5\n" for number in range(1000)), encoding="utf-8")
    read = read_vectors(path, {"词7", "词9"}, Problems())
    assert read.words == ["词7", "词9"] and read.matrix.shape == (2, 2)


def test_scores_compare_positions_not_strings():
    document = Document("0", "李明见李明", (Span("name", 0, 1),))
    wrong_place = [ScoredSpan("name", 3, 4, 1.0)]  # the same string
    assert score_spans([document.spans], [wrong_place]).micro.f1 == 0.0


def test_the_test_part_neither_trains_nor_chooses(prepared, trained):
    _, processed = prepared
    _, trained_on, scored_on = trained
    test = set(processed.of_part("test"))
    assert test and not test & set(trained_on)
    assert len(scored_on) == 2 * 3, "the network and its average, in every epoch"
    first = make_splits(processed, prepared[0].data, prepared[0].folds)[0]
    assert all(documents == first.dev for documents in scored_on) and not test & set(first.dev)
    assert not set(trained_on) & set(first.dev)
