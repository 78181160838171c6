"""All settings: one model for each section, with the bounds and the meaning of each setting.

The defaults below come first. YAML files change them, in the order given; a file says only what differs. Then
`section.key=value` pairs of the command line change them. Everything is checked before anything is read or computed,
and all mistakes are reported together. docs/settings.md and configs/schema.json are made from this file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, field_validator

from utils.errors import nearest
from utils.settings import Follows, Layer, Settings, build, read_layers

Share = Annotated[float, Field(ge=0, lt=1)]
# Spans that are neither labels nor found are recorded from this probability up. It is far below any useful threshold,
# and it keeps candidates few: a CRF gives almost every span a little probability.
LEAST_PROBABILITY = 0.05
ShareOfMissing = Annotated[float, Field(ge=LEAST_PROBABILITY, le=1)]
Positive = Annotated[float, Field(gt=0)]

# ----------------------------------------------------------------------------------------------------------- sections


class RunConfig(Settings):
    """Where a run lives and what it may use."""

    name: str = "default"
    """Name of the run, which is also the name of its folder."""
    folder: str = "runs"
    """Folder that holds the folders of all runs."""
    seed: int = Field(42, ge=0)
    """Random seed of the weights, the order of the batches and dropout."""
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """Device to compute on. `auto` takes a GPU where there is one."""
    threads: int = Field(0, ge=0, le=4096)
    """Processor threads for PyTorch. 0 leaves the number to PyTorch."""
    workers: int = Field(0, ge=0, le=256)
    """Processes that prepare batches. Useful only with a GPU."""
    shared: bool = False
    """Let other users of this machine read what is written. By default only the owner of a file can."""

    def mistakes(self) -> Iterator[str]:
        if not self.name or Path(self.name).name != self.name or self.name in (".", ".."):
            yield f"run.name ({self.name!r}) must be the name of one folder inside run.folder"


Precision = Literal["auto", "float32", "bf16"]
CorpusFormat = Literal["auto", "ccf", "cluener", "bmes", "tokens", "jsonl", "doccano", "prodigy", "labelstudio", "brat"]


class CorpusConfig(Settings):
    """One corpus on disk. A bare string is its path, with defaults for the rest."""

    bare = "path"

    path: str = ""
    """File, folder or zip archive of the corpus. Empty means that there is no such corpus."""
    labels: str = ""
    """Format `ccf` only: folder or zip archive of the label files. Empty looks for `X_label` beside `X_data`."""
    format: CorpusFormat = "auto"
    """Format of the corpus. `auto` recognises it by its files."""
    text_key: str = ""
    """Formats with keys only: key of the text. Empty takes `text`, or in a Label Studio task its only string."""
    categories: dict[str, str] = Field({})
    """New names of categories, by their names in the corpus. An empty new name drops the category."""


class DataConfig(Settings):
    """Corpora, how they are split, and where the processed data is kept."""

    train: CorpusConfig = Field(default_factory=CorpusConfig)
    """Training corpus."""
    dev: CorpusConfig = Field(default_factory=CorpusConfig)
    """Development corpus. If it is empty, `data.dev_share` of the training corpus takes its place."""
    test: CorpusConfig = Field(default_factory=CorpusConfig)
    """Test corpus, scored by `--mode eval --split test`. Nothing is chosen by its scores."""
    unlabelled: CorpusConfig = Field(default_factory=CorpusConfig)
    """Texts without labels. Their words join the lexicon, and some modes learn from them."""
    additional: list[CorpusConfig] = Field([])
    """Further training corpora. No dev part is drawn from them."""
    gold: str = ""
    """File of gold labels for some documents (data/corpus/gold.py). These score every run, and never train."""
    additional_leaks: Literal["drop", "keep", "refuse"] = "drop"
    """Additional documents that share text with a dev or test part: leave them out, use them, or stop with an error."""
    largest_file: int = Field(1024, ge=1, le=2**20)
    """Largest file in MiB that is read at once: a text, a member of a zip with all that it unpacks to, a line."""
    allow_unlabelled: bool = False
    """Whether train, dev, test and additional corpora may have no label, or lose more than half of their labels.

    Their texts then count as texts without entities.
    """
    categories: list[str] = Field([])
    """Categories to learn. An empty list takes all categories of the training corpus."""
    dev_share: Share = 0.1
    """Share of the training documents that becomes the dev part if `data.dev` is empty."""
    split_seed: int = Field(42, ge=0)
    """Random seed of the dev part and the folds. `run.seed` does not change them, so that seeds share a split."""
    max_len: int = Field(150, ge=8)
    """Longest segment of a document, in characters."""
    processed: str = ""
    """Folder of the processed data. Empty names it by the settings that shape the data, so that runs share it."""


class LexiconConfig(Settings):
    """Which words join the lattice, and what vectors they start from."""

    source: Literal["jieba", "vectors"] = "jieba"
    """Where words come from: jieba's dictionary, or the vocabulary of the vector file."""
    match: Literal["all", "segment", "none"] = "all"
    """Which words are found in a text: `all` words at every place, those of jieba's segmentation, or none."""
    shortest: int = Field(2, ge=1)
    """Characters of the shortest word. 1 lets single characters be words."""
    vectors: Literal["random", "encoder", "file", "none"] = "random"
    """Where word vectors come from. `none` is for networks that read only the places of words."""
    path: str = ""
    """Vectors `file` only: word2vec file, text or binary, plain or compressed with gzip, bzip2 or xz."""
    dimension: int = Field(50, ge=1)
    """Size of `random` vectors. Other vectors have a size of their own."""
    length: float = Field(0.0, ge=0)
    """Root mean square length that vectors are scaled to before training. 0 does not scale them."""
    tags: Literal["none", "lac"] = "none"
    """Where tags of words come from that characters carry. `lac` is Baidu's LAC, which also tags names and places."""

    def mistakes(self) -> Iterator[str]:
        if self.vectors == "file" and not self.path:
            yield "lexicon.path must name a word2vec file, because lexicon.vectors is file"
        if self.path and self.vectors != "file":
            yield f"lexicon.path is given, so lexicon.vectors ({self.vectors}) must be file"
        if self.source == "vectors" and self.vectors != "file":
            yield f"lexicon.source is vectors, so lexicon.vectors ({self.vectors}) must be file"


