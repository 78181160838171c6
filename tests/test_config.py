import json
import pkgutil
import re
import runpy
import time
from pathlib import Path

import jsonschema
import pytest
import yaml
from pydantic import ValidationError

from config import (
    RETIRED,
    TRADITIONAL,
    Config,
    CorpusConfig,
    TrainConfig,
    from_dict,
    load_config,
    save_config,
    shape_digest,
    shaping_settings,
    systems,
    to_dict,
)
from data.corpus.duplicates import DUPLICATE_SHARE
from utils.errors import UserError
from utils.settings import Follows

ROOT = Path(__file__).parents[1]
ALL_SHIPPED = sorted(path for path in (ROOT / "configs").rglob("*.yaml")
                     if path.name != "local.yaml" and path.parent.name != "grids")  # fmt: skip
NUMBER = re.compile(r"\d+e-?\d+")
SHIPPED = sorted(path for path in (ROOT / "configs").glob("*.yaml") if path.name != "local.yaml")


@pytest.fixture
def write(tmp_path):
    """Writes a YAML file and gives its path."""

    def write_yaml(text, name="settings.yaml"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write_yaml


def refusals(paths=(), overrides=()):
    """The lines with which the settings are refused."""
    with pytest.raises(UserError) as caught:
        load_config(list(paths), list(overrides))
    assert str(caught.value).splitlines() == caught.value.lines
    return caught.value.lines


def refusal(paths=(), overrides=()):
    """The one line with which the settings are refused."""
    (line,) = refusals(paths, overrides)
    assert line
    return line


# ------------------------------------------------------------------------------------------------------------ reading


def test_defaults_are_valid():
    Config.model_validate({})
    assert load_config() == Config()


def test_later_files_win_over_earlier_ones_and_set_wins_over_files(write):
    first = write("train: {epochs: 2, batch_size: 3}\nfolds: {count: 4}\nrun: {name: first}", "first.yaml")
    second = write("train: {batch_size: 5}\nfolds: {count: 6}", "second.yaml")
    config = load_config([first, second], ["folds.count=7"])
    assert (config.train.epochs, config.train.batch_size, config.folds.count) == (2, 5, 7)
    assert config.run.name == "first"
    assert config.train.accumulation == Config().train.accumulation


def test_the_last_set_wins():
    assert load_config([], ["train.epochs=2", "train.epochs=3"]).train.epochs == 3


def test_an_empty_file_changes_nothing(write):
    assert load_config([write("# only a comment\n")]) == Config()


def test_exponents_without_a_point_are_numbers(write):
    config = load_config([write("train: {encoder_rate: 1e-5, clip: 2}")], ["train.crf_rate=3e-2"])
    assert (config.train.encoder_rate, config.train.crf_rate, config.train.clip) == (1e-5, 3e-2, 2.0)
    assert all(type(value) is float for value in (config.train.encoder_rate, config.train.crf_rate, config.train.clip))


def test_whole_numbers_stay_whole(write):
    config = load_config([write("train: {epochs: 3.0}")], ["run.seed=7"])
    assert (type(config.train.epochs), config.train.epochs, config.run.seed) == (int, 3, 7)


def test_a_bare_string_is_the_path_of_a_corpus(write):
    config = load_config([write("data: {train: here, additional: [a, {path: b, format: bmes}]}")], ["data.dev=there"])
    assert config.data.train == CorpusConfig(path="here")
    assert config.data.dev == CorpusConfig(path="there")
    assert config.data.additional == [CorpusConfig(path="a"), CorpusConfig(path="b", format="bmes")]


def test_a_bare_string_replaces_the_whole_corpus(write):
    first = write("data: {train: {path: a, labels: b, format: ccf, categories: {PER: name}}}", "first.yaml")
    whole = CorpusConfig(path="c")
    assert load_config([first, write("data: {train: c}", "second.yaml")]).data.train == whole
    assert load_config([first], ["data.train=c"]).data.train == whole
    assert load_config([first], ["data.train.path=c"]).data.train == CorpusConfig(
        path="c", labels="b", format="ccf", categories={"PER": "name"}
    )


def test_a_dotted_key_of_a_mapping_leaves_its_other_keys(write):
    first = write("mix: {weights: {A: 1, B: 2}, min_votes_of: {name: 0.3}}", "first.yaml")
    config = load_config([first], ["mix.weights.B=3", "mix.weights.C=4", "mix.min_votes_of.QQ=0.2"])
    assert config.mix.weights == {"A": 1, "B": 3, "C": 4}
    assert config.mix.min_votes_of == {"name": 0.3, "QQ": 0.2}
    assert load_config([first]).mix.weights == {"A": 1, "B": 2}


def test_a_whole_mapping_replaces_the_one_before(write):
    first = write("mix: {weights: {A: 1, B: 2}}", "first.yaml")
    assert load_config([first], ["mix.weights={C: 4}"]).mix.weights == {"C": 4}
    assert load_config([first, write("mix: {weights: {C: 4}}", "second.yaml")]).mix.weights == {"C": 4}


def test_a_section_in_which_all_is_commented_out_changes_nothing(write):
    assert load_config([write("model:\n  # name: flat\ntrain: {epochs: 2}")]).model == Config().model


def test_a_key_of_other_sections_is_looked_for_in_all_of_them():
    assert "unknown setting epochs; did you mean train.epochs or pretrain.epochs?" in refusal([], ["epochs=3"])
    assert "did you mean encoder.layers or flat.layers or context.layers?" in refusal([], ["model.layers=3"])


def test_class_priors_are_numbers(write):
    config = load_config([write("dictionary: {priors: {name: 4e-2}}")])
    assert config.dictionary.priors == {"name": 0.04}
    assert "dictionary.priors.name ([1]) must be a number" in refusal([], ["dictionary.priors={name: [1]}"])


def test_a_category_map_may_drop_a_category(write):
    config = load_config([write("data: {train: {path: x, categories: {PER: name, LOC: }}}")])
    assert config.data.train.categories == {"PER": "name", "LOC": ""}


def test_a_layer_is_a_number_or_a_word():
    assert load_config([], ["encoder.output=mix"]).encoder.output == "mix"
    assert load_config([], ["encoder.output=3"]).encoder.output == 3


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("2024_11_22", "2024_11_22"), ("007", "007"), ("1:30", "1:30"), ("a #b", "a #b"), ("2020-01-02", "2020-01-02"),
     ("1e3", "1e3"), (" x ", "x"), ('"007"', "007"), ("'a #b'", "a #b"), ('"a\\u0062"', "ab"), ('""', "")],
)  # fmt: skip
def test_a_text_is_what_was_typed_and_quotes_are_no_part_of_it(typed, meant):
    assert load_config([], [f"run.folder={typed}"]).run.folder == meant
    assert load_config([], [f"data.train.categories.PER={typed}"]).data.train.categories == {"PER": meant}


