"""Every setting, as typed dataclasses by concern.

A run is described by the defaults below, then by YAML files in the order given (a file says only what differs), then
by `key=value` pairs from the command line. Unknown keys, values of the wrong type and settings that contradict each
other are rejected here, before anything is read or computed.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml

from typed_settings import UserError, merge, read_layers

# ----------------------------------------------------------------------------------------------------------- settings


@dataclass
class RunConfig:
    """Where a run lives and what it may use."""

    name: str = "default"
    folder: str = "runs"  # the run is written to folder/name
    seed: int = 42
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"  # which of several GPUs is the launcher's choice
    threads: int = 0  # processor threads for PyTorch; 0 leaves its own choice
    workers: int = 0  # processes that prepare batches; they help beside a GPU alone


@dataclass
class CorpusConfig:
    """One corpus on disk. In YAML a bare string stands for a whole corpus: its path, and all else by default."""

    path: str = ""
    labels: str = ""  # ccf only: folder or zip of N.csv; empty looks for X_label beside X_data
    format: Literal["auto", "ccf", "cluener", "bmes", "jsonl"] = "auto"
    categories: dict[str, str] = field(default_factory=dict)  # renames categories; an empty new name drops one

    @classmethod
    def from_text(cls, path: str) -> CorpusConfig:
        return cls(path=path)


@dataclass
class DataConfig:
    """Corpora, their division, and the processed folder made of them."""

    train: CorpusConfig = field(default_factory=CorpusConfig)
    dev: CorpusConfig = field(default_factory=CorpusConfig)  # empty: drawn from train by dev_share
    test: CorpusConfig = field(default_factory=CorpusConfig)  # scored by `--mode eval --split test`, used for no choice
    unlabelled: CorpusConfig = field(default_factory=CorpusConfig)  # its words join the lexicon
    additional: list[CorpusConfig] = field(default_factory=list)  # joins training only
    additional_leaks: Literal["drop", "keep"] = "drop"  # additional texts that share text with a dev or test part
    categories: list[str] = field(default_factory=list)  # empty: all that the training corpus has
    dev_share: float = 0.1
    split_seed: int = 42  # draws the dev part or the folds; apart from run.seed, so that seeds share a split
    max_len: int = 150  # tokens (characters) in a segment
    duplicate_share: float = 0.5  # texts that share this part of the shorter one's 8-grams stay in one fold
    processed: str = ""  # the processed folder, which several runs may share; empty: data/processed/ and the run's name


@dataclass
class LexiconConfig:
    """Which words become lattice nodes, and what vectors they start from."""

    source: Literal["jieba", "vectors"] = "jieba"  # jieba's dictionary, or the vocabulary of the vector file
    match: Literal["all", "segment", "none"] = "all"  # every word everywhere, jieba's segmentation, or characters only
    vectors: Literal["random", "encoder", "file"] = "random"
    path: str = ""  # vectors: file -> word2vec text or binary, plain or .gz/.bz2
    dimension: int = 50  # of random vectors; the others bring their own
    trainable: bool = True


@dataclass
class EncoderConfig:
    """The character encoder."""

    name: str = "hfl/chinese-roberta-wwm-ext"  # hub id, local path, or `scratch`
    layers: int = 0  # of a pretrained encoder keep only the first so many; 0 keeps all
    output: Literal["last", "mix"] | int = "last"  # last layer, a learned mix of all, or one by number (0: embeddings)
    # The shape of a `scratch` encoder; others bring their own.
    hidden: int = 128
    heads: int = 4
    depth: int = 2
    feed_forward: int = 512


@dataclass
class FlatConfig:
    """The lattice transformer of FLAT (Li et al., ACL 2020)."""

    enabled: bool = True
    layers: int = 1
    hidden: int = 160
    heads: int = 8
    feed_forward: int = 480
    fusion: Literal["ff", "ff_linear", "ff_two", "attn", "gate"] = "ff"
    shared_tables: bool = True  # one position table for the four distances, or one each
    learned_tables: bool = False  # tables start sinusoidal and train, or stay fixed
    scaled: bool = False  # divide attention logits by sqrt(head size), which the original does not
    dropout: float = 0.15
    attention_dropout: float = 0.0


@dataclass
class CrfConfig:
    """From emissions to spans."""

    enabled: bool = True  # off: a softmax for every token
    scheme: Literal["per_type", "bmes"] = "per_type"
    dropout: float = 0.1  # before the emission layer


@dataclass
class TrainConfig:
    """Optimisation, folds and what is kept."""

    epochs: int = 10
    batch_size: int = 16  # segments in a batch, where batch_tokens is 0
    batch_tokens: int = 0  # padded characters in a batch; texts of all lengths then cost like memory and time
    accumulation: int = 1  # batches in an optimizer step
    encoder_rate: float = 3e-5
    other_rate: float = 3e-3
    crf_rate: float = 3e-2
    weight_decay: float = 0.01  # not on biases, norms and transitions
    warmup: float = 0.1  # share of the optimizer steps
    freeze_epochs: int = 0  # epochs at the start in which the encoder neither gets gradients nor moves
    clip: float = 5.0  # largest gradient norm; 0 leaves gradients alone
    precision: Literal["float32", "bf16"] = "float32"
    folds: int = 0  # 0: one split by data.dev or data.dev_share; k: cross-validation
    select: Literal["best", "last"] = "best"  # weights for eval and predict; with `last` the dev score chooses nothing
    patience: int = 0  # epochs without a better dev F1 before training stops; 0 never stops early


@dataclass
class PredictConfig:
    """Reading texts with a trained run."""

    batch_tokens: int = 8192  # padded characters in a batch
    overlap: int = 64  # characters that neighbouring windows of a long text share
    chunk: int = 512  # documents held in memory at a time
    min_votes: float = 0.5  # share of folds that must find a span (more than this, or all)
    min_probability: float = 0.0  # spans below are left out


@dataclass
class Config:
    """All settings of a run."""

    run: RunConfig = field(default_factory=RunConfig)
    data: DataConfig = field(default_factory=DataConfig)
    lexicon: LexiconConfig = field(default_factory=LexiconConfig)
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    flat: FlatConfig = field(default_factory=FlatConfig)
    crf: CrfConfig = field(default_factory=CrfConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    predict: PredictConfig = field(default_factory=PredictConfig)

    @property
    def run_folder(self) -> Path:
        return Path(self.run.folder) / self.run.name

    @property
    def processed_folder(self) -> Path:
        return Path(self.data.processed or f"data/processed/{self.run.name}")


# ------------------------------------------------------------------------------------------------------------ reading


def load_config(paths: list[str | Path] | None = None, overrides: list[str] | None = None) -> Config:
    """Defaults, then each YAML file in turn, then each `section.key=value`.

    Raises:
        UserError: a file that is missing or is not YAML, an unknown key (the nearest known one is named), a value of
            the wrong type, or settings that contradict each other.
    """
    config = Config()
    for where, values in read_layers(paths, overrides):
        merge(config, values, where)
    validate(config)
    return config


def given_settings(paths: list[str | Path] | None = None, overrides: list[str] | None = None) -> dict[str, str]:
    """The settings, as `section.name`, that files and overrides name, each with where it is named last.

    Both must have passed `load_config`.
    """
    layers = read_layers(paths, overrides)
    return {f"{section}.{name}": where for where, values in layers for section in values for name in values[section]}


def from_dict(values: dict[str, Any], where: str) -> Config:
    """A configuration from nested dictionaries, as `to_dict` makes them."""
    config = Config()
    merge(config, values, where)
    validate(config)
    return config


def to_dict(config: Config) -> dict[str, Any]:
    """Nested plain values; `from_dict` is the inverse."""
    return dataclasses.asdict(config)


def save_config(config: Config, path: Path) -> None:
    """Write every setting as YAML."""
    path.write_text(yaml.safe_dump(to_dict(config), allow_unicode=True, sort_keys=False), encoding="utf-8")


# --------------------------------------------------------------------------------------------------------- validation


def validate(config: Config) -> None:
    """Reject settings that contradict each other or can mean nothing.

    Raises:
        UserError: naming the settings and their values.
    """
    at_least = {
        "data.max_len": 8, "lexicon.dimension": 1, "encoder.layers": 0, "encoder.hidden": 1, "encoder.heads": 1,
        "encoder.depth": 1, "encoder.feed_forward": 1, "flat.layers": 1, "flat.hidden": 2, "flat.heads": 1,
        "flat.feed_forward": 1, "train.epochs": 1, "train.batch_size": 1, "train.batch_tokens": 0,
        "train.accumulation": 1, "train.freeze_epochs": 0, "train.clip": 0, "train.patience": 0,
        "train.weight_decay": 0, "train.folds": 0, "predict.batch_tokens": 1, "predict.overlap": 0, "predict.chunk": 1,
        "run.threads": 0, "run.workers": 0, "run.seed": 0, "data.split_seed": 0,
    }  # fmt: skip
    for name, least in at_least.items():
        if (value := _get(config, name)) < least:
            raise UserError(f"{name} is {value}; it must be at least {least}")
    for name in ("train.encoder_rate", "train.other_rate", "train.crf_rate", "data.duplicate_share"):
        if (value := _get(config, name)) <= 0:
            raise UserError(f"{name} is {value}; it must be above 0")
    for name in ("data.dev_share", "train.warmup", "flat.dropout", "flat.attention_dropout", "crf.dropout",
                 "predict.min_votes", "predict.min_probability"):  # fmt: skip
        if not 0 <= (value := _get(config, name)) < 1:
            raise UserError(f"{name} is {value}; it must be at least 0 and below 1")

    contradictions = [
        (not config.run.name or Path(config.run.name).name != config.run.name or config.run.name in (".", ".."),
         f"run.name is {config.run.name!r}; it names one folder inside run.folder"),
        (config.flat.enabled and config.flat.hidden % config.flat.heads,
         f"flat.hidden {config.flat.hidden} cannot be divided among flat.heads {config.flat.heads}"),
        (config.flat.enabled and config.flat.hidden % 2,
         f"flat.hidden is {config.flat.hidden}; sinusoidal positions need an even number"),
        (config.encoder.name == "scratch" and config.encoder.hidden % config.encoder.heads,
         f"encoder.hidden {config.encoder.hidden} cannot be divided among encoder.heads {config.encoder.heads}"),
        (config.encoder.name == "scratch" and config.train.freeze_epochs > 0,
         "train.freeze_epochs is set, but encoder.name is scratch: random weights are not worth keeping; set it to 0"),
        (config.encoder.name == "scratch" and config.encoder.layers > 0,
         "encoder.layers cuts a pretrained encoder, but encoder.name is scratch; its layers are encoder.depth"),
        (config.train.freeze_epochs > config.train.epochs,
         f"train.freeze_epochs {config.train.freeze_epochs} is more than train.epochs {config.train.epochs}"),
        (config.lexicon.vectors == "file" and not config.lexicon.path,
         "lexicon.vectors is file, but lexicon.path is empty; name the word2vec file"),
        (config.lexicon.path and config.lexicon.vectors != "file",
         f"lexicon.path is given, but lexicon.vectors is {config.lexicon.vectors}; set lexicon.vectors to file"),
        (config.lexicon.source == "vectors" and config.lexicon.vectors != "file",
         "lexicon.source is vectors, but lexicon.vectors is not file: there is no vocabulary to take"),
        (config.lexicon.vectors == "encoder" and config.encoder.name == "scratch",
         "lexicon.vectors is encoder, but encoder.name is scratch: an untrained encoder knows no words; use random"),
        (config.train.folds == 1, "train.folds is 1; take 0 for one split, or 2 and more for cross-validation"),
        (config.train.folds > 1 and bool(config.data.dev.path),
         "train.folds divides the training corpus itself, but data.dev is given too; drop one of them"),
        (config.train.folds == 0 and not config.data.dev.path and config.data.dev_share == 0
         and (config.train.select == "best" or config.train.patience > 0),
         "there is no dev part (data.dev is empty, data.dev_share 0), so set train.select to last and patience to 0"),
        (config.predict.overlap >= config.data.max_len,
         f"predict.overlap {config.predict.overlap} must be smaller than data.max_len {config.data.max_len}"),
    ]  # fmt: skip
    for wrong, message in contradictions:
        if wrong:
            raise UserError(message)


def _get(config: Config, dotted: str) -> Any:
    section, name = dotted.split(".")
    return getattr(getattr(config, section), name)
