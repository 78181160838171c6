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

from setting_rules import validate
from utils.errors import UserError as UserError
from utils.settings import merge, read_layers

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


Precision = Literal["auto", "float32", "bf16"]
CorpusFormat = Literal["auto", "ccf", "cluener", "bmes", "jsonl", "labelstudio"]


@dataclass
class CorpusConfig:
    """One corpus on disk. In YAML a bare string stands for a whole corpus: its path, and all else by default."""

    path: str = ""
    labels: str = ""  # ccf only: folder or zip of N.csv; empty looks for X_label beside X_data
    format: CorpusFormat = "auto"
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
    # Additional documents that share text with a dev or test part: left out of its training, used, or an error.
    additional_leaks: Literal["drop", "keep", "refuse"] = "drop"
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
    shortest: int = 2  # characters of a word at least; 1 lets single characters be words too
    # `none` is for networks that only ask where words stand (softword, exsoftword), and for all words of the source,
    # where the others keep those that can be learned from the corpora.
    vectors: Literal["random", "encoder", "file", "none"] = "random"
    path: str = ""  # vectors: file -> word2vec text or binary, plain or .gz/.bz2
    dimension: int = 50  # of random vectors; the others bring their own
    # The length, by root mean square, that training starts the vectors with; 0 leaves those of a file as they are and
    # others at unit variance.
    length: float = 0.0
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
class ModelConfig:
    """Which network reads the characters' states and the words, and what makes spans of what it says."""

    name: str = "flat"  # a file of model/networks/ or model/traditional/; `encoder` is the character encoder alone
    # A CRF, a softmax for every character, or a score for every span (a global pointer).
    head: Literal["crf", "softmax", "span"] = "crf"
    dropout: float = 0.1  # before the head
    # What an untrained head holds it for that a character belongs to an entity (Lin et al., "Focal Loss", ICCV 2017,
    # section 3.3). 0 leaves that to the draw: the first steps then teach what is outside and nothing else, for which an
    # encoder gives up much of what it knew. What was measured: RESULTS.md, "A prior for outside".
    prior: float = 0.0


@dataclass
class CrfConfig:
    """The tags that a CRF, or a softmax in its place, chooses from: model.head crf, softmax."""

    # A chain of tags for every category, whose spans may overlap those of others, or one for all.
    scheme: Literal["per_type", "bmes"] = "per_type"


@dataclass
class FlatConfig:
    """The lattice transformer of FLAT (Li et al., ACL 2020): model.name flat."""

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
class ContextConfig:
    """What reads the characters' vectors in their order: model.name bilstm, softword, exsoftword, softlexicon.

    lattice_lstm and lr_cnn have a way of their own to read, and take its size from here.
    """

    kind: Literal["lstm", "transformer", "none"] = "lstm"  # an LSTM in both directions; none: the vectors as they are
    layers: int = 1  # lr_cnn: characters of the longest word and n-gram
    hidden: int = 200  # of an LSTM or a CNN both directions together; a transformer maps its input to it
    heads: int = 4  # of a transformer
    dropout: float = 0.5  # before and, for a transformer, inside


@dataclass
class SpanConfig:
    """The span head (Su et al., Global Pointer, 2022): model.head span."""

    size: int = 64  # of the queries and keys of a span's ends
    shared: bool = True  # one query and key for all categories (Efficient Global Pointer), or one for each


@dataclass
class MrcConfig:
    """A question for every category (Li et al., 2020): model.name mrc."""

    queries: dict[str, str] = field(default_factory=dict)  # the question of each category; none: its name
    asked: int = 0  # questions about a text in a training step: with an answer, and some without; 0: all
    rows: int = 64  # questions about texts that the encoder reads at a time, whatever the batch
    begin_weight: float = 1.0  # of the loss of where spans begin
    end_weight: float = 1.0  # of where they end
    match_weight: float = 1.0  # of which begin belongs to which end