def test_a_corpus_may_be_called_what_yaml_takes_for_a_comment():
    assert load_config([], ["data.train=a #b"]).data.train == CorpusConfig(path="a #b")


def test_set_with_nothing_empties_a_text():
    assert load_config([], ["data.train=somewhere", "data.train="]).data.train.path == ""


def test_settings_survive_dictionaries_and_files(tmp_path, write):
    config = load_config(
        [write("data: {train: {path: 甲, categories: {a: b}}, additional: [x], dev_share: 0.25, categories: [名]}")],
        ["encoder.output=2", "train.encoder_rate=1e-7", "span.shared=false"],
    )
    assert from_dict(to_dict(config), "here") == config
    save_config(config, tmp_path / "resolved.yaml")
    assert load_config([tmp_path / "resolved.yaml"]) == config


def test_two_configurations_share_nothing():
    one, other = load_config(), load_config()
    one.data.additional.append(CorpusConfig(path="x"))
    one.data.train.categories["a"] = "b"
    assert other == Config()


# ---------------------------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("train.epoch=3", "train.epochs"),
        ("train.batchsize=3", "train.batch_size"),
        ("trian.epochs=3", "did you mean train?"),
        ("max_len=100", "data.max_len"),
        ("maxlen=100", "data.max_len"),
        ("train.max_len=100", "data.max_len"),
        ("flat.fuson=ff", "flat.fusion"),
        ("data.train.lables=x", "data.train.labels"),
        ("train.zzzzzz=1", "known here: epochs"),
    ],
)
def test_an_unknown_setting_names_the_nearest(override, expected):
    message = refusal(overrides=[override])
    assert "unknown setting" in message
    assert expected in message
    assert override in message