class EncoderConfig(Settings):
    """The character encoder."""

    name: str = "hfl/chinese-roberta-wwm-ext"
    """Pretrained encoder: a Hugging Face model id or a local folder. `scratch` makes an untrained one."""
    layers: int = Field(0, ge=0)
    """Number of layers to keep of a pretrained encoder, from the bottom. 0 keeps all."""
    output: Literal["last", "mix"] | Annotated[int, Field(ge=0)] = "last"
    """Layer whose states are used: the last, a learned mix of all, or one by number. 0 is the embeddings."""
    hidden: int = Field(128, ge=1)
    """Size of the states of a `scratch` encoder."""
    heads: int = Field(4, ge=1)
    """Attention heads of a `scratch` encoder."""
    depth: int = Field(2, ge=0)
    """Layers of a `scratch` encoder. 0 leaves only the embeddings."""
    feed_forward: int = Field(512, ge=1)
    """Size of the feed-forward layers of a `scratch` encoder."""

    def mistakes(self) -> Iterator[str]:
        if self.name == "scratch" and self.hidden % self.heads:
            yield f"encoder.hidden ({self.hidden}) must be a multiple of encoder.heads ({self.heads})"
        if self.name == "scratch" and self.layers > 0:
            yield (f"encoder.layers ({self.layers}) must be 0, because encoder.name is scratch; "
                   "the number of layers of a scratch encoder is encoder.depth")  # fmt: skip


TRADITIONAL = ("feature_crf", "forms", "lac", "rules")  # systems that are not networks; modules of model/traditional/


def systems() -> list[str]:
    """The values that `model.name` may have: the networks of model/networks/ and the traditional systems."""
    networks = (Path(__file__).parent / "model" / "networks").glob("*.py")
    return [*sorted(path.stem for path in networks if path.stem != "__init__"), *TRADITIONAL]


class ModelConfig(Settings):
    """The network that reads characters and words, and the head that finds spans."""

    name: str = Field("flat", json_schema_extra=lambda schema: schema.update(enum=[*systems()]))
    """System to train: a file of model/networks/, or a traditional one. `encoder` is the character encoder alone."""
    head: Literal["crf", "softmax", "span"] = "crf"
    """What finds spans: a CRF, a softmax for every character, or a score for every span (a global pointer)."""
    dropout: Share = 0.1
    """Dropout before the head."""
    prior: Share = 0.0
    """Probability of an entity that an untrained head predicts (Lin et al., 2017, section 3.3). 0 sets none."""

    @field_validator("name")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in systems():
            raise ValueError(f"must be a system of model/networks/ or model/traditional/{nearest(name, systems())}")
        return name


class CrfConfig(Settings):
    """The tags of the heads `crf` and `softmax`."""

    scheme: Literal["per_type", "bmes"] = "per_type"
    """`per_type` has a chain of tags for each category, so that spans may overlap. `bmes` has one for all."""


class FlatConfig(Settings):
    """The lattice transformer of FLAT (Li et al., ACL 2020), for model.name `flat`."""

    layers: int = Field(1, ge=1)
    """Transformer layers."""
    hidden: int = Field(160, ge=2)
    """Size of the states. It must be even and a multiple of `flat.heads`."""
    heads: int = Field(8, ge=1)
    """Attention heads."""
    feed_forward: int = Field(480, ge=1)
    """Size of the feed-forward layers."""
    fusion: Literal["ff", "ff_linear", "ff_two", "attn", "gate"] = "ff"
    """How the four distances of two spans become one vector (model/layers/position.py). `ff` is that of the paper."""
    dropout: Share = 0.15
    """Dropout of the inputs and within the layers."""