@dataclass
class FeatureCrfConfig:
    """The traditional model, a CRF on features trained by CRFsuite: model.name feature_crf."""

    l1: float = 0.1  # weights of the penalties
    l2: float = 0.01
    iterations: int = 100  # of L-BFGS, at most


@dataclass
class FoldsConfig:
    """Cross-validation: every training document is held out from one network at least."""

    count: int = 0  # 0: one split by data.dev or data.dev_share
    # What never stands on both sides: near-duplicate texts; or the labelled surface forms too, as in CrossWeigh, which
    # takes every document with a held-out form from the training part and so wants short texts or many folds.
    disjoint: Literal["document", "entity"] = "document"
    repeats: int = 1  # denoise: times that folds are drawn and trained anew


@dataclass
class TrainConfig:
    """Optimisation, and what is kept."""

    epochs: int = 10
    batch_size: int = 16  # segments in a batch, where batch_tokens is 0
    batch_tokens: int = 0  # padded characters in a batch; texts of all lengths then cost like memory and time
    accumulation: int = 1  # batches in an optimizer step
    encoder_rate: float = 3e-5
    other_rate: float = 3e-3
    crf_rate: float = 3e-2
    weight_decay: float = 0.01  # not on biases, norms and transitions
    schedule: Literal["linear", "cosine", "constant"] = "linear"  # of the rates, after the warm-up
    warmup: float = 0.1  # share of the optimizer steps
    layer_decay: float = 1.0  # each encoder layer has the rate of the one above it times this
    freeze_epochs: int = 0  # epochs at the start in which the encoder neither gets gradients nor moves
    unfreeze_every: int = 0  # then one layer more thaws, from the top, every so many epochs; 0: all at once
    clip: float = 5.0  # largest gradient norm; 0 leaves gradients alone
    # Of training; reading always uses auto. auto: bf16 where the device has instructions for it, float32 elsewhere.
    precision: Precision = "auto"
    # Weights for eval and predict: those of the best dev score, averages included; or of the last epoch, with which the
    # dev score chooses nothing (if patience is 0); or the average.
    select: Literal["best", "last", "swa", "ema"] = "best"
    patience: int = 0  # epochs without a better dev F1 before training stops; 0 never stops early


@dataclass
class PretrainConfig:
    """Masked-language-model training of the encoder on the corpora's raw text (`--mode pretrain`)."""

    output: str = ""  # folder of the new encoder, for encoder.name; empty: the run's folder with _encoder
    epochs: int = 3
    batch_tokens: int = 4096  # padded characters in a batch
    rate: float = 5e-5
    warmup: float = 0.1  # share of the steps
    mask_share: float = 0.15  # of the characters, in whole words
    held_out: float = 0.02  # share of the segments that only the loss before and after is taken on


@dataclass
class AdversarialConfig:
    """Training on embeddings moved to where the loss is worst (model/training/adversarial.py)."""

    method: Literal["none", "fgsm", "fgm", "pgd", "freelb", "vat"] = "none"
    # What is moved: the encoder's token embeddings, the word vectors, or both.
    targets: list[Literal["characters", "words"]] = field(default_factory=lambda: ["characters"])
    scope: Literal["sample", "matrix"] = "sample"  # each text by itself, or the rows of the embedding matrix
    epsilon: float = 1.0  # size of the move: the norm, or of fgsm the largest component
    step_size: float = 0.3  # pgd, freelb: length of one step
    steps: int = 3  # pgd, freelb: steps; vat: power iterations
    weight: float = 1.0  # of the loss on moved embeddings
    same_dropout: bool = False  # all passes of a batch drop the same, as vat's always do; or each draws anew
    start_epoch: int = 0  # epochs before the first adversarial step
    start_step: int = 0  # optimizer steps before it
    unlabelled: bool = False  # vat: a batch of the unlabelled texts with every labelled one