def test_an_unknown_setting_in_a_file_names_the_file_and_the_nearest(write):
    path = write("train:\n  epoch: 3\n")
    assert refusal([path]) == f"{path}: unknown setting train.epoch; did you mean train.epochs?"


def test_an_unknown_setting_of_an_additional_corpus_is_named(write):
    assert "data.additional[0].label" in refusal([write("data: {additional: [{path: x, label: y}]}")])


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("train.epochs=many", "a whole number"),
        ("train.epochs=2.5", "a whole number"),
        ("train.epochs=true", "a whole number"),
        ("train.epochs=.inf", "a whole number"),
        ("train.epochs=1e400", "a whole number"),
        ("train.encoder_rate=fast", "a number"),
        ("train.encoder_rate=.nan", "a number"),
        ("train.clip=.inf", "a number"),
        ("train.encoder_rate=[1]", "a number"),
        ("span.shared=1", "true or false"),
        ("span.shared=maybe", "true or false"),
        ("run.name=[a]", "text"),
        ("run.name=true", "text"),
        ("data.categories=name", "a list"),
        ("data.train.categories=[name]", "a mapping"),
        ("flat.fusion=sum", "ff, ff_linear, ff_two, attn, gate"),
        ("encoder.output=first", "last, mix or a whole number"),
        ("data.additional=here", "a list"),
        ("train=5", "settings of its own"),
        ("data.train=3", "settings of its own"),
    ],
)
def test_a_value_of_the_wrong_type_is_refused_by_name(override, expected):
    message = refusal(overrides=[override])
    assert expected in message
    assert override.partition("=")[0] in message


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"train: {epochs: 3", "line"),
        (b"train:\n\tepochs: 3\n", "line 2"),
        (b"- train\n", "section"),
        (b"just words", "section"),
        ("run: {name: 中}".encode("gbk"), "UTF-8"),
        (b"run: {name: a\x00b}", "YAML"),
        (b"run: {name: a}\nrun: {seed: 1}", "broken.yaml, line 2: not valid YAML (repeated key run)"),
        (b"run:\n  name: a\n  seed: 1\n  name: b", "line 4: not valid YAML (repeated key name)"),
        (b"run: {name: !!python/name:os.system x}", "tag tag:yaml.org,2002:python/name:os.system is not accepted"),
        (b"run: {name: !!binary YQ==}", "tag tag:yaml.org,2002:binary is not accepted"),
        (b"run: {name: a}\n---\nrun: {name: b}", "YAML"),
        (b"run: {seed: " + b"1" * 5000 + b"}", "seed"),
        (b"run: {seed: 010x}", "a whole number"),
        (b"run: {seed: 1:30}", "a whole number"),
        (b"a: &a [*a", "YAML"),
        (b"[" * 5000, "YAML"),
        (b"? [a]\n: 1\n", "not valid YAML"),
        (b"5: 1\n", "unknown setting 5"),
        (b'"a\\nb": 1\n', "unknown setting a b"),
    ],
)
def test_a_file_that_is_no_configuration_is_named(tmp_path, content, expected):
    path = tmp_path / "broken.yaml"
    path.write_bytes(content)
    message = refusal([path])
    assert message.startswith(str(path))
    assert expected in message


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    assert "no such configuration file" in refusal([tmp_path / "none.yaml"])
    assert str(tmp_path) in refusal([tmp_path])


def test_set_needs_an_equals_sign():
    assert "section.key=value" in refusal(overrides=["train.epochs"])


@pytest.mark.parametrize(("typed", "seed"), [("10", 10), ("010", 10), ("007", 7), ("1e3", 1000), ("12.0", 12)])
def test_a_number_means_what_was_typed(write, typed, seed):
    assert load_config([write(f"run: {{seed: {typed}}}")]).run.seed == seed
    assert load_config([], [f"run.seed={typed}"]).run.seed == seed


