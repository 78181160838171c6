"""A training that begins with the weights of another: what is carried over, by name, and which texts it has seen."""

import shutil

import numpy as np
import pytest
import torch

from config import load_config
from data.lattice.tokenizer import SPECIALS
from data.processed import load_processed
from data.split import make_splits
from model.build import fresh_network, load_network
from model.heads.chains import ChainHead
from model.heads.span import SpanHead
from model.reading.evaluation import score_split
from model.reading.predictor import Predictor
from model.run_folder import fold_folder, load_parts, read_metrics, trained_folds
from model.start_from import NOTES, SEEN, _copy, carry_over, digests_of
from model.training.folds import train
from utils.errors import UserError

OLD, NEW = ["name", "address", "QQ"], ["email", "QQ", "name"]
HEADS = {
    "crf": (ChainHead, ["model.head=crf"]),
    "softmax": (ChainHead, ["model.head=softmax"]),
    "one chain": (ChainHead, ["model.head=crf", "crf.scheme=bmes"]),
    "span": (SpanHead, ["model.head=span"]),
    "span, not shared": (SpanHead, ["model.head=span", "span.shared=false"]),
}


def carried_head(kind, settings):
    """The head of the old categories, and the one of the new ones after the copy."""
    config = load_config([], settings)
    torch.manual_seed(1)
    old, new = (kind(config, categories, 6) for categories in (OLD, NEW))
    before, now = old.dimension_names(), new.dimension_names()
    tensors = dict(old.named_parameters())
    for name, parameter in new.named_parameters():
        _copy(tensors[name].data, parameter.data, before.get(name, ()), now.get(name, ()))
    return old, new


@torch.no_grad()
@pytest.mark.parametrize("name", HEADS)
def test_scores_of_categories_that_both_have_are_equal(name):
    """The oracle asks the heads: whatever their tensors look like, the scores of a category do not change."""
    old, new = carried_head(*HEADS[name])
    states, mask = torch.randn(2, 5, 6), torch.ones(2, 5, dtype=torch.bool)
    before, after = old.scores(states, mask), new.scores(states, mask)
    for category in ("name", "QQ"):
        one, other = OLD.index(category), NEW.index(category)
        if name == "one chain":
            for tag in range(1, 5):
                torch.testing.assert_close(before[:, 0, :, 4 * one + tag], after[:, 0, :, 4 * other + tag])
        else:
            torch.testing.assert_close(before[:, one], after[:, other])


def test_transitions_of_one_chain_follow_their_tags():
    old, new = carried_head(*HEADS["one chain"])

    def place(categories, tag):
        return 0 if tag == "O" else 4 * categories.index(tag[2:]) + 1 + "BMES".index(tag[0])

    tags = ["O", *(f"{letter}-{category}" for category in ("name", "QQ") for letter in "BMES")]
    for before in tags:
        for after in tags:
            was = old.crf.transitions[place(OLD, before), place(OLD, after)]
            assert was == new.crf.transitions[place(NEW, before), place(NEW, after)]
        assert old.crf.start_transitions[place(OLD, before)] == new.crf.start_transitions[place(NEW, before)]
        assert old.crf.end_transitions[place(OLD, before)] == new.crf.end_transitions[place(NEW, before)]


# ------------------------------------------------------------------------------------------------------ whole networks

NETWORKS = [
    [], ["crf.scheme=bmes"], ["model.head=span"], ["model.name=encoder"], ["model.name=softlexicon"],
    ["model.name=lattice_lstm"], ["model.name=mrc"], ["train.select=last"],
]  # fmt: skip


def predictions(network, processed, config):
    device = torch.device("cpu")
    predictor = Predictor.from_settings(
        network, processed.vocabulary, processed.categories, device, config.data.max_len, config.predict
    )
    return predictor.predict(processed.lattices, processed.of_part("test"))


@pytest.mark.parametrize("settings", NETWORKS, ids=lambda settings: " ".join(settings) or "flat")
def test_with_the_same_data_a_network_begins_exactly_as_the_other_ended(run, small_config, settings):
    name = "begin_" + "_".join(settings).replace(".", "_").replace("=", "_")
    config, _ = run(name, "train.epochs=1", *settings)
    parts, processed = load_parts(config.run_folder), load_processed(config)
    weights = trained_folds(config.run_folder, config.train.select)[0]
    network = fresh_network(config, processed, seed=99)
    carried = carry_over(network, processed.lexicon.words, processed.vocabulary, parts, weights)
    assert carried.tensors == carried.of and not carried.fresh and not any(carried.new.values())
    before = load_network(parts, weights)
    states = before.state_dict()  # with what is counted in the corpora, which the fresh network has counted itself
    assert all(torch.equal(states[name], value) for name, value in network.state_dict().items())
    assert predictions(network.eval(), processed, config) == predictions(before, processed, config)