class ContextConfig(Settings):
    """The layer that reads the characters' vectors in order, for model.name bilstm, softword, exsoftword, softlexicon.

    The systems lattice_lstm and lr_cnn read in their own way and take only the size and the number of layers from here.
    """

    kind: Literal["lstm", "transformer", "none"] = "lstm"
    """A bidirectional LSTM, a transformer, or the vectors as they are."""
    layers: int = Field(1, ge=1)
    """Number of layers. For lr_cnn, the length in characters of the longest word and n-gram."""
    hidden: int = Field(200, ge=2)
    """Size of the states. For an LSTM or a CNN, both directions together."""
    dropout: Share = 0.5
    """Dropout before the layer and, for a transformer, within it."""

    def mistakes(self) -> Iterator[str]:
        if self.kind == "lstm" and self.hidden % 2:
            yield f"context.hidden ({self.hidden}) must be even, because an LSTM halves it between its two directions"
        if self.kind == "transformer" and self.hidden % 4:
            yield f"context.hidden ({self.hidden}) must be a multiple of 4, because a transformer has 4 attention heads"


class SpanConfig(Settings):
    """The span head (Su et al., Global Pointer, 2022), for model.head `span`."""

    shared: bool = True
    """Whether all categories share one query and key (Efficient Global Pointer)."""


class MrcConfig(Settings):
    """A question for every category (Li et al., ACL 2020), for model.name `mrc`."""

    queries: dict[str, str] = Field({})
    """Question of each category. If it is empty, the name of each category is its question."""
    asked: int = Field(0, ge=0)
    """Questions about a text in a training step, some with an answer and some without. 0 asks all."""

    def mistakes(self) -> Iterator[str]:
        if self.asked == 1:
            yield "mrc.asked (1) must be 0 for all questions, or at least 2: one with an answer and one without"


class FoldsConfig(Settings):
    """Cross-validation. Each training document is held out from one network at least."""

    count: int = Field(0, ge=0)
    """Number of folds, at least 2. 0 trains one network on one split."""
    disjoint: Literal["document", "entity"] = "document"
    """What a held-out fold and its training part do not share: near-duplicates, or labelled surface forms too.

    `entity` divides the labelled forms (CrossWeigh), not the documents. It removes many training documents, so it needs
    short texts or many folds.
    """
    repeats: int = Field(1, ge=1)
    """How often `--mode denoise` draws and trains the folds anew."""

    def mistakes(self) -> Iterator[str]:
        if self.count == 1:
            yield "folds.count (1) must be 0 for one split, or at least 2 for cross-validation"


class TrainConfig(Settings):
    """Optimisation, and which weights are kept."""

    epochs: int = Field(10, ge=1)
    """Passes over the training part."""
    batch_size: int = Field(16, ge=1)
    """Segments in a batch if `train.batch_tokens` is 0."""
    batch_tokens: int = Field(0, ge=0)
    """Characters in a batch, padding included. Batches then cost the same, however long their texts are."""
    accumulation: int = Field(1, ge=1)
    """Batches in an optimizer step."""
    encoder_rate: Positive = 3e-5
    """Learning rate of the encoder."""
    other_rate: Positive = 3e-3
    """Learning rate of everything that is neither encoder nor CRF transitions."""
    crf_rate: Positive = 3e-2
    """Learning rate of the CRF transitions."""
    weight_decay: float = Field(0.01, ge=0)
    """Weight decay, which biases, norms and transitions are exempt from."""
    schedule: Literal["linear", "cosine", "constant"] = "linear"
    """How learning rates decay after the warm-up."""
    warmup: Share = 0.1
    """Share of the optimizer steps in which learning rates rise."""
    layer_decay: float = Field(1.0, gt=0, le=1)
    """Learning rate of an encoder layer, as a factor of the rate of the layer above it."""
    freeze_epochs: int = Field(0, ge=0)
    """Epochs at the start in which the encoder is frozen."""
    unfreeze_every: int = Field(0, ge=0)
    """Epochs between unfreezing one encoder layer and the next, from the top down. 0 unfreezes all layers at once."""
    clip: float = Field(5.0, ge=0)
    """Largest norm of the gradient. 0 does not clip."""
    precision: Precision = "auto"
    """Precision of training. `auto` is bf16 where the device has instructions for it, else float32.

    Evaluation and prediction always use `auto`.
    """
    select: Literal["best", "last", "swa", "ema"] = "best"
    """Weights for evaluation and prediction: of the best dev score, of the last epoch, or averaged by the method named.

    With `last` and no early stopping, nothing is chosen by the dev score.
    """
    patience: int = Field(0, ge=0)
    """Epochs without a better dev F1 before training stops early. 0 never stops early."""
    start_from: str = ""
    """Folder of a trained run whose weights training begins with. Empty begins with the encoder's weights."""
    dynamics: bool = False
    """Whether the network judges its own training documents after each epoch but the first (`denoise.finder`)."""

    def mistakes(self) -> Iterator[str]:
        if self.freeze_epochs > self.epochs:
            yield f"train.freeze_epochs ({self.freeze_epochs}) must be at most train.epochs ({self.epochs})"
        if self.unfreeze_every and not self.freeze_epochs:
            yield (f"train.unfreeze_every ({self.unfreeze_every}) must be 0, because train.freeze_epochs is 0 and no "
                   "layer is frozen")  # fmt: skip