@pytest.mark.parametrize(
    "typed",
    ["010", "007", "1:30", "1.50", "1e3", "0x1F", "2020-01-02", "2020-13-45", "no", "NO", "off", "12_000", "+1"],
)
def test_a_text_means_what_was_typed_in_files_and_on_the_command_line(write, typed):
    corpus = f"{{path: x, categories: {{{typed}: {typed}}}}}"
    text = f"run: {{name: {typed}}}\ndata: {{categories: [{typed}, b], train: {corpus}}}"
    config = load_config([write(text)])
    assert config.run.name == typed and config.data.categories == [typed, "b"]
    assert config.data.train.categories == {typed: typed}
    assert load_config([], [f"run.name={typed}"]).run.name == typed


@pytest.mark.parametrize(
    ("typed", "value"), [("yes", True), ("On", True), ("true", True), ("no", False), ("OFF", False)]
)
def test_a_yes_or_no_is_one_where_one_is_wanted(write, typed, value):
    assert load_config([write(f"run: {{shared: {typed}}}")]).run.shared is value


@pytest.mark.parametrize(
    ("text", "telling"),
    [
        (f"run: {{seed: {2**64}}}", f"run.seed ({2**64}) must be at most 2147483647"),
        ("run: {seed: 1e300}", "run.seed"),
        (f"data: {{split_seed: {2**31}}}", "data.split_seed"),
        (f"train: {{epochs: {10**30}}}", "must be at most 2147483647"),
        ('run: {name: "a\\0b"}', "must not hold a NUL character or half a surrogate pair"),
        ('data: {train: "\\ud800"}', "must not hold a NUL character or half a surrogate pair"),
        ('data: {categories: ["\\ud800"]}', "must not hold a NUL character or half a surrogate pair"),
    ],
)
def test_what_no_computation_and_no_file_name_can_take_is_refused(write, text, telling):
    assert telling in refusal([write(text)])


def test_aliases_repeat_a_value_and_not_without_bound(write):
    config = load_config([write("data: {train: &corpus {path: x, format: jsonl}, dev: *corpus}")])
    assert config.data.dev == config.data.train
    bomb = "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
    for before, name in zip("abcdefghi", "bcdefghij", strict=True):
        bomb += f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n"
    started = time.monotonic()
    message = refusal([write(bomb)])
    assert "more than 100000 values with those that aliases repeat" in message and time.monotonic() - started < 5


def test_a_large_value_does_not_fill_the_message(write):
    for text in (f"run: {{seed: [{'x, ' * 10_000}]}}", f"run: {{seed: {'x' * 10_000}}}", f"[{'x, ' * 10_000}]"):
        assert len(refusal([write(text)])) < 300 + 150


def test_what_looks_like_a_date_but_is_none_is_text():
    assert load_config([], ["run.name=2020-13-45"]).run.name == "2020-13-45"


def test_a_missing_relative_file_says_where_it_was_looked_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert f"no such configuration file in {tmp_path}" in refusal(["none.yaml"])


def test_a_mistake_is_one_line():
    assert str(UserError("first\n  second\r\nthird")) == "first second third"
    assert str(UserError("first\n  second", "third")) == "first second\nthird"