def test_other_categories_words_and_tokens_are_carried_over_by_name(run, small_config, sample_folder):
    config, _ = run("few", "train.epochs=1", "data.categories=[name, QQ, company]")
    parts, weights = load_parts(config.run_folder), trained_folds(config.run_folder, "best")[0]
    before = load_network(parts, weights)
    others = ["data.categories=[email, QQ, name, address]", f"data.additional=[{sample_folder}/test_data]"]
    more = small_config("more", *others, "data.additional_leaks=keep", "data.max_len=70")
    processed = load_processed(more)
    network = fresh_network(more, processed, seed=5)
    fresh = {name: parameter.clone() for name, parameter in network.named_parameters()}
    carried = carry_over(network, processed.lexicon.words, processed.vocabulary, parts, weights)
    assert carried.new["categories"] == ["email", "address"]
    assert set(carried.new["words"]) == set(processed.lexicon.words) - set(parts.lexicon.words) != set()
    old_rows = {word: row for row, word in enumerate(parts.lexicon.words, start=1)}
    for row, word in enumerate(processed.lexicon.words, start=1):
        own = network.words.weight[row]
        assert torch.equal(own, before.words.weight[old_rows[word]] if word in old_rows else fresh["words.weight"][row])
    embeddings = [one.encoder.transformer.get_input_embeddings().weight for one in (before, network)]
    for row, token in enumerate(processed.vocabulary.tokens):
        if token in parts.vocabulary.tokens:
            assert torch.equal(embeddings[1][row], embeddings[0][parts.vocabulary.tokens.index(token)])
    assert set(SPECIALS) <= set(parts.vocabulary.tokens)
    assert all("position_embeddings" in name for name in carried.fresh), "another data.max_len has other positions"
    assert "new categories: email, address" in carried.describe() and "new words" in carried.describe()


def test_another_network_takes_over_its_encoder_only(run, small_config):
    config, _ = run("flat_before", "train.epochs=1")
    parts, weights = load_parts(config.run_folder), trained_folds(config.run_folder, "best")[0]
    other = small_config("other", "model.name=encoder", "model.head=span", "encoder.depth=3")
    processed = load_processed(other)
    network = fresh_network(other, processed, seed=5)
    carried = carry_over(network, processed.lexicon.words, processed.vocabulary, parts, weights)
    assert {name.split(".")[0] for name in carried.fresh} == {"encoder", "head"}
    assert all(".layer.2." in name for name in carried.fresh if name.startswith("encoder")), "the third layer is new"
    assert 0 < carried.tensors < carried.of and "fresh: encoder." in carried.describe()


# ----------------------------------------------------------------------------------------------------------- trainings


@pytest.fixture
def said():
    return []


def begin(config, said, **how):
    return train(config, load_processed(config), report=said.append, **how)


def test_a_run_that_starts_from_another_says_so_and_does_not_need_it_to_be_resumed(run, small_config, said, tmp_path):
    first, _ = run("first_part", "train.epochs=1")
    source = tmp_path / "moved"
    shutil.copytree(first.run_folder, source)
    config = small_config("second_part", "train.epochs=2", f"train.start_from={source}", "run.seed=3")
    metrics = begin(config, said)
    network = read_metrics(fold_folder(config.run_folder, 0))
    assert said[0].startswith(f"fold 0 begins with {source}/fold0/best: ") and metrics[0] == network
    own = len(make_splits(load_processed(config), config.data, config.folds)[0].dev)
    assert len(said) == 1, "the same split: no dev text was trained on"
    log = (fold_folder(config.run_folder, 0) / "train.log").read_text(encoding="utf-8")
    assert f"; fold 0 begins with {source}/fold0/best: " in log and own
    # A stopped run goes on without the other.
    again = small_config("third_part", "train.epochs=2", f"train.start_from={source}", "run.seed=3")
    with pytest.raises(KeyboardInterrupt):
        run_until_checkpoint(again)
    shutil.rmtree(source)
    resumed = begin(again, said, go_on=True)
    assert [one["loss"] for one in resumed[0]["history"]] == [one["loss"] for one in metrics[0]["history"]]
    assert (fold_folder(again.run_folder, 0) / SEEN).exists() and (fold_folder(again.run_folder, 0) / NOTES).exists()
    with pytest.raises(UserError, match="no such run"):
        begin(again, said, overwrite=True)


def run_until_checkpoint(config):
    from model.training.callbacks.checkpoint import Checkpoint

    saved = Checkpoint.on_epoch_end

    def stop(self, trainer):
        saved(self, trainer)
        raise KeyboardInterrupt

    Checkpoint.on_epoch_end = stop
    try:
        train(config, load_processed(config))
    finally:
        Checkpoint.on_epoch_end = saved