class PretrainConfig(Settings):
    """Masked-language-model training of the encoder on the corpora's text (`--mode pretrain`)."""

    epochs: int = Field(3, ge=1)
    """Passes over the texts."""
    rate: Positive = 5e-5
    """Learning rate."""


class AdversarialConfig(Settings):
    """Training on embeddings that are moved so that the loss grows (model/training/adversarial.py)."""

    method: Literal["none", "fgsm", "fgm", "pgd", "freelb", "vat"] = "none"
    """How the embeddings are moved. `vat` needs no labels."""
    targets: list[Literal["characters", "words"]] = Field(["characters"], min_length=1)
    """What is moved: the encoder's token embeddings, the word vectors, or both."""
    scope: Literal["sample", "matrix"] = "sample"
    """Whether each text is moved by itself, or the embedding matrix as a whole."""
    epsilon: Positive = 1.0
    """Size of the move: its norm or, for fgsm, its largest component."""
    step_size: Positive = 0.3
    """Methods pgd and freelb: length of a step."""
    steps: int = Field(3, ge=1)
    """Methods pgd and freelb: number of steps. Method vat: number of power iterations."""
    start_epoch: int = Field(0, ge=0)
    """Epochs before the first adversarial step."""
    unlabelled: bool = False
    """Method vat: whether each batch is joined by a batch of `data.unlabelled`."""

    def mistakes(self) -> Iterator[str]:
        if self.unlabelled and self.method != "vat":
            yield f"adversarial.unlabelled needs adversarial.method ({self.method}) to be vat: others need labels"


class AveragingConfig(Settings):
    """Running means of the weights, evaluated and saved beside the weights themselves."""

    method: Literal["none", "swa", "ema"] = "none"
    """A plain mean (`swa`) or an exponential one (`ema`)."""
    start_epoch: int = Field(1, ge=0)
    """Epochs before averaging begins."""
    unit: Literal["epoch", "step"] = "epoch"
    """Whether weights join the average after each epoch or after each optimizer step."""
    decay: Share = 0.999
    """Method ema: share of the average that stays at each update."""
    rate: Literal["schedule", "constant", "cyclic"] = "schedule"
    """Method swa: learning rates while it averages.

    `schedule` follows train.schedule. `constant` is half of the full rate. `cyclic` falls from the full rate to half of
    it between two updates.
    """

    def mistakes(self) -> Iterator[str]:
        if self.rate != "schedule" and self.method != "swa":
            yield f"averaging.rate ({self.rate}) must be schedule unless averaging.method ({self.method}) is swa"


class RegularisationConfig(Settings):
    """Small additions to the loss."""

    r_drop: float = Field(0.0, ge=0)
    """Weight of the divergence between two passes with different dropout (R-Drop, Liang et al., 2021)."""
    dropout_samples: int = Field(1, ge=1)
    """Dropout masks before the head, whose losses are averaged (Inoue, 2019)."""
    label_smoothing: Share = 0.0
    """Share of the loss whose target is the uniform distribution over tags."""


DoubtfulAction = Literal["keep", "mask", "mask_all", "weight", "remove"]
MissingAction = Literal["ignore", "mask", "mask_all", "weight", "add"]