BOUNDS = [
    ("data.max_len=7", "data.max_len (7) must be at least 8"),
    ("train.epochs=0", "train.epochs (0) must be at least 1"),
    ("train.batch_size=0", "train.batch_size (0) must be at least 1"),
    ("train.accumulation=0", "train.accumulation (0) must be at least 1"),
    ("folds.count=-1", "folds.count (-1) must be at least 0"),
    ("train.clip=-0.1", "train.clip (-0.1) must be at least 0"),
    ("train.encoder_rate=0", "train.encoder_rate (0.0) must be greater than 0"),
    ("train.crf_rate=-1", "train.crf_rate (-1.0) must be greater than 0"),
    ("data.dev_share=1", "data.dev_share (1.0) must be at least 0 and less than 1"),
    ("data.dev_share=-0.1", "data.dev_share (-0.1) must be at least 0 and less than 1"),
    ("train.warmup=1", "train.warmup (1.0) must be at least 0 and less than 1"),
    ("flat.dropout=1", "flat.dropout (1.0) must be at least 0 and less than 1"),
    ("predict.min_votes=1", "predict.min_votes (1.0) must be at least 0 and less than 1"),
    ("predict.min_probability=1.5", "predict.min_probability (1.5) must be at least 0 and less than 1"),
    ("predict.batch_tokens=0", "predict.batch_tokens (0) must be at least 1"),
    ("run.seed=-1", "run.seed (-1) must be at least 0"),
    ("run.threads=-1", "run.threads (-1) must be at least 0"),
    ("lexicon.dimension=0", "lexicon.dimension (0) must be at least 1"),
    ("lexicon.shortest=0", "lexicon.shortest (0) must be at least 1"),
    ("lexicon.length=-1", "lexicon.length (-1.0) must be at least 0"),
    ("context.layers=0", "context.layers (0) must be at least 1"),
    ("context.dropout=1", "context.dropout (1.0) must be at least 0 and less than 1"),
    ("denoise.missing_from=0.04", "denoise.missing_from (0.04) must be at least 0.05 and at most 1"),
    ("pseudo.certain_from=2", "pseudo.certain_from (2.0) must be at least 0.1 and at most 1"),
    ("train.layer_decay=1.1", "train.layer_decay (1.1) must be greater than 0 and at most 1"),
    ("dictionary.priors={name: 1}", "dictionary.priors.name (1.0) must be greater than 0 and less than 1"),
    ("encoder.output=-1", "encoder.output (-1) must be one of last, mix or a whole number of at least 0"),
    ("adversarial.targets=[]", "adversarial.targets ([]) must not be empty"),
    ("mix.min_votes=1", "mix.min_votes (1.0) must be at least 0 and less than 1"),
]
CONTRADICTIONS = [
    ("run.name=", "run.name ('') must be the name of one folder inside run.folder"),
    ("run.name=a/b", "run.name ('a/b') must be the name of one folder inside run.folder"),
    ("run.name=..", "run.name ('..') must be the name of one folder inside run.folder"),
    ("flat.heads=7", "flat.hidden (160) must be a multiple of flat.heads (7)"),
    ("flat.hidden=161 flat.heads=7", "flat.hidden (161) must be even, for sinusoidal positions"),
    ("encoder.name=scratch encoder.heads=3", "encoder.hidden (128) must be a multiple of encoder.heads (3)"),
    (
        "encoder.name=scratch train.freeze_epochs=1",
        "train.freeze_epochs (1) must be 0, because encoder.name is scratch",
    ),
    ("encoder.name=scratch encoder.layers=2", "the number of layers of a scratch encoder is encoder.depth"),
    ("train.freeze_epochs=3 train.epochs=2", "train.freeze_epochs (3) must be at most train.epochs (2)"),
    ("lexicon.vectors=file", "lexicon.path must name a word2vec file, because lexicon.vectors is file"),
    ("lexicon.path=words.vec", "lexicon.path is given, so lexicon.vectors (random) must be file"),
    ("lexicon.source=vectors", "lexicon.source is vectors, so lexicon.vectors (random) must be file"),
    (
        "lexicon.vectors=encoder encoder.name=scratch",
        "lexicon.vectors (encoder) must be random, because encoder.name is scratch",
    ),
    ("folds.count=1", "folds.count (1) must be 0 for one split, or at least 2 for cross-validation"),
    ("folds.repeats=0", "folds.repeats (0) must be at least 1"),
    ("data.dev_share=0", "train.select (best) must be last, swa or ema, because there is no dev part"),
    (
        "data.dev_share=0 train.select=last train.patience=2",
        "train.patience (2) must be 0, because there is no dev part",
    ),
    ("context.hidden=7", "context.hidden (7) must be even"),
    ("context.kind=transformer context.hidden=6", "context.hidden (6) must be a multiple of 4"),
    ("model.name=softword", "lexicon.match (all) must be segment, because model.name is softword"),
    ("model.name=softword lexicon.match=none", "lexicon.match (none) must be segment, because model.name is softword"),
    (
        "model.head=span regularisation.label_smoothing=0.1",
        "regularisation.label_smoothing (0.1) must be 0, because model.head span has no tags",
    ),
    ("denoise.finder=dynamics model.name=forms", "model.name (forms) must be a network, because denoise.finder is"),
    ("denoise.finder=dynamics denoise.voters=[forms]", "denoise.voters (forms) must be empty, because denoise.finder"),
    ("denoise.finder=dynamics denoise.rounds=2", "denoise.rounds (2) must be 1, because denoise.finder is dynamics"),
    ("denoise.finder=pooled", "data.gold is empty, but denoise.finder pooled chooses its weights on gold labels"),
    (
        "encoder.name=scratch denoise.pretrain=true",
        "denoise.pretrain must be false, because encoder.name is scratch",
    ),
    ("model.name=lac", "lexicon.tags (none) must be lac, because model.name is lac"),
    ("model.name=mrc lexicon.tags=lac", "lexicon.tags (lac) must be none, because model.name mrc reads no tags"),
    ("model.head=mrc", "model.head ('mrc') must be one of crf, softmax, span"),
    ('mix.weights={"a":-1}', "mix.weights.a (-1.0) must be at least 0"),
    (
        "model.name=mrc mrc.asked=1",
        "mrc.asked (1) must be 0 for all questions, or at least 2: one with an answer and one without",
    ),
    (
        "model.name=mrc encoder.output=0",
        "encoder.output (0) must not be 0, because model.name mrc reads question and text together",
    ),
    (
        "model.name=mrc regularisation.label_smoothing=0.1",
        "regularisation.label_smoothing (0.1) must be 0, because model.name mrc has no tags",
    ),
    (
        "model.name=mrc encoder.name=scratch encoder.depth=0 lexicon.vectors=random",
        "encoder.depth (0) must not be 0, because model.name mrc reads question and text together",
    ),
    ("mix.back_up=[name]", "mix.back_up[0] ('name') must be one of mobile, email, QQ, vx"),
    ('mix.min_votes_of={"name":5}', "mix.min_votes_of.name (5.0) must be at least 0 and less than 1"),
    ("mix.min_votes_of.name=-1", "mix.min_votes_of.name (-1.0) must be at least 0 and less than 1"),
    ("mix.min_votes_of.name=1", "mix.min_votes_of.name (1.0) must be at least 0 and less than 1"),
    ("denoise.missing_from_of.name=1.5", "denoise.missing_from_of.name (1.5) must be at least 0.05 and at most 1"),
]


