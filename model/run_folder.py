"""The run folder: everything that a trained run needs, so that it can be copied elsewhere and used there.

config.yaml               every setting
manifest.json             version, categories, digest of the lexicon, size of its vectors
vocabulary.txt            the encoder's tokens
lexicon.txt               the words of the lattice
encoder/config.json       the encoder's shape, if the system is a network
fold0/best/               weights (safetensors) of the best epoch by dev F1
fold0/last/               weights of the last epoch, or the file of a system that is no network; optimizer and
                          random states while training goes on
fold0/train.log, tensorboard/, metrics.json
eval/, predictions/       what `--mode eval` and `--mode predict` wrote
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import yaml
from torch import Tensor
from transformers import AutoConfig, PretrainedConfig

from config import Config, from_dict, save_config, to_dict
from data.lattice.lexicon import Lexicon, load_words, save_words
from data.lattice.tokenizer import Vocabulary, encoder_files
from utils.errors import UserError, looked_in
from utils.files import atomic_file, digest_file, read_json, write_json
from utils.settings import merge, read_layers, read_setting

VERSION = 3
# What a run may use and where things are, which changes nothing of what is learned.
FREE = {"run.name", "run.folder", "run.device", "run.threads", "run.workers", "data.processed"}
LATER = ("mix", "predict")  # sections that say how a trained run reads
REMEDY = "train again, or name another run with --set run.name=NAME"


@dataclass
class RunParts:
    """What rebuilds the network and its input, apart from the weights; `folder` is the run's."""

    folder: Path
    config: Config
    categories: list[str]
    vocabulary: Vocabulary
    lexicon: Lexicon
    encoder: PretrainedConfig | None  # none where the system is no network
    word_size: int
    data: str  # digest of the processed data it was trained on
    pretrained: str = ""  # digest of the files of a local encoder it began with


def fold_folder(run: Path, fold: int) -> Path:
    """Where a fold keeps its weights and logs; a run without folds is fold 0."""
    return run / f"fold{fold}"


def save_parts(parts: RunParts) -> None:
    """Write all but the weights."""
    run = parts.folder
    with atomic_file(run / "config.yaml") as temporary:
        save_config(parts.config, temporary)
    with atomic_file(run / "vocabulary.txt") as temporary:
        parts.vocabulary.save(temporary)
    with atomic_file(run / "lexicon.txt") as temporary:
        save_words(parts.lexicon.words, temporary)
    if parts.encoder is not None:
        parts.encoder.save_pretrained(run / "encoder")
    manifest = {
        "version": VERSION,
        "categories": parts.categories,
        "lexicon": lexicon_digest(parts.lexicon.words),
        "word_size": parts.word_size,
        "data": parts.data,
        "pretrained": parts.pretrained,
        "network": parts.encoder is not None,
    }
    write_json(run / "manifest.json", manifest)


def load_parts(run: Path) -> RunParts:
    """Read all but the weights.

    Raises:
        UserError: the folder is missing, incomplete, of another version, or its lexicon is not the one trained with.
    """
    if not run.is_dir():
        raise UserError(f"{run}: no such run{looked_in(run)}; train it first with --mode train")
    manifest = read_json(run / "manifest.json", f"this is no finished run folder; {REMEDY}")
    try:
        if manifest["version"] != VERSION:
            raise UserError(f"{run}: made by version {manifest['version']}, this is version {VERSION}; {REMEDY}")
        config = _load_config(run / "config.yaml")
        words = load_words(run / "lexicon.txt")
        if lexicon_digest(words) != manifest["lexicon"]:
            raise UserError(f"{run / 'lexicon.txt'}: not the lexicon that this run was trained with; {REMEDY}")
        return RunParts(
            folder=run,
            config=config,
            categories=manifest["categories"],
            vocabulary=Vocabulary.load(run / "vocabulary.txt"),
            lexicon=Lexicon(words, config.lexicon.match),
            encoder=_load_encoder(run / "encoder") if manifest["network"] else None,
            word_size=manifest["word_size"],
            data=manifest["data"],
            pretrained=manifest.get("pretrained", ""),
        )
    except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError) as error:
        raise UserError(f"{run}: damaged ({str(error).splitlines()[0]}); {REMEDY}") from None


def _load_config(path: Path) -> Config:
    values = yaml.safe_load(path.read_text(encoding="utf-8"))
    # A file that was cut short may still be YAML, and defaults must not take the place of what is lost.
    last = list(to_dict(Config()))[-1]
    if last not in (values or {}):
        raise ValueError(f"{path} ends before the section {last}")
    return from_dict(values, str(path))


def _load_encoder(folder: Path) -> PretrainedConfig:
    if not (folder / "config.json").is_file():  # transformers would look for a model of that name on the hub
        raise FileNotFoundError(f"no {folder / 'config.json'}")
    return AutoConfig.from_pretrained(folder)