class DenoiseConfig(Settings):
    """Labels are compared with out-of-fold predictions (experiments/denoising/decisions.py)."""

    finder: Literal["votes", "probability", "pooled", "confidence", "dynamics"] = "probability"
    """What labels are compared with: share of votes, mean probability, pooled probability, or self-set thresholds.

    `pooled` weighs the systems and needs `data.gold`. `confidence` takes its thresholds from the probabilities
    (confident learning). `dynamics` needs no folds: it takes the mean probability over the epochs of one training.
    """
    doubtful_below: float = Field(0.05, ge=0, le=1)
    """A label with a smaller share is doubtful if the networks find another span there or think it impossible."""
    missing_from: ShareOfMissing = 0.5
    """A span with at least this share that no label has is missing. Spans below 0.05 are not recorded."""
    missing_from_of: dict[str, ShareOfMissing] = Field({})
    """`denoise.missing_from` of single categories."""
    doubtful: DoubtfulAction = "mask"
    """What is done with doubtful labels.

    `mask` leaves the span's tags of its category out of the loss, `mask_all` those of all categories. `weight` mixes
    two losses: with the label, weighted by its share, and as `mask`, weighted by the rest.
    """
    missing: MissingAction = "mask"
    """What is done with missing spans: as for doubtful labels, or `add` them as labels."""
    voters: list[str] = Field([])
    """Further systems whose folds vote, by their names (`model.name`), such as feature_crf and forms."""
    rounds: int = Field(1, ge=1)
    """Rounds. The networks of a round train on the labels that the round before has cleaned."""
    pretrain: bool = False
    """Whether the encoder's pretraining goes on first (`--mode pretrain`). All networks then begin with the result."""
    truth: str = ""
    """Corpus with the true labels of the training documents, where noise was added on purpose.

    It measures the decisions. Nothing learns from it or is chosen by it.
    """

    @field_validator("voters")
    @classmethod
    def _known(cls, names: list[str]) -> list[str]:
        for name in names:
            if name not in systems():
                raise ValueError(f"unknown system {name}{nearest(name, systems())}")
        return names


class PseudoConfig(Settings):
    """Labels for unlabelled texts from votes (experiments/denoising/pseudo_labels.py)."""

    certain_from: float = Field(0.9, ge=0.1, le=1)
    """Probability from which a span becomes a label. From 0.1 up to it, a span is in doubt."""
    weight: Positive = 0.5
    """Weight of the loss of a text with such labels."""


class DictionaryConfig(Settings):
    """Learning from a dictionary and the texts of data.train and data.unlabelled (`--mode dictionary`)."""

    path: str = ""
    """Dictionary file: a surface form, a tab and its category on each line."""
    taken_from: str = ""
    """File with the ids of the documents whose labels made the dictionary. They are left out of all scores."""
    method: Literal["match", "direct", "bagging", "negatives", "loop"] = "match"
    """Method: `match` the dictionary only, rank span candidates of one category, or classify characters in a `loop`.

    The matched candidates are the positive examples. The negative ones are a random sample (`direct`), many samples
    (`bagging`) or known negatives (`negatives`).
    """
    category: str = ""
    """Methods direct, bagging and negatives: the category to find."""
    negatives: str = ""
    """Method negatives: file of surface forms that are not of the category, one a line."""
    rounds: int = Field(5, ge=1)
    """Method loop: largest number of rounds. It stops when the dictionary no longer grows."""
    unit: Literal["word", "character"] = "word"
    """Method loop: what is classified as a whole: a word of jieba's segmentation, or a character."""
    priors: dict[str, Annotated[float, Field(gt=0, lt=1)]] = Field({})
    """Method loop: class priors, the share of all characters that belong to a category."""
    prior: Literal["coverage", "elkan_noto", "found"] = "coverage"
    """Method loop: class priors of categories that `dictionary.priors` does not give.

    `coverage` divides what the first dictionary labels by `dictionary.coverage`. `elkan_noto` is the estimate of Elkan
    and Noto. `found` starts as `coverage`, and takes for all categories the share that the last round found.
    """
    coverage: float = Field(0.5, gt=0, le=1)
    """Method loop: share of a category's characters that the dictionary is assumed to label."""
    loss: Literal["cross_entropy", "absolute"] = "cross_entropy"
    """Method loop: loss of a character's probability. `absolute` is that of Peng et al. (2019), which is bounded."""

    def mistakes(self) -> Iterator[str]:
        if self.method in ("direct", "bagging", "negatives") and not self.category:
            yield f"dictionary.category must name the category that dictionary.method ({self.method}) is to find"
        if self.method == "negatives" and not self.negatives:
            yield "dictionary.negatives must name a file of surface forms, because dictionary.method is negatives"


PatternCategory = Literal["mobile", "email", "QQ", "vx"]  # the categories of model/reading/patterns.py


class MixConfig(Settings):
    """Several runs that read the same texts (`--runs`), and patterns that help them (model/reading/patterns.py)."""

    by: Literal["votes", "probability", "logistic"] = "votes"
    """How runs, and the folds of a run, decide on a span (model/reading/pool.py).

    By their votes, by the mean of their probabilities, or by a logistic function of these. `--mode tune` fits the last.
    With probabilities, `predict.min_probability` is the threshold, for a single network too.
    """
    weights: dict[str, Annotated[float, Field(ge=0)]] = Field({})
    """Weights of the runs, by their names. Other runs have 1."""
    bias: float = 0.0
    """`mix.by` logistic only: what is added to the weighted log odds of the runs."""
    min_votes: Share = 0.5
    """A span is kept if more than this share of the votes find it, or all."""
    min_votes_of: dict[str, Share] = Field({})
    """`mix.min_votes` of single categories."""
    back_up: list[PatternCategory] = Field([])
    """Categories in which patterns add spans that the votes leave out."""
    override: list[PatternCategory] = Field([])
    """Categories in which patterns alone decide."""

    def mistakes(self) -> Iterator[str]:
        if both := sorted(set(self.back_up) & set(self.override)):
            yield f"mix.back_up and mix.override must not both name {', '.join(both)}"