@pytest.mark.parametrize(("overrides", "expected"), BOUNDS + CONTRADICTIONS)
def test_impossible_and_contradictory_settings_are_refused(overrides, expected):
    pairs = overrides.split() if "{" not in overrides else [overrides]
    assert expected in refusal(overrides=pairs)


@pytest.mark.parametrize(
    "overrides",
    [
        "model.name=encoder flat.heads=7",
        "encoder.heads=3",
        "encoder.name=scratch encoder.depth=0",
        "context.hidden=7 context.kind=none",
        "train.freeze_epochs=2 train.epochs=2",
        "data.dev_share=0 train.select=last",
        "data.dev_share=0 data.dev=there",
        "data.dev_share=0 folds.count=2",
        "predict.min_votes=0 train.clip=0 data.max_len=8",
        "lexicon.vectors=file lexicon.path=words.vec lexicon.source=vectors",
        "encoder.name=scratch",
        "data.dev_share=0.99",
        "model.name=softword lexicon.match=segment",
        "model.name=exsoftword",
    ],
)
def test_what_is_just_possible_is_accepted(overrides):
    load_config([], overrides.split())


# ------------------------------------------------------------------------------------------------------- all together


def test_all_mistakes_of_a_file_are_reported_with_a_line_each(write):
    path = write("train: {epoch: 3, batch_size: x}\nflat: {heads: 7}\ndata: {max_len: 7}")
    assert refusals([path]) == [
        f"{path}: data.max_len (7) must be at least 8",
        f"{path}: train.batch_size ('x') must be a whole number of at least 1",
        f"{path}: unknown setting train.epoch; did you mean train.epochs?",
        "flat.hidden (160) must be a multiple of flat.heads (7)",
    ]