@dataclass
class AveragingConfig:
    """Running means of the weights, evaluated and saved beside the weights themselves."""

    method: Literal["none", "swa", "ema"] = "none"
    start_epoch: int = 1  # epochs before averaging begins
    every: int = 1  # an average is taken every so many units
    unit: Literal["epoch", "step"] = "epoch"
    decay: float = 0.999  # ema: what stays of the average at each update
    # Rates while swa averages: as train.schedule has them, or rate_factor of the full ones, or from the full ones down
    # to it between two updates.
    rate: Literal["schedule", "constant", "cyclic"] = "schedule"
    rate_factor: float = 0.5


@dataclass
class RegularisationConfig:
    """Small additions to the loss."""

    r_drop: float = 0.0  # weight of the divergence between two passes with different dropout (Liang et al., 2021)
    dropout_samples: int = 1  # dropout masks before the emission layer, whose losses are averaged (Inoue, 2019)
    label_smoothing: float = 0.0  # share of the loss that wants every tag's emission equal


DoubtfulAction = Literal["keep", "mask", "mask_all", "weight", "remove"]
MissingAction = Literal["ignore", "mask", "mask_all", "weight", "add"]


@dataclass
class DenoiseConfig:
    """Labels against the votes of networks that have not seen them (experiments/denoising/decisions.py)."""

    # What labels are held against: the share of votes, the mean probability, or thresholds that the probabilities set
    # themselves (confident learning).
    finder: Literal["votes", "probability", "confidence"] = "probability"
    # A label with a smaller share is doubtful if the votes see something else there, or hold it for impossible. Voters
    # that merely fail to see a name they do not know are no evidence, and of two spans they often leave open which.
    doubtful_below: float = 0.05
    unsupported_below: float = 1e-4  # mean probability; 1 makes not to be found enough
    missing_from: float = 0.5  # a span with this share that no label has is missing
    # Whether it may overlap a label of another category that is not doubtful. Voters that know two categories for one
    # name see both, and few annotators give two: in 2,000 documents of CCF 45 pairs of 16,427 labels overlap.
    overlapping: bool = False
    doubtful_below_of: dict[str, float] = field(default_factory=dict)  # of single categories
    missing_from_of: dict[str, float] = field(default_factory=dict)
    doubtful: DoubtfulAction = "mask"
    missing: MissingAction = "mask"
    rounds: int = 1  # the networks of a round train on the cleaned labels of the one before
    least: float = 0.05  # probability from which a span that is neither labelled nor found is written down
    compare: bool = True  # train on the labels as they are, too, to see what cleaning is worth


@dataclass
class PseudoConfig:
    """Labels for unlabelled texts from votes (experiments/denoising/pseudo_labels.py)."""

    measure: Literal["votes", "probability"] = "probability"
    certain_from: float = 0.9  # share from which a span becomes a label
    certain_from_of: dict[str, float] = field(default_factory=dict)  # of single categories
    uncertain_from: float = 0.1  # share from which what is not certain is in doubt
    weight: float = 0.5  # of the loss of a text labelled so