class PredictConfig(Settings):
    """Reading texts with a trained run."""

    batch_tokens: int = Field(4096, ge=1)
    """Characters in a batch, padding included."""
    min_votes: Share = 0.5
    """A span is kept if more than this share of the folds find it, or all."""
    min_probability: Share = 0.0
    """Spans with a smaller probability are left out."""
    min_probability_of: dict[str, Share] = Field({})
    """`predict.min_probability` of single categories."""


# ------------------------------------------------------------------------------------------------------ all of them


class Config(Settings):
    """All settings of a run."""

    run: RunConfig = Field(default_factory=RunConfig)
    data: DataConfig = Field(default_factory=DataConfig)
    lexicon: LexiconConfig = Field(default_factory=LexiconConfig)
    encoder: EncoderConfig = Field(default_factory=EncoderConfig)
    model: ModelConfig = Field(default_factory=ModelConfig)
    crf: CrfConfig = Field(default_factory=CrfConfig)
    flat: FlatConfig = Field(default_factory=FlatConfig)
    context: ContextConfig = Field(default_factory=ContextConfig)
    span: SpanConfig = Field(default_factory=SpanConfig)
    mrc: MrcConfig = Field(default_factory=MrcConfig)
    folds: FoldsConfig = Field(default_factory=FoldsConfig)
    train: TrainConfig = Field(default_factory=TrainConfig)
    pretrain: PretrainConfig = Field(default_factory=PretrainConfig)
    adversarial: AdversarialConfig = Field(default_factory=AdversarialConfig)
    averaging: AveragingConfig = Field(default_factory=AveragingConfig)
    regularisation: RegularisationConfig = Field(default_factory=RegularisationConfig)
    denoise: DenoiseConfig = Field(default_factory=DenoiseConfig)
    pseudo: PseudoConfig = Field(default_factory=PseudoConfig)
    dictionary: DictionaryConfig = Field(default_factory=DictionaryConfig)
    mix: MixConfig = Field(default_factory=MixConfig)
    predict: PredictConfig = Field(default_factory=PredictConfig)

    def mistakes(self) -> Iterator[str]:
        scratch, epochs = self.encoder.name == "scratch", self.train.epochs
        smoothing = self.regularisation.label_smoothing
        if self.model.name == "flat":
            if self.flat.hidden % self.flat.heads:
                yield f"flat.hidden ({self.flat.hidden}) must be a multiple of flat.heads ({self.flat.heads})"
            if self.flat.hidden % 2:
                yield f"flat.hidden ({self.flat.hidden}) must be even, for sinusoidal positions"
        if self.model.name == "mrc":
            for name in ("output", *(["depth"] if scratch else [])):
                if getattr(self.encoder, name) == 0:
                    yield f"encoder.{name} (0) must not be 0, because model.name mrc reads question and text together"
            if smoothing > 0:
                yield f"regularisation.label_smoothing ({smoothing}) must be 0, because model.name mrc has no tags"
        elif self.model.head == "span" and smoothing > 0:
            yield f"regularisation.label_smoothing ({smoothing}) must be 0, because model.head span has no tags"
        if self.model.name in TRADITIONAL and self.train.start_from:
            yield (f"train.start_from ({self.train.start_from}) must be empty, because model.name {self.model.name} is "
                   "not a network")  # fmt: skip
        if self.model.name == "softword" and self.lexicon.match != "segment":
            yield f"lexicon.match ({self.lexicon.match}) must be segment, because model.name is softword"
        if self.model.name == "lac" and self.lexicon.tags != "lac":
            yield f"lexicon.tags ({self.lexicon.tags}) must be lac, because model.name is lac"
        elif "lac" in self.denoise.voters and self.lexicon.tags != "lac":
            yield f"lexicon.tags ({self.lexicon.tags}) must be lac, because denoise.voters names lac"
        if self.denoise.finder == "dynamics" and self.model.name in TRADITIONAL:
            yield f"model.name ({self.model.name}) must be a network, because denoise.finder is dynamics: epochs vote"
        if self.denoise.finder == "dynamics" and self.denoise.voters:
            yield (f"denoise.voters ({', '.join(self.denoise.voters)}) must be empty, because denoise.finder dynamics "
                   "watches one training of model.name")  # fmt: skip
        if self.denoise.finder == "dynamics" and self.denoise.rounds > 1:
            yield f"denoise.rounds ({self.denoise.rounds}) must be 1, because denoise.finder is dynamics: one training"
        if self.denoise.finder == "pooled" and not self.data.gold:
            yield "data.gold is empty, but denoise.finder pooled chooses its weights on gold labels; name some"
        if self.model.name in self.denoise.voters:
            yield f"denoise.voters must not name {self.model.name}, because model.name is and votes anyway"
        if self.model.name == "mrc" and self.lexicon.tags != "none":
            yield f"lexicon.tags ({self.lexicon.tags}) must be none, because model.name mrc reads no tags"
        if scratch and self.denoise.pretrain:
            yield "denoise.pretrain must be false, because encoder.name is scratch: there is nothing to go on from"
        if scratch and self.train.freeze_epochs > 0:
            yield (f"train.freeze_epochs ({self.train.freeze_epochs}) must be 0, because encoder.name is scratch: "
                   "random weights are not worth keeping")  # fmt: skip
        if scratch and self.lexicon.vectors == "encoder":
            yield ("lexicon.vectors (encoder) must be random, because encoder.name is scratch: an untrained encoder "
                   "knows no words")  # fmt: skip
        if self.folds.count == 0 and not self.data.dev.path and self.data.dev_share == 0:
            no_dev_part = "because there is no dev part (data.dev is empty and data.dev_share is 0)"
            if self.train.select == "best":
                yield f"train.select (best) must be last, swa or ema, {no_dev_part}"
            if self.train.patience > 0:
                yield f"train.patience ({self.train.patience}) must be 0, {no_dev_part}"
        yield from self._mistakes_of_reading()
        yield from self._mistakes_of_adversarial_steps(epochs)
        yield from self._mistakes_of_averaging(epochs)

    def _mistakes_of_reading(self) -> Iterator[str]:
        if self.mix.by == "votes":
            if self.mix.bias:
                yield f"mix.bias ({self.mix.bias}) must be 0, because mix.by is votes; it is for logistic"
            return
        own = {"": self.predict.min_probability} | self.predict.min_probability_of
        for category, least in own.items():
            if least < LEAST_PROBABILITY:
                of = f"_of.{category}" if category else ""
                yield (f"predict.min_probability{of} ({least}) must be at least {LEAST_PROBABILITY}, because mix.by is "
                       f"{self.mix.by} and less probable spans are not recorded")  # fmt: skip

    def _mistakes_of_adversarial_steps(self, epochs: int) -> Iterator[str]:
        own = self.adversarial
        if own.method != "none" and own.start_epoch >= epochs:
            yield f"adversarial.start_epoch ({own.start_epoch}) must be less than train.epochs ({epochs})"
        if own.method != "none" and self.regularisation.r_drop > 0:
            yield (f"regularisation.r_drop ({self.regularisation.r_drop}) must be 0, or adversarial.method "
                   f"({own.method}) none: both read each batch several times")  # fmt: skip
        if own.unlabelled and own.method == "vat" and not self.data.unlabelled.path:
            yield "data.unlabelled must name a corpus, because adversarial.unlabelled is true"

    def _mistakes_of_averaging(self, epochs: int) -> Iterator[str]:
        own = self.averaging
        if self.train.select in ("swa", "ema") and self.train.select != own.method:
            yield f"averaging.method ({own.method}) must be {self.train.select}, because train.select is"
        if own.method == "none":
            return
        left = epochs - own.start_epoch
        if left <= 0:
            yield f"averaging.start_epoch ({own.start_epoch}) must be less than train.epochs ({epochs})"
        elif own.method == "ema" and own.unit == "epoch" and own.decay**left > 0.5:
            yield (f"averaging.decay ({own.decay}) must be smaller, or averaging.unit step: more than half of the "
                   f"first weights is left after {left} epochs (averaging.start_epoch to train.epochs)")  # fmt: skip

    @property
    def run_folder(self) -> Path:
        return Path(self.run.folder) / self.run.name

    @property
    def pretrained_folder(self) -> Path:
        return Path(f"{self.run_folder}_encoder")

    @property
    def denoise_folder(self) -> Path:
        return Path(f"{self.run_folder}_denoise")

    @property
    def dictionary_folder(self) -> Path:
        return Path(f"{self.run_folder}_dictionary")

    @property
    def processed_folder(self) -> Path:
        """Configurations with equal shaping settings share the default folder."""
        return Path(self.data.processed or f"data/processed/{shape_digest(self)}")