def test_several_contradictions_of_a_section_are_reported():
    lines = refusals([], ["train.epochs=2", "train.freeze_epochs=3", "mix.back_up=[vx]", "mix.override=[vx]",
                          "encoder.name=scratch", "encoder.heads=3", "encoder.layers=2"])  # fmt: skip
    assert [line.split()[0] for line in lines] == [
        "encoder.hidden", "encoder.layers", "train.freeze_epochs", "mix.back_up", "train.freeze_epochs"
    ]  # fmt: skip


def test_nothing_is_said_of_contradictions_with_an_invalid_value():
    assert len(refusals([], ["train.epochs=-1", "train.freeze_epochs=11"])) == 1
    assert len(refusals([], ["data.dev={path: x, format: y}", "data.dev_share=0"])) == 1
    assert len(refusals([], ["flat=5", "flat.heads=7", "flat=5"])) == 1


def test_each_mistake_names_where_its_value_came_from(write):
    first, second = write("train: {epochs: 0, clip: -1}", "first.yaml"), write("train: {clip: -2}", "second.yaml")
    assert refusals([first, second], ["mix.weights.a=-1"]) == [
        f"{first}: train.epochs (0) must be at least 1",
        f"{second}: train.clip (-2.0) must be at least 0",
        "--set mix.weights.a=-1: mix.weights.a (-1.0) must be at least 0",
    ]


def test_a_later_layer_mends_what_an_earlier_one_has_wrong(write):
    assert load_config([write("train: {epochs: many}\nflat: 5")], ["train.epochs=2", "flat.heads=4"]).train.epochs == 2


def test_a_section_made_in_code_is_checked_and_can_be_changed():
    with pytest.raises(ValidationError, match=r"train.freeze_epochs \(3\) must be at most train.epochs \(2\)"):
        TrainConfig(epochs=2, freeze_epochs=3)
    config = Config()
    config.train.epochs = 3
    assert to_dict(config)["train"]["epochs"] == 3


# ---------------------------------------------------------------------------------------------------- names of systems


def test_an_unknown_system_names_the_nearest():
    assert refusal([], ["model.name=flatt"]) == (
        "--set model.name=flatt: model.name ('flatt') must be a system of model/networks/ or model/traditional/; "
        "did you mean flat?"
    )


def test_systems_are_those_that_can_be_built():
    networks = sorted(module.name for module in pkgutil.iter_modules([str(ROOT / "model" / "networks")]))
    assert systems() == [*networks, *TRADITIONAL]


# ------------------------------------------------------------------------------------------------------------- retired


def test_a_retired_setting_with_its_constant_changes_nothing(write):
    path = write("feature_crf: {l1: 0.1, l2: 1e-2, iterations: 100}\npredict: {overlap: 64, chunk: 512}\nspan:\n"
                 "denoise: {unsupported_below: 1e-4, doubtful_below_of: {}}\npretrain: {output: ''}")  # fmt: skip
    assert load_config([path], ["lexicon.trainable=true"]) == Config()


def test_every_retired_setting_is_gone_and_has_its_constant():
    before = to_dict(Config())
    for name, constant in RETIRED.items():
        section, key = name.split(".")
        assert key not in before.get(section, {})
        (value, *_) = constant.accepted(Config()) if isinstance(constant, Follows) else (constant,)
        before.setdefault(section, {})[key] = value
    assert from_dict(before, "an earlier run") == Config()


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("lexicon.trainable=false", "lexicon.trainable is no longer a setting; it is always true"),
        ("feature_crf.l1=0.2", "feature_crf.l1 is no longer a setting; it is always 0.1"),
        ("mrc.rows=many", "mrc.rows is no longer a setting; it is always 64"),
        ("pretrain.output=x", "it is always the run's folder with _encoder added"),
        ("predict.overlap=32", "it is always half of data.max_len, at most 64"),
        ("dictionary.positive_weight=10", "1 for dictionary.loss cross_entropy and 10 for absolute"),
        ("feature_crf.l3=0.2", "unknown setting feature_crf"),
    ],
)
def test_a_retired_setting_with_another_value_is_refused(override, expected):
    line = refusal([], [override])
    assert line.startswith(f"--set {override}: ")
    assert expected in line