@dataclass
class DictionaryConfig:
    """Learning from a dictionary and raw text (`--mode dictionary`), which are those of data.train and data.unlabelled.

    The section ends with what the loop's risk is made of (experiments/dictionary/risk.py).
    """

    path: str = ""  # the dictionary: a surface form, a tab and its category on each line
    taken_from: str = ""  # ids of the training documents whose labels it was taken from; no score counts these
    # Matching alone; one category's span candidates against random ones, bags of them, or known negatives; or the loop.
    method: Literal["match", "direct", "bagging", "negatives", "loop"] = "match"

    # Span candidates: direct, bagging, negatives.
    category: str = ""
    most_tokens: int = 4  # of jieba's segmentation in a candidate
    most_characters: int = 20  # in a candidate
    negatives: str = ""  # surface forms that are not of the category, one a line
    sample_ratio: float = 1.0  # unlabelled candidates drawn as negatives, for each positive one
    bags: int = 30
    threshold: float = 0.5  # candidates with a higher score are labelled

    # The loop.
    rounds: int = 5  # at most; it stops when the dictionary no longer grows
    minimum_count: int = 3  # occurrences that a form found by the classifiers needs to join the dictionary
    agreement: float = 1.0  # share of its occurrences that have to be found, all as the same category
    unit: Literal["word", "character"] = "word"  # what is decided as a whole: a word of jieba's segmentation, or less
    minimum_length: int = 2  # characters of what the classifiers may find
    # Class priors, the share of all characters that belong to a category: those given; for the others what the first
    # dictionary labels over `coverage`, or Elkan and Noto's estimate (class_prior.py). With `found`, all of them
    # are replaced after the first round by the share that the round before found.
    priors: dict[str, float] = field(default_factory=dict)
    prior: Literal["coverage", "elkan_noto", "found"] = "coverage"
    coverage: float = 0.5  # share of a category's characters that the dictionary is thought to label
    # Of a character's probability. absolute is that of Peng et al., bounded; it wants a positive_weight of 10 or so.
    loss: Literal["cross_entropy", "absolute"] = "cross_entropy"
    positive_weight: float = 1.0  # of the positives' risk
    negative_risk: Literal["clip", "step_back"] = "clip"  # what is done where it is estimated below 0
    step_back_beyond: float = 0.0  # step_back: only below this much under 0
    step_back_discount: float = 1.0  # step_back: factor of the step


@dataclass
class MixConfig:
    """Several runs that read the same texts (`--runs`), and patterns that help them (model/reading/patterns.py)."""

    weights: dict[str, float] = field(default_factory=dict)  # of the votes of runs, by their names; others have 1
    min_votes: float = 0.5  # share of the votes that a span needs (more than this, or all)
    min_votes_of: dict[str, float] = field(default_factory=dict)  # of single categories
    back_up: list[str] = field(default_factory=list)  # categories in which patterns add what the vote left out
    override: list[str] = field(default_factory=list)  # categories in which patterns alone decide


@dataclass
class PredictConfig:
    """Reading texts with a trained run."""

    batch_tokens: int = 4096  # padded characters in a batch
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
    model: ModelConfig = field(default_factory=ModelConfig)
    crf: CrfConfig = field(default_factory=CrfConfig)
    flat: FlatConfig = field(default_factory=FlatConfig)
    context: ContextConfig = field(default_factory=ContextConfig)
    span: SpanConfig = field(default_factory=SpanConfig)
    mrc: MrcConfig = field(default_factory=MrcConfig)
    feature_crf: FeatureCrfConfig = field(default_factory=FeatureCrfConfig)
    folds: FoldsConfig = field(default_factory=FoldsConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    pretrain: PretrainConfig = field(default_factory=PretrainConfig)
    adversarial: AdversarialConfig = field(default_factory=AdversarialConfig)
    averaging: AveragingConfig = field(default_factory=AveragingConfig)
    regularisation: RegularisationConfig = field(default_factory=RegularisationConfig)
    denoise: DenoiseConfig = field(default_factory=DenoiseConfig)
    pseudo: PseudoConfig = field(default_factory=PseudoConfig)
    dictionary: DictionaryConfig = field(default_factory=DictionaryConfig)
    mix: MixConfig = field(default_factory=MixConfig)
    predict: PredictConfig = field(default_factory=PredictConfig)

    @property
    def run_folder(self) -> Path:
        return Path(self.run.folder) / self.run.name

    @property
    def pretrained_folder(self) -> Path:
        return Path(self.pretrain.output or f"{self.run_folder}_encoder")

    @property
    def denoise_folder(self) -> Path:
        return Path(f"{self.run_folder}_denoise")

    @property
    def dictionary_folder(self) -> Path:
        return Path(f"{self.run_folder}_dictionary")

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