# Settings of `data` and `lexicon` that do not shape the processed data: they matter only when training, or only decide
# whether a corpus is refused.
NOT_SHAPING = {
    "data": (
        "dev_share",
        "split_seed",
        "processed",
        "additional_leaks",
        "gold",
        "allow_unlabelled",
        "largest_file",
    ),
    "lexicon": ("length",),
}


def shaping_settings(config: Config) -> dict[str, Any]:
    """The settings that the processed data depends on. Paths are as written."""
    settings: dict[str, Any] = {"data": config.data.model_dump(), "lexicon": config.lexicon.model_dump()}
    for section, names in NOT_SHAPING.items():
        for name in names:
            del settings[section][name]
    # Recorded only where it is set, so that data made before the setting existed is still up to date.
    for corpus in (settings["data"][name] for name in ("train", "dev", "test", "unlabelled")):
        _drop_empty(corpus, "text_key")
    for corpus in settings["data"]["additional"]:
        _drop_empty(corpus, "text_key")
    if config.lexicon.tags == "none":
        del settings["lexicon"]["tags"]
    # A constant now. It is still recorded, because data that was made with another value would differ.
    settings["data"]["duplicate_share"] = RETIRED["data.duplicate_share"]
    settings["encoder"] = {"name": config.encoder.name}
    if config.lexicon.vectors == "encoder":
        settings["encoder"] |= {"layers": config.encoder.layers, "output": config.encoder.output}
    return settings