def open_run(
    folder: Path, files: list[str | Path] | None, overrides: list[str] | None, among_others: bool = False
) -> tuple[RunParts, list[str]]:
    """The trained run in this folder, to score it or to read texts with it.

    A run keeps the settings it was trained with, but for those of `mix` and `predict`, the device, and where things are
    (`FREE`), which the command line may change.

    Args:
        folder: of the run.
        files, overrides: of the command line; both must have passed `load_config`.
        among_others: several runs are opened, so that a file's `data.processed`, which is one place, is not theirs.

    Returns:
        The run; and those settings that a file names with another value than the run's own, which has no effect.

    Raises:
        UserError: no such run, or `--set` would change what only training can change.
    """
    parts = load_parts(folder)
    own, layers = parts.config, list(read_layers(files, overrides))
    given_in = {(section, name): where for where, values in layers for section in values
                for name in values[section] or () if hasattr(getattr(own, section, None), name)}  # fmt: skip
    values, _ = merge(own, layers)
    without_effect = []
    for (section, name), where in given_in.items():
        dotted, from_file = f"{section}.{name}", not where.startswith("--set")
        free = dotted in FREE and not (among_others and from_file and dotted == "data.processed")
        settings = getattr(own, section)
        before, now = getattr(settings, name), read_setting(type(settings), name, values[section][name])
        if section in LATER or free:
            setattr(settings, name, now)
        elif now != before and from_file:
            without_effect.append(dotted)
        elif now != before:
            raise UserError(
                f"{where}: {folder} was trained with {dotted} {before}; "
                f"without training again only mix.*, predict.*, {', '.join(sorted(FREE))} can be set"
            )
    own.run.name, own.run.folder = folder.name, str(folder.parent)
    parts.config = from_dict(to_dict(own), str(folder))
    return parts, without_effect


def refuse_other_run(run: Path, config: Config, data: str) -> None:
    """A stopped run goes on only as it began.

    Raises:
        UserError: the run in this folder has other settings, or was trained on other data or from another encoder.
    """
    if not (run / "manifest.json").exists():
        return
    parts = load_parts(run)
    remedy = "start without --resume, or give the run another name with --set run.name=NAME"
    if parts.data != data:
        raise UserError(f"{run}: was trained on other processed data; {remedy}")
    if parts.pretrained and parts.pretrained != encoder_digest(config.encoder.name):
        raise UserError(f"{run}: began with other weights than {config.encoder.name} holds now; {remedy}")
    began, now = to_dict(parts.config), to_dict(config)
    for section, values in now.items():
        for name, value in values.items():
            if f"{section}.{name}" not in FREE and section not in LATER and began[section][name] != value:
                raise UserError(f"{run}: began with {section}.{name} {began[section][name]}, not {value}; {remedy}")


def encoder_digest(name: str) -> str:
    """SHA-256 of all files of an encoder in a local folder, whose weights may be replaced; empty of any other."""
    stats = [(path, path.stat()) for path in encoder_files(name, weights=True)]
    return _digest_of_files(tuple((path, stat.st_size, stat.st_mtime_ns) for path, stat in stats)) if stats else ""


@functools.cache  # a grid asks for every cell
def _digest_of_files(files: tuple[tuple[Path, int, int], ...]) -> str:
    return hashlib.sha256("".join(digest_file(path) for path, _, _ in files).encode()).hexdigest()


def reading_settings(config: Config) -> dict[str, Any]:
    """The settings of how a trained run reads, which its scores depend on and its training does not."""
    values = to_dict(config)
    return {section: values[section] for section in LATER}


def lexicon_digest(words: list[str]) -> str:
    """SHA-256 of the words in their order."""
    return hashlib.sha256("\n".join(words).encode()).hexdigest()


def save_tensors(tensors: dict[str, Tensor], path: Path, metadata: dict[str, str] | None = None) -> None:
    """Write tensors as safetensors, whole or not at all."""
    with atomic_file(path) as temporary:
        contiguous = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        safetensors.torch.save_file(contiguous, temporary, metadata)


def load_tensors(path: Path) -> dict[str, Tensor]:
    """Read tensors.

    Raises:
        UserError: the file is missing or cut short.
    """
    try:
        return safetensors.torch.load_file(path)
    except FileNotFoundError:
        raise UserError(f"{path}: no such weights; {REMEDY}") from None
    except (safetensors.SafetensorError, OSError) as error:
        raise UserError(f"{path}: damaged or cut short ({error}); {REMEDY}") from None


def trained_folds(
    run: Path, select: str, only: Sequence[int] | None = None, filename: str = "model.safetensors"
) -> dict[int, Path]:
    """The weight files of a run by fold, in order; of the folds `only`, or of all.

    Raises:
        UserError: none are there, or not all that are asked for.
    """
    found = {fold: weights_path(folder, select, filename) for fold, folder in fold_folders(run).items()}
    found = {fold: path for fold, path in found.items() if path.exists()}
    if not found:
        raise UserError(f"{run}: no trained weights ({select}); {REMEDY}")
    if missing := [fold for fold in only or () if fold not in found]:
        raise UserError(f"{run}: fold {missing[0]} is not trained; trained are {', '.join(map(str, found))}")
    return found if only is None else {fold: found[fold] for fold in only}


def fold_folders(run: Path) -> dict[int, Path]:
    """The folders of all folds, in order."""
    numbers = (folder.name.removeprefix("fold") for folder in run.glob("fold*"))
    return {fold: fold_folder(run, fold) for fold in sorted(int(number) for number in numbers if number.isdecimal())}


def weights_path(fold: Path, select: str, filename: str = "model.safetensors") -> Path:
    """`best` or `last` weights of a fold; what is no network has a file of another name, and no best."""
    return fold / select / filename


def selected_epoch(metrics: dict[str, Any]) -> dict[str, Any]:
    """Of a fold's metrics, the epoch whose weights its run selects, with their scores as precision, recall and f1."""
    best = metrics["selected"] == "best"
    epoch = dict(metrics["history"][metrics["best_epoch"] - 1 if best else -1])
    weights = metrics.get("best_weights", "last") if best else metrics["selected"]
    for score in ("precision", "recall", "f1"):
        if weights != "last" and f"{weights}_{score}" in epoch:
            epoch[score] = epoch[f"{weights}_{score}"]
    return epoch


def read_metrics(fold: Path) -> dict[str, Any]:
    """What training wrote of a fold."""
    return read_json(fold / "metrics.json", REMEDY)
