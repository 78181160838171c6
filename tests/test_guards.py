"""The eleven defects that the design lists, each shown not to be here.

What needs a trained run is in tests/model; this file holds the defects together and names where the rest is tested.
"""

from __future__ import annotations

import ast
import itertools
from pathlib import Path

import numpy as np
import pytest
import torch

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
from model.build import fresh_network
from model.layers.attention import RelativeAttention
from model.layers.crf import ChainCRF
from model.layers.position import RelativePositions
from model.model import parameter_groups
from model.prepare import prepare
from model.reading.vote import vote
from model.run_folder import load_tensors, save_tensors
from model.training.optimizer import build_optimizer
from tests.model.batches import batch_of, samples_of

ROOT = Path(__file__).parent.parent
SMALL = [
    "encoder.name=scratch", "encoder.hidden=16", "encoder.heads=2", "encoder.depth=1", "encoder.feed_forward=32",
    "flat.hidden=16", "flat.heads=2", "flat.feed_forward=32", "lexicon.dimension=8", "data.max_len=60",
    "predict.overlap=20", "folds.count=3",
]  # fmt: skip


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """Settings with three folds and the processed sample corpus that belongs to them."""
    home = tmp_path_factory.mktemp("defects")
    write_sample(home / "sample", 30, 4, 3)
    config = load_config([], [*SMALL, f"data.train={home}/sample/train_data", f"data.processed={home}/processed"])
    prepare(config)
    return config, load_processed(config)


def training_batch(network, processed, count=4):
    return batch_of(network, samples_of(network, processed, count), processed)


def test_1_every_fold_has_a_network_of_its_own(prepared):
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
    # tests/model/test_trainer.py: a fold trained after another ends like one trained alone.


def test_2_a_frozen_encoder_gets_no_gradient(prepared):
    config, processed = prepared
    network = fresh_network(config, processed, seed=5)
    network.encoder.freeze(network.encoder.depth + 1)
    network(**training_batch(network, processed)).loss.backward()
    assert all(parameter.grad is None for parameter in network.encoder.transformer.parameters())
    assert network.head.emission.weight.grad is not None
    # tests/model/test_trainer.py: it does not move through whole epochs, and then does.


def test_3_the_position_fusion_learns_and_its_biases_start_small(prepared):
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


def test_4_a_distance_means_the_same_whatever_the_padding():
    rows = RelativePositions(8, max_distance=30)
    of_word = []
    for length in (6, 25):
        distances, index = relative_positions(length, np.array([[2]]), np.array([[4]]))
        of_word.append(rows(torch.from_numpy(distances))[index[0, :6, length]])  # six characters seen with the word
    torch.testing.assert_close(*of_word)


def test_5_votes_of_two_documents_do_not_add_up():
    span = ScoredSpan("name", 3, 4, 0.9)
    first, second = [[span], [], []], [[], [span], [span]]  # three models on two documents
    assert vote(first, min_votes=0.5) == []
    assert [voted[:3] for voted in vote(second, min_votes=0.5)] == [("name", 3, 4)]


def test_6_out_of_fold_means_unseen_and_doubtful_labels_are_really_not_believed(prepared):
    config, processed = prepared
    splits = make_splits(processed, config)
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


def test_7_the_crf_mask_stays_a_prefix():
    crf = ChainCRF(TagScheme("per_type", ["name"]))
    emissions, tags = torch.randn(1, 3, 4), torch.tensor([[0, 1, 3]])
    mask, unknown = torch.ones(1, 3, dtype=torch.bool), torch.tensor([[False, True, False]])
    # The middle character may be anything, but it still stands between its neighbours: O ? E leaves only O B E.
    only_path = crf.loss(emissions, tags, mask)
    torch.testing.assert_close(crf.loss(emissions, tags, mask, unknown), only_path, rtol=1e-4, atol=1e-4)


def test_8_weights_load_under_the_names_they_were_saved_with(prepared, tmp_path):
    config, processed = prepared
    network, other = (fresh_network(config, processed, seed=seed) for seed in (1, 2))
    save_tensors(network.state_dict(), tmp_path / "model.safetensors")
    other.load_state_dict(load_tensors(tmp_path / "model.safetensors"), strict=True)
    assert all(torch.equal(tensor, other.state_dict()[name]) for name, tensor in network.state_dict().items())
    # Averaged weights are not built yet; with them comes the test that they are written.


def test_9_no_entity_is_cut_and_no_text_truncated():
    text = "甲" * 55 + "乙丙丁戊己庚" + "。" + "辛" * 40
    span = Span("name", 55, 60)
    bounds = segment_bounds(text, [span], max_len=58)
    assert "".join(text[begin:end] for begin, end in bounds) == text
    assert cut_spans([span], bounds) == []
    # tests/model/test_tagger.py: every span of a long text is found once, to the end of 100,000 characters.


def test_10_no_device_copies_in_the_network_and_no_pickle_anywhere():
    def calls(path: Path) -> set[str]:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        return {node.func.attr for node in ast.walk(tree) if isinstance(node, ast.Call) and hasattr(node.func, "attr")}

    layers = [*(ROOT / "model/layers").glob("*.py"), ROOT / "model/model.py"]
    assert len(layers) > 5
    # A recurrence takes its steps on the processor, and asks once a pass how many words each has.
    needed = {"lattice_lstm.py": {"tolist"}}
    for path in layers:
        copies = calls(path) & {"item", "tolist", "cuda", "cpu", "numpy"}
        assert copies == needed.get(path.name, set()), path
    sources = [path for room in ("model", "utils", "data") for path in (ROOT / room).rglob("*.py")]
    for path in [*sources, ROOT / "main.py", ROOT / "preprocess.py"]:
        text = path.read_text(encoding="utf-8")
        assert "torch.load(" not in text and "import pickle" not in text and ".cuda()" not in text, path


def test_10_of_a_vector_file_only_the_wanted_words_are_kept(tmp_path):
    path = tmp_path / "vectors.txt"
    path.write_text("".join(f"词{number} {number} 0.5\n" for number in range(1000)), encoding="utf-8")
    read = read_vectors(path, {"词7", "词9"}, Problems())
    assert read.words == ["词7", "词9"] and read.matrix.shape == (2, 2)


def test_11_scores_compare_positions_not_strings():
    document = Document("0", "李明见李明", (Span("name", 0, 1),))
    wrong_place = [ScoredSpan("name", 3, 4, 1.0)]  # the same string
    assert score_spans([document.spans], [wrong_place]).micro.f1 == 0.0


def test_11_the_test_part_chooses_nothing(prepared, tmp_path):
    """The test part is neither in a split nor ever handed to training's evaluation."""
    config, processed = prepared
    parts = ["test" if number < 5 else part for number, part in enumerate(processed.parts)]
    processed.parts, own = parts, processed.parts
    try:
        for split in make_splits(processed, config):
            assert not set(range(5)) & set(split.train + split.dev)
    finally:
        processed.parts = own
    assert np.isin(processed.parts, ["train"]).all()
