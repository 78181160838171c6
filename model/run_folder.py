"""The files of a run. The folder holds all that a trained run needs, so it can be copied elsewhere and used there.

config.yaml               every setting
manifest.json             version, categories, digest of the lexicon, size of its vectors
vocabulary.txt            the encoder's tokens
lexicon.txt               the words of the lattice
encoder/config.json       the encoder's shape; absent for a traditional system
fold0/best/               weights (safetensors) of the best epoch by dev F1
fold0/last/               weights of the last epoch, or the file of a traditional system
fold0/resume/             weights, optimizer and random states of an unfinished training
fold0/train.log, tensorboard/, metrics.json
fold0/trained_on.npy      digests of the training texts; started_from.json beside it: see model/start_from.py
eval/, predictions/       results of `--mode eval` and `--mode predict`
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
from data.lattice.encoder_files import encoder_files
from data.lattice.lexicon import Lexicon, load_words, save_words
from data.lattice.tokenizer import Vocabulary
from utils.errors import UserError, looked_in
from utils.files import atomic_file, digest_file, read_json, write_json

VERSION = 3
WEIGHTS_FILE = "model.safetensors"
MANIFEST = "manifest.json"
PART_NAMES = ("config.yaml", "vocabulary.txt", "lexicon.txt", "encoder", MANIFEST)  # that `save_parts` writes
REMEDY = "train again, or name another run with --set run.name=NAME"


@dataclass
class RunParts:
    """All of a run except its weights: what rebuilds the network and its input."""

    folder: Path  # of the run
    config: Config
    categories: list[str]
    vocabulary: Vocabulary
    lexicon: Lexicon
    encoder: PretrainedConfig | None  # None for a traditional system
    word_size: int
    data: str  # digest of the processed data that the run was trained on
    pretrained: str = ""  # digest of the files of the local encoder that training started from


def fold_folder(run: Path, fold: int) -> Path:
    """The folder of a fold's weights and logs. A run without folds has fold 0."""
    return run / f"fold{fold}"


def save_parts(parts: RunParts, run: Path) -> None:
    """Write all parts to the folder of a run."""
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
    write_json(run / MANIFEST, manifest)


def load_parts(run: Path) -> RunParts:
    """Read a run, except its weights.

    Raises:
        UserError: the folder is missing, incomplete or of another version, or its lexicon has changed since training.
    """
    if not run.is_dir():
        raise UserError(f"{run}: no such run{looked_in(run)}; train it first with --mode train")
    manifest = read_json(run / MANIFEST, f"the folder holds no complete run; {REMEDY}")
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
    # A truncated file may still be valid YAML. Defaults must not replace the settings that were lost.
    last = list(to_dict(Config()))[-1]
    if last not in (values or {}):
        raise ValueError(f"{path} ends before the section {last}")
    return from_dict(values, str(path))


def _load_encoder(folder: Path) -> PretrainedConfig:
    if not (folder / "config.json").is_file():  # otherwise transformers looks for a model of that name on the hub
        raise FileNotFoundError(f"no {folder / 'config.json'}")
    return AutoConfig.from_pretrained(folder)


def encoder_digest(name: str) -> str:
    """SHA-256 of all files of an encoder in a local folder, whose weights may be replaced; "" for a hub id."""
    stats = [(path, path.stat()) for path in encoder_files(name, weights=True)]
    return _digest_of_files(tuple((path, stat.st_size, stat.st_mtime_ns) for path, stat in stats)) if stats else ""


@functools.cache  # a grid calls this for every cell
def _digest_of_files(files: tuple[tuple[Path, int, int], ...]) -> str:
    return hashlib.sha256("".join(digest_file(path) for path, _, _ in files).encode()).hexdigest()


def lexicon_digest(words: list[str]) -> str:
    """SHA-256 of the words in their order."""
    return hashlib.sha256("\n".join(words).encode()).hexdigest()


def save_tensors(tensors: dict[str, Tensor], path: Path) -> None:
    """Write a safetensors file atomically."""
    with atomic_file(path) as temporary:
        contiguous = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        safetensors.torch.save_file(contiguous, temporary)


def load_tensors(path: Path) -> dict[str, Tensor]:
    """Read a safetensors file.

    Raises:
        UserError: the file is missing or damaged.
    """
    try:
        return safetensors.torch.load_file(path)
    except FileNotFoundError:
        raise UserError(f"{path}: no such weights; {REMEDY}") from None
    except (safetensors.SafetensorError, OSError) as error:
        raise UserError(f"{path}: damaged or cut short ({error}); {REMEDY}") from None


def trained_folds(
    run: Path, select: str, only: Sequence[int] | None = None, filename: str = WEIGHTS_FILE
) -> dict[int, Path]:
    """The weight files of a run by fold number, in order.

    Args:
        run: the run's folder.
        select: which weights, as `train.select`.
        only: these folds; all trained folds by default.
        filename: of the weights.

    Raises:
        UserError: the run has no such weights, or a fold in `only` is not trained.
    """
    found = {fold: weights_path(folder, select, filename) for fold, folder in fold_folders(run).items()}
    found = {fold: path for fold, path in found.items() if path.exists()}
    if not found:
        raise UserError(f"{run}: no trained weights ({select}); {REMEDY}")
    if missing := [fold for fold in only or () if fold not in found]:
        raise UserError(f"{run}: fold {missing[0]} is not trained; trained are {', '.join(map(str, found))}")
    return found if only is None else {fold: found[fold] for fold in only}


def fold_folders(run: Path) -> dict[int, Path]:
    """The folders of all folds by number, in order."""
    numbers = (folder.name.removeprefix("fold") for folder in run.glob("fold*"))
    return {fold: fold_folder(run, fold) for fold in sorted(int(number) for number in numbers if number.isdecimal())}


def weights_path(fold: Path, select: str, filename: str = WEIGHTS_FILE) -> Path:
    """The weight file of a fold folder. `select` is best, last or the name of an average."""
    return fold / select / filename


def selected_epoch(metrics: dict[str, Any]) -> dict[str, Any]:
    """The record of the epoch whose weights `train.select` chooses, with the scores of those weights."""
    best = metrics["selected"] == "best"
    epoch = dict(metrics["history"][metrics["best_epoch"] - 1 if best else -1])
    weights = metrics.get("best_weights", "last") if best else metrics["selected"]
    for score in ("precision", "recall", "f1"):
        if weights != "last" and f"{weights}_{score}" in epoch:
            epoch[score] = epoch[f"{weights}_{score}"]
    return epoch


def read_metrics(fold: Path) -> dict[str, Any]:
    """The metrics.json of a fold folder."""
    return read_json(fold / "metrics.json", REMEDY)
