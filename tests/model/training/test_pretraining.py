"""Masked-language-model training: what is hidden, what is learned, what comes out."""

import shutil

import numpy as np
import pytest
import torch

from data.batches.masking import MASKED, NOT_A_TARGET, REPLACED, MaskedSegments, collate_hidden, hide
from data.lattice.tokenizer import Vocabulary
from data.processed import load_processed
from data.split import make_splits
from main import main
from model.build import fresh_network
from model.pretrained import build_encoder
from model.training import pretraining
from model.training.pretraining import WordFiller, pretrain, word_numbers
from utils.errors import UserError

pytestmark = pytest.mark.slow

VOCABULARY = Vocabulary.from_texts(["天地玄黄宇宙洪荒日月盈昃"], min_count=1)


def test_words_are_numbered_as_the_segmentation_has_them():
    assert word_numbers("我们在北京市").tolist() == [0, 0, 1, 2, 2, 2]
    assert len(word_numbers("a 1\n张三")) == 6


def test_whole_words_are_hidden_about_as_many_characters_as_asked_for():
    random = np.random.default_rng(1)
    words = np.repeat(np.arange(60), random.integers(1, 4, 60))
    tokens = random.integers(5, 17, len(words)).astype(np.int32)
    hidden_share, kinds = [], {"masked": 0, "kept": 0, "random": 0}
    for _ in range(300):
        read, targets = hide(tokens, words, VOCABULARY, 0.15, np.array([16]), random)
        drawn = targets != NOT_A_TARGET
        hidden_share.append(drawn.mean())
        assert (targets[drawn] == tokens[drawn]).all() and (read[~drawn] == tokens[~drawn]).all()
        for word in np.unique(words):
            here = words == word
            assert drawn[here].all() or not drawn[here].any(), "a word is hidden whole or not at all"
            if drawn[here].all() and (tokens[here] != 16).all():
                kind = {VOCABULARY.mask: "masked", 16: "random"}.get(int(read[here][0]), "kept")
                kinds[kind] += 1
    assert 0.15 <= np.mean(hidden_share) < 0.17
    total = sum(kinds.values())
    assert kinds["masked"] / total == pytest.approx(MASKED, abs=0.03)
    assert kinds["random"] / total == pytest.approx(REPLACED, abs=0.03)


def test_what_is_hidden_follows_from_seed_epoch_and_segment():
    tokens = [np.arange(5, 15, dtype=np.int32)] * 2
    words = [np.arange(10)] * 2

    def hidden(seed, epoch, index):
        segments = MaskedSegments(tokens, words, VOCABULARY, 0.3, seed)
        segments.epoch = epoch
        return segments[index].targets.tolist()

    assert hidden(1, 0, 0) == hidden(1, 0, 0)
    assert len({tuple(hidden(*which)) for which in ((1, 0, 0), (1, 0, 1), (1, 1, 0), (2, 0, 0))}) == 4


def test_a_batch_is_padded_and_pads_are_neither_read_nor_asked_for():
    random, common = np.random.default_rng(1), np.array([5])
    segments = [
        hide(np.array([5, 6, 7]), np.array([0, 0, 1]), VOCABULARY, 0.9, common, random),
        hide(np.array([8]), np.array([0]), VOCABULARY, 0.1, common, random),
    ]
    batch = collate_hidden(segments, VOCABULARY)
    assert batch["seen"].tolist() == [[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]]
    assert batch["token_ids"][:, 0].tolist() == [VOCABULARY.begin] * 2
    assert batch["token_ids"][1, 2:].tolist() == [VOCABULARY.end, VOCABULARY.pad, VOCABULARY.pad]
    assert batch["targets"][1].tolist() == [NOT_A_TARGET, 8, *[NOT_A_TARGET] * 3]


def test_the_loss_is_the_cross_entropy_of_the_hidden_characters(pretrained_folder, small_config):
    config = small_config("filler", f"encoder.name={pretrained_folder}")
    torch.manual_seed(1)
    filler = WordFiller(build_encoder(config.encoder, 100, 62, 0).transformer).eval()
    tokens = torch.randint(5, 90, (2, 6))
    targets = torch.full((2, 6), NOT_A_TARGET)
    targets[0, 2], targets[1, 4] = 11, 12
    loss = filler(tokens, targets, torch.ones(2, 6, dtype=torch.long))
    states = filler.transformer(tokens).last_hidden_state
    table = filler.transformer.get_input_embeddings().weight
    expected = 0.0
    for row, place, wanted in ((0, 2, 11), (1, 4, 12)):
        scores = table @ filler.transform(states[row, place]) + filler.bias
        expected -= scores.log_softmax(0)[wanted] / 2
    torch.testing.assert_close(loss, expected)


@pytest.fixture
def config(small_config, pretrained_folder, tmp_path, monkeypatch):
    # Of so little text one segment would be held out, and an epoch would be two batches.
    monkeypatch.setattr(pretraining, "HELD_OUT", 0.1)
    monkeypatch.setattr(pretraining, "BATCH_TOKENS", 600)
    config = small_config("pretrained", f"encoder.name={pretrained_folder}", "pretrain.epochs=8", "pretrain.rate=5e-3")
    config.run.folder, config.run.name = str(tmp_path), "run"  # a folder of its own for each test
    return config