def test_a_retired_setting_may_have_the_value_that_follows_from_others():
    load_config([], ["dictionary.loss=absolute", "dictionary.positive_weight=10"])
    load_config([], ["data.max_len=60", "predict.overlap=30"])
    assert refusals([], ["dictionary.loss=absolute", "dictionary.positive_weight=1"])


# ----------------------------------------------------------------------------------------------------- processed folder


def test_the_processed_folder_is_named_by_what_shapes_the_data():
    default = load_config()
    assert default.processed_folder == Path("data/processed") / shape_digest(default)
    same = load_config([], ["run.name=other", "train.epochs=3", "data.dev_share=0.5", "lexicon.length=1"])
    assert same.processed_folder == default.processed_folder
    for override in (
        "data.max_len=100",
        "data.train=x",
        "lexicon.match=segment",
        "encoder.name=scratch",
        "lexicon.tags=lac",
    ):
        assert load_config([], [override]).processed_folder != default.processed_folder
    assert load_config([], ["data.processed=here"]).processed_folder == Path("here")
    assert "tags" not in shaping_settings(default)["lexicon"], "data made before the setting existed must stay valid"


# ------------------------------------------------------------------------------------------------------------ generated


@pytest.fixture(scope="module")
def made():
    """The functions of docs/make_settings.py."""
    return runpy.run_path(str(ROOT / "docs" / "make_settings.py"))


def test_the_schema_and_the_page_of_settings_are_up_to_date(made):
    again = "run `bash set_env.sh settings`"
    assert (ROOT / "configs" / "schema.json").read_text(encoding="utf-8") == made["schema"](), again
    assert (ROOT / "docs" / "settings.md").read_text(encoding="utf-8") == made["page"](), again


def test_every_setting_and_section_is_described():
    for section in (CorpusConfig, *(field.annotation for field in Config.model_fields.values())):
        assert section.__doc__
        assert [name for name, field in section.model_fields.items() if not field.description] == []


class Yaml(yaml.SafeLoader):
    """Reads numbers as editors do, which follow YAML 1.2: 1e-5 is one."""


Yaml.yaml_implicit_resolvers = {
    **yaml.SafeLoader.yaml_implicit_resolvers,
    **{
        digit: [("tag:yaml.org,2002:float", NUMBER), *yaml.SafeLoader.yaml_implicit_resolvers[digit]] for digit in "123"
    },
}


def accepts(text):
    schema = json.loads((ROOT / "configs" / "schema.json").read_text(encoding="utf-8"))
    return jsonschema.Draft202012Validator(schema).is_valid(yaml.load(text, Yaml))


@pytest.mark.parametrize("path", ALL_SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_configuration_fits_the_schema_and_names_it(path):
    text = path.read_text(encoding="utf-8")
    assert accepts(text)
    first, _ = text.split("\n", 1)
    assert first.startswith("# yaml-language-server: $schema=")
    assert (path.parent / first.partition("=")[2]).resolve() == ROOT / "configs" / "schema.json"


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("data: {train: here, additional: [a, {path: b}]}\nmodel:\n", True),
        ("data: {train: {path: x, categories: {PER: name, LOC: }}}", True),
        ("train: {epoch: 3}", False),
        ("train: {epochs: 0}", False),
        ("model: {name: flatt}", False),
        ("data: {train: 3}", False),
        ("trian: {}", False),
    ],
)
def test_the_schema_takes_what_the_reader_takes(text, fits):
    assert accepts(text) is fits


# ------------------------------------------------------------------------------------------------------------ shipped


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_configuration_loads_and_names_its_own_run(path):
    config = load_config([path])
    assert config.run.name == path.stem
    given = path.read_text(encoding="utf-8").replace("...", "")
    assert ".." not in given, "a shipped configuration names only what any user can have"


def test_some_configurations_are_shipped():
    assert SHIPPED


def test_a_constant_that_shapes_the_data_is_recorded_with_the_settings():
    """As a setting it was recorded too, so the processed data of earlier runs is still known to be the same."""
    assert shaping_settings(Config())["data"]["duplicate_share"] == DUPLICATE_SHARE == 0.5