def _drop_empty(settings: dict[str, Any], name: str) -> None:
    if not settings[name]:
        del settings[name]


def shape_digest(config: Config) -> str:
    """A digest, equal for configurations that can share processed data as long as the input files stay as they are."""
    shaped = json.dumps(shaping_settings(config), sort_keys=True)
    return hashlib.sha256(shaped.encode()).hexdigest()[:12]


# ------------------------------------------------------------------------------------------------------------ reading

# Settings of earlier versions, with the value that each always has now. A file of an earlier version, such as the
# config.yaml of a run, may still name them: this value is ignored, and any other is a mistake.
RETIRED: dict[str, Any] = {
    "data.duplicate_share": 0.5,
    "lexicon.trainable": True,
    "flat.shared_tables": True,
    "flat.learned_tables": False,
    "flat.scaled": False,
    "flat.attention_dropout": 0.0,
    "context.heads": 4,
    "span.size": 64,
    "mrc.rows": 64,
    "mrc.begin_weight": 1.0,
    "mrc.end_weight": 1.0,
    "mrc.match_weight": 1.0,
    "feature_crf.l1": 0.1,
    "feature_crf.l2": 0.01,
    "feature_crf.iterations": 100,
    "pretrain.output": Follows("the run's folder with _encoder added", lambda own: ("", str(own.pretrained_folder))),
    "pretrain.batch_tokens": 4096,
    "pretrain.warmup": 0.1,
    "pretrain.mask_share": 0.15,
    "pretrain.held_out": 0.02,
    "adversarial.weight": 1.0,
    "adversarial.same_dropout": False,
    "adversarial.start_step": 0,
    "averaging.every": 1,
    "averaging.rate_factor": 0.5,
    "denoise.unsupported_below": 1e-4,
    "denoise.overlapping": False,
    "denoise.doubtful_below_of": {},
    "denoise.least": 0.05,
    "denoise.compare": True,
    "pseudo.measure": "probability",
    "pseudo.certain_from_of": {},
    "pseudo.uncertain_from": 0.1,
    "dictionary.most_tokens": 4,
    "dictionary.most_characters": 20,
    "dictionary.sample_ratio": 1.0,
    "dictionary.bags": 30,
    "dictionary.threshold": 0.5,
    "dictionary.minimum_count": 3,
    "dictionary.agreement": 1.0,
    "dictionary.minimum_length": 2,
    "dictionary.positive_weight": Follows(
        "1 for dictionary.loss cross_entropy and 10 for absolute",
        lambda own: (10.0 if own.dictionary.loss == "absolute" else 1.0,),
    ),
    "dictionary.negative_risk": "clip",
    "dictionary.step_back_beyond": 0.0,
    "dictionary.step_back_discount": 1.0,
    # A run of an earlier version always has 64, which differs only for short segments and only in reading.
    "predict.overlap": Follows("half of data.max_len, at most 64", lambda own: (64, min(64, own.data.max_len // 2))),
    "predict.chunk": 512,
}


def load_config(paths: Iterable[str | Path] | None = None, overrides: Iterable[str] | None = None) -> Config:
    """Defaults, then each YAML file in turn, then each `section.key=value`.

    Raises:
        UserError: a file is missing or is not YAML. Or with a line for each mistake: unknown keys, values of the wrong
            type or out of bounds, and settings that contradict each other.
    """
    return change_config(Config(), read_layers(paths, overrides))


def from_dict(values: dict[str, Any], where: str) -> Config:
    """A configuration from nested dictionaries, as `to_dict` makes them. Raises UserError as `load_config` does."""
    return change_config(Config(), [(where, values)])


def change_config(config: Config, layers: Iterable[Layer]) -> Config:
    """A configuration with the values of some layers instead of its own. Raises UserError as `load_config` does."""
    return build(config, layers, RETIRED)


def to_dict(config: Config) -> dict[str, Any]:
    """Nested plain values; `from_dict` is the inverse."""
    return config.model_dump()


def save_config(config: Config, path: Path) -> None:
    """Write every setting as YAML."""
    path.write_text(yaml.safe_dump(to_dict(config), allow_unicode=True, sort_keys=False), encoding="utf-8")