def test_the_encoder_learns_and_training_starts_from_it(config, small_config):
    processed = load_processed(config)
    done = pretrain(config, lambda _: processed)
    assert done.after < done.before - 0.3
    before = fresh_network(config, processed, 1).encoder.transformer.state_dict()
    config.encoder.name = str(config.pretrained_folder)
    after = fresh_network(config, processed, 1).encoder.transformer.state_dict()
    assert before.keys() == after.keys()
    assert not torch.equal(before["encoder.layer.0.output.dense.weight"], after["encoder.layer.0.output.dense.weight"])
    vocabulary = Vocabulary.load(config.pretrained_folder / "vocab.txt")
    assert vocabulary.tokens == processed.vocabulary.tokens


def test_the_rate_follows_the_steps_also_where_no_bar_is_shown(config, monkeypatch):
    asked = []
    monkeypatch.setattr(pretraining, "linear", lambda step, warmup, total: asked.append((step, total)) or 1.0)
    config.pretrain.epochs = 2
    pretrain(config, load_processed)
    steps, totals = zip(*asked, strict=True)
    assert steps == tuple(range(totals[0])) and len(set(totals)) == 1


def test_dev_and_test_texts_are_not_read(config, monkeypatch):
    processed, seen = load_processed(config), []
    monkeypatch.setattr(pretraining, "word_numbers", lambda text: seen.append(text) or np.arange(len(text)))
    config.pretrain.epochs = 1
    pretrain(config, lambda _: processed)
    split = make_splits(processed, config.data, config.folds)[0]
    expected = [
        processed.documents[number].text[begin:end]
        for number, begin, end in processed.segments.tolist()
        if number in split.train
    ]
    assert sorted(seen) == sorted(expected)
    assert split.dev and processed.of_part("test")


def test_the_command(config, tmp_path, capsys):
    from config import save_config

    save_config(config, tmp_path / "config.yaml")
    assert main(["--mode", "pretrain", "--config", str(tmp_path / "config.yaml"), "--set", "pretrain.epochs=1"]) == 0
    out = capsys.readouterr().out
    assert "loss per hidden character" in out and f"encoder.name={tmp_path}/run_encoder" in out
    assert sorted(path.name for path in (tmp_path / "run_encoder").iterdir()) == [
        "config.json", "model.safetensors", "vocab.txt",
    ]  # fmt: skip


def test_only_an_encoder_of_ours_is_replaced_and_that_is_known_before_the_work(config, monkeypatch, pretrained_folder):
    processed, folder = load_processed(config), config.pretrained_folder
    config.pretrain.epochs = 1
    shutil.copytree(pretrained_folder, folder)
    (folder / "tokenizer.json").unlink(missing_ok=True)
    with pytest.raises(UserError, match=r"holds config\.json, which this program has not made and does not replace"):
        pretrain(config, lambda _: processed)
    assert (folder / "model.safetensors").read_bytes() == (pretrained_folder / "model.safetensors").read_bytes()
    shutil.rmtree(folder)
    pretrain(config, lambda _: processed)
    pretrain(config, lambda _: processed)
    monkeypatch.setattr("model.training.pretraining.build_encoder", lambda *_: pytest.fail("the work began"))
    (folder / "thesis.txt").write_text("mine")
    with pytest.raises(UserError, match=r"holds thesis\.txt, which would be lost; set run\.folder to another"):
        pretrain(config, lambda _: processed)
    assert (folder / "thesis.txt").read_text() == "mine"


@pytest.fixture
def stopped(monkeypatch):
    """A function: pretrain, and stop after a number of epochs."""

    def go(config, epochs):
        save = pretraining._MaskedTraining._save

        def stop(training, folder, epoch):
            save(training, folder, epoch)
            if epoch + 1 == epochs:
                raise KeyboardInterrupt

        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(pretraining._MaskedTraining, "_save", stop)
            pretrain(config, load_processed)

    return go


def test_a_stopped_pretraining_goes_on_to_the_same_weights(config, stopped):
    config.pretrain.epochs = 3
    whole, weights = pretrain(config, load_processed), config.pretrained_folder / "model.safetensors"
    expected = weights.read_bytes()
    shutil.rmtree(config.pretrained_folder)
    for epochs in (1, 2):
        stopped(config, epochs)
        resumed = pretrain(config, load_processed, go_on=True)
        assert weights.read_bytes() == expected
        assert (resumed.before, resumed.after) == (whole.before, whole.after)
        assert not (config.pretrained_folder / "resume").exists()


def test_a_pretraining_with_other_settings_does_not_go_on(config, stopped):
    config.pretrain.epochs = 2
    stopped(config, 1)
    config.pretrain.rate = 1e-3
    with pytest.raises(UserError, match="belongs to other settings or data; start without --resume"):
        pretrain(config, load_processed, go_on=True)
    pretrain(config, load_processed)


def test_a_loss_that_is_no_number_stops_the_pretraining(config):
    config.pretrain.epochs, config.pretrain.rate, config.train.clip = 1, 1e30, 0.0
    with pytest.raises(UserError, match=r"the loss is (nan|inf); lower pretrain\.rate"):
        pretrain(config, load_processed)
    assert not config.pretrained_folder.exists()


def test_what_cannot_be_pretrained_is_one_line(config, small_config):
    processed = load_processed(config)
    with pytest.raises(UserError, match=r"encoder\.name is scratch"):
        pretrain(small_config("scratch"), lambda _: pytest.fail("data was read"))
    processed.vocabulary.mask = None
    with pytest.raises(UserError, match=r"no \[MASK\]"):
        pretrain(config, lambda _: processed)