def test_dev_texts_that_the_weights_have_seen_are_counted_exactly(run, small_config, said):
    first, _ = run("saw", "train.epochs=1", "data.split_seed=1")
    config = small_config("sees", "train.epochs=1", "data.split_seed=2", f"train.start_from={first.run_folder}")
    processed = load_processed(config)
    (split,) = make_splits(processed, config.data, config.folds)
    (before,) = make_splits(load_processed(first), first.data, first.folds)
    trained = {"".join(processed.documents[number].text.split()) for number in before.train}
    dev = ["".join(processed.documents[number].text.split()) for number in split.dev]
    count = sum(text in trained for text in dev)
    assert count > 0
    begin(config, said)
    assert said[1] == (f"{count} of {len(dev)} dev texts were training texts of {first.run_folder}, "
                       "so the dev score is optimistic")  # fmt: skip
    note = said[1]
    assert score_split([load_parts(config.run_folder)], "dev").note.endswith(note), "the scores say so, too"
    assert "training texts of" not in score_split([load_parts(config.run_folder)], "test").note
    # A third run knows what both have seen.
    seen = np.load(fold_folder(config.run_folder, 0) / SEEN)
    assert set(seen) == set(digests_of(processed.documents[number] for number in {*before.train, *split.train}))


def test_a_run_without_the_digests_is_told_of(run, small_config, said):
    first, _ = run("old_run", "train.epochs=1")
    (fold_folder(first.run_folder, 0) / SEEN).unlink()
    config = small_config("from_old", "train.epochs=1", f"train.start_from={first.run_folder}")
    begin(config, said)
    assert not (fold_folder(config.run_folder, 0) / SEEN).exists(), (
        "what is not known of A is not known of its followers"
    )
    for line, part in zip(said[1:], ("dev", "test"), strict=True):
        assert line.startswith(
            f"{first.run_folder} does not say which texts it was trained on, so the {part} score may"
        )


def test_test_texts_that_the_weights_have_seen_are_counted(run, small_config, sample_folder, said):
    additional = [f"data.additional=[{sample_folder}/test_data]", "data.additional_leaks=keep"]
    first, _ = run("saw_test", "train.epochs=1", *additional)
    config = small_config("scores_test", "train.epochs=1", f"train.start_from={first.run_folder}")
    begin(config, said)
    count = len(load_processed(config).of_part("test"))
    note = f"{count} of {count} test texts were training texts of {first.run_folder}, so the test score is optimistic"
    assert said[1:] == [note]
    assert score_split([load_parts(config.run_folder)], "test").note == note


def test_folds_start_only_from_folds_that_never_saw_what_they_hold_out(run, small_config, said):
    folds, _ = run("two_folds", "train.epochs=1", "folds.count=2")
    config = small_config("two_more", "train.epochs=1", "folds.count=2", f"train.start_from={folds.run_folder}")
    begin(config, said)
    assert [line.partition(":")[0] for line in said] == [
        f"fold {number} begins with {folds.run_folder}/fold{number}/best" for number in range(2)
    ]
    other = small_config("other_folds", "train.epochs=1", "folds.count=2", "data.split_seed=7",
                         f"train.start_from={folds.run_folder}")  # fmt: skip
    with pytest.raises(UserError, match="texts that fold 0 holds out, so its votes would not be out of fold"):
        begin(other, said)
    assert not other.run_folder.exists()
    (fold_folder(folds.run_folder, 0) / SEEN).unlink()
    unknown = small_config("unknown", "train.epochs=1", "folds.count=2", f"train.start_from={folds.run_folder}")
    with pytest.raises(UserError, match="may have been trained on some of the texts that fold 0 holds out"):
        begin(unknown, said)


@pytest.mark.parametrize("folder", ["nowhere", "itself", "rules"])
def test_what_cannot_be_started_from_is_one_line(run, small_config, said, folder):
    rules, _ = run("only_rules", "model.name=rules")
    config = small_config("itself", "train.epochs=1")
    places = {"nowhere": ("nowhere", "no such run"), "itself": (config.run_folder, "is the run to train"),
              "rules": (rules.run_folder, "is a rules, which has no weights to begin with")}  # fmt: skip
    path, telling = places[folder]
    config.train.start_from = str(path)
    with pytest.raises(UserError, match=telling) as caught:
        begin(config, said)
    assert "\n" not in str(caught.value) and not config.run_folder.exists()


def test_a_traditional_system_has_nothing_to_start_from():
    with pytest.raises(UserError, match=r"train\.start_from \(runs/a\) must be empty, because model\.name feature_crf"):
        load_config([], ["model.name=feature_crf", "train.start_from=runs/a"])
