"""What settings may not be: out of range, or in contradiction with each other."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from utils.errors import UserError

if TYPE_CHECKING:
    from config import Config, DictionaryConfig


WITH_PATTERNS = ("mobile", "email", "QQ", "vx")  # categories of model/reading/patterns.py


def validate(config: Config) -> None:
    """Reject settings that contradict each other or can mean nothing.

    Raises:
        UserError: naming the settings and their values.
    """
    at_least = {
        "run.threads": 0, "run.workers": 0, "run.seed": 0, "data.max_len": 8, "data.split_seed": 0,
        "lexicon.dimension": 1, "encoder.layers": 0, "encoder.hidden": 1, "encoder.heads": 1, "encoder.depth": 0,
        "encoder.feed_forward": 1, "flat.layers": 1, "flat.hidden": 2, "flat.heads": 1, "flat.feed_forward": 1,
        "context.layers": 1, "context.hidden": 2, "context.heads": 1, "span.size": 2, "mrc.asked": 0, "mrc.rows": 1,
        "mrc.begin_weight": 0, "mrc.end_weight": 0, "mrc.match_weight": 0, "feature_crf.l1": 0,
        "feature_crf.l2": 0, "feature_crf.iterations": 1, "lexicon.shortest": 1, "lexicon.length": 0,
        "train.epochs": 1, "train.batch_size": 1, "train.batch_tokens": 0, "train.accumulation": 1,
        "train.freeze_epochs": 0, "train.unfreeze_every": 0, "train.clip": 0, "train.patience": 0,
        "train.weight_decay": 0, "folds.count": 0, "folds.repeats": 1, "pretrain.epochs": 1, "pretrain.batch_tokens": 1,
        "adversarial.steps": 1, "adversarial.start_epoch": 0, "adversarial.start_step": 0, "averaging.start_epoch": 0,
        "averaging.every": 1, "regularisation.r_drop": 0, "regularisation.dropout_samples": 1, "denoise.rounds": 1,
        "predict.batch_tokens": 1, "predict.overlap": 0, "predict.chunk": 1,
        "dictionary.most_tokens": 1, "dictionary.most_characters": 1, "dictionary.bags": 2, "dictionary.rounds": 1,
        "dictionary.minimum_count": 1, "dictionary.minimum_length": 1, "dictionary.step_back_beyond": 0,
    }  # fmt: skip
    for name, least in at_least.items():
        if (value := _get(config, name)) < least:
            raise UserError(f"{name} is {value}; it must be at least {least}")
    for name in ("train.encoder_rate", "train.other_rate", "train.crf_rate", "train.layer_decay",
                 "data.duplicate_share", "pretrain.rate", "pretrain.mask_share", "adversarial.epsilon",
                 "adversarial.step_size", "adversarial.weight", "averaging.rate_factor", "denoise.least",
                 "denoise.missing_from", "pseudo.uncertain_from", "pseudo.certain_from", "pseudo.weight",
                 "dictionary.sample_ratio", "dictionary.agreement", "dictionary.coverage", "dictionary.positive_weight",
                 "dictionary.step_back_discount"):  # fmt: skip
        if (value := _get(config, name)) <= 0:
            raise UserError(f"{name} is {value}; it must be above 0")
    shares = {f"mix.min_votes_of.{category}": share for category, share in config.mix.min_votes_of.items()}
    for name in ("data.dev_share", "train.warmup", "flat.dropout", "flat.attention_dropout", "model.dropout",
                 "model.prior", "context.dropout", "pretrain.warmup", "pretrain.mask_share", "pretrain.held_out",
                 "averaging.decay", "regularisation.label_smoothing", "denoise.least", "dictionary.threshold",
                 "mix.min_votes", "predict.min_votes", "predict.min_probability"):  # fmt: skip
        shares[name] = _get(config, name)
    for name, value in shares.items():
        if not 0 <= value < 1:
            raise UserError(f"{name} is {value}; it must be at least 0 and below 1")
    _refuse_shares(config)

    adversarial, averaging = config.adversarial, config.averaging
    contradictions = [
        (not config.run.name or Path(config.run.name).name != config.run.name or config.run.name in (".", ".."),
         f"run.name is {config.run.name!r}; it names one folder inside run.folder"),
        (config.model.name == "flat" and config.flat.hidden % config.flat.heads,
         f"flat.hidden {config.flat.hidden} cannot be divided among flat.heads {config.flat.heads}"),
        (config.model.name == "flat" and config.flat.hidden % 2,
         f"flat.hidden is {config.flat.hidden}; sinusoidal positions need an even number"),
        (config.context.kind == "lstm" and config.context.hidden % 2,
         f"context.hidden is {config.context.hidden}; an LSTM halves it between its two directions"),
        (config.context.kind == "transformer" and config.context.hidden % config.context.heads,
         f"context.hidden {config.context.hidden} cannot be divided among context.heads {config.context.heads}"),
        (config.span.size % 2, f"span.size is {config.span.size}; rotary positions need an even number"),
        (config.model.name == "mrc" and config.mrc.asked == 1,
         "mrc.asked is 1; take 0 for all questions, or 2 and more: some with an answer and one without"),
        (config.model.name == "mrc" and (config.encoder.output == 0
         or (config.encoder.name == "scratch" and config.encoder.depth == 0)),
         "model.name mrc needs an encoder that reads question and text together, but encoder.depth or encoder.output "
         "is 0; choose another system, or more layers"),
        (config.model.name == "mrc" and config.regularisation.label_smoothing > 0,
         "regularisation.label_smoothing smooths tags, and model.name mrc has none; set it to 0"),
        (config.model.head == "span" and config.regularisation.label_smoothing > 0,
         "regularisation.label_smoothing smooths tags, and model.head is span; set it to 0"),
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
        (config.model.name == "softword" and config.lexicon.match != "segment",
         f"model.name softword reads one segmentation, but lexicon.match is {config.lexicon.match}; set it to segment"),
        (config.folds.count == 1, "folds.count is 1; take 0 for one split, or 2 and more for cross-validation"),
        (config.folds.count == 0 and not config.data.dev.path and config.data.dev_share == 0
         and (config.train.select == "best" or config.train.patience > 0),
         "there is no dev part (data.dev is empty, data.dev_share 0), so set train.select to last and patience to 0"),
        (config.train.layer_decay > 1, f"train.layer_decay is {config.train.layer_decay}; it must be at most 1"),
        (config.train.unfreeze_every and not config.train.freeze_epochs,
         "train.unfreeze_every thaws what train.freeze_epochs froze, but that is 0; set it to 1 or more"),
        (not adversarial.targets, "adversarial.targets is empty; name characters, words, or both"),
        (adversarial.method != "none" and adversarial.start_epoch >= config.train.epochs,
         f"adversarial.start_epoch {adversarial.start_epoch} never comes in train.epochs {config.train.epochs}"),
        (adversarial.method != "none" and config.regularisation.r_drop > 0,
         f"regularisation.r_drop and adversarial.method {adversarial.method} both read every batch several times; "
         "choose one of them"),
        (adversarial.unlabelled and adversarial.method != "vat",
         f"adversarial.unlabelled needs adversarial.method vat: {adversarial.method} needs labels"),
        (adversarial.unlabelled and not config.data.unlabelled.path,
         "adversarial.unlabelled is set, but data.unlabelled is empty; name a corpus"),
        (averaging.method != "none" and averaging.start_epoch >= config.train.epochs,
         f"averaging.start_epoch {averaging.start_epoch} never comes in train.epochs {config.train.epochs}"),
        (averaging.method != "none" and averaging.unit == "epoch"
         and averaging.every > config.train.epochs - averaging.start_epoch,
         f"averaging.every {averaging.every} epochs after {averaging.start_epoch} never comes in train.epochs "
         f"{config.train.epochs}"),
        (averaging.method == "ema" and averaging.unit == "epoch"
         and averaging.decay ** (config.train.epochs - averaging.start_epoch) > 0.5,
         f"averaging.decay {averaging.decay} an epoch keeps more than half of the first weights to the end; set "
         "averaging.unit to step, or a smaller decay"),
        (averaging.rate != "schedule" and averaging.method != "swa",
         f"averaging.rate {averaging.rate} belongs to averaging.method swa, not {averaging.method}"),
        (config.train.select in ("swa", "ema") and config.train.select != averaging.method,
         f"train.select is {config.train.select}, but averaging.method is {averaging.method}"),
        (config.predict.overlap >= config.data.max_len,
         f"predict.overlap {config.predict.overlap} must be smaller than data.max_len {config.data.max_len}"),
        (bool(impossible_weights := {name: w for name, w in config.mix.weights.items() if w < 0}),
         "mix.weights: {} is {}; a vote cannot count for less than 0".format(
             *next(iter(impossible_weights.items()), ("", "")))),
        (bool(both := set(config.mix.back_up) & set(config.mix.override)),
         f"mix.back_up and mix.override both name {', '.join(sorted(both))}; choose one of them"),
        (bool(unknown := [one for one in (*config.mix.back_up, *config.mix.override) if one not in WITH_PATTERNS]),
         f"mix names {', '.join(unknown)}, but only {', '.join(WITH_PATTERNS)} have patterns"),
        *_dictionary_contradictions(config.dictionary),
    ]  # fmt: skip
    for wrong, message in contradictions:
        if wrong:
            raise UserError(message)


def _refuse_shares(config: Config) -> None:
    """Shares of votes run from 0 to 1, and none can be asked for that is too small to be written down."""
    denoise, pseudo = config.denoise, config.pseudo
    shares = {"denoise.doubtful_below": denoise.doubtful_below, "denoise.missing_from": denoise.missing_from,
              "denoise.unsupported_below": denoise.unsupported_below,
              "pseudo.certain_from": pseudo.certain_from, "pseudo.uncertain_from": pseudo.uncertain_from}  # fmt: skip
    for name, of in (("denoise.doubtful_below_of", denoise.doubtful_below_of),
                     ("denoise.missing_from_of", denoise.missing_from_of),
                     ("pseudo.certain_from_of", pseudo.certain_from_of)):  # fmt: skip
        shares |= {f"{name}.{category}": share for category, share in of.items()}
    for name, share in shares.items():
        if not 0 <= share <= 1:
            raise UserError(f"{name} is {share}; it must be from 0 to 1")
        if share < denoise.least and "below" not in name:  # labels are written down in any case
            raise UserError(f"{name} {share} is below denoise.least {denoise.least}: such spans are not written down")
    for name in ("pseudo.certain_from", *(f"pseudo.certain_from_of.{category}" for category in pseudo.certain_from_of)):
        if shares[name] < pseudo.uncertain_from:
            raise UserError(f"{name} {shares[name]} is below pseudo.uncertain_from {pseudo.uncertain_from}")


def _dictionary_contradictions(dictionary: DictionaryConfig) -> list[tuple[bool, str]]:
    of_candidates = dictionary.method in ("direct", "bagging", "negatives")
    impossible = {name: prior for name, prior in dictionary.priors.items() if not 0 < prior < 1}
    return [
        (of_candidates and not dictionary.category,
         f"dictionary.method {dictionary.method} finds one category; name it with dictionary.category"),
        (dictionary.method == "negatives" and not dictionary.negatives,
         "dictionary.method is negatives, but dictionary.negatives is empty; name a file of surface forms"),
        (dictionary.agreement > 1, f"dictionary.agreement is {dictionary.agreement}; it must be at most 1"),
        (dictionary.coverage > 1, f"dictionary.coverage is {dictionary.coverage}; it must be at most 1"),
        (bool(impossible), "dictionary.priors: {} is {}; a share of the characters lies between 0 and 1".format(
            *next(iter(impossible.items()), ("", "")))),
    ]  # fmt: skip


def _get(config: Config, dotted: str) -> Any:
    section, name = dotted.split(".")
    return getattr(getattr(config, section), name)
