"""The files of a run. The folder holds all that a trained run needs, so it can be copied elsewhere and used there.

config.yaml               every setting
manifest.json             version, categories, size of the word vectors, and the digest of every file that is read
vocabulary.txt            the encoder's tokens
lexicon.txt               the words of the lattice
encoder/config.json       the encoder's shape; absent for a traditional system
fold0/best/               weights (safetensors) of the best epoch by dev F1
fold0/last/               weights of the last epoch, or the file of a traditional system
fold0/resume/             weights, optimizer and random states of an unfinished training
fold0/train.log, tensorboard/, metrics.json
fold0/trained_on.npy      digests of the training texts; started_from.json beside it: see model/start_from.py
eval/                     results of `--mode eval`
.lock                     the process that trains; the mark of a folder that a training has begun to fill
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor
from transformers import PretrainedConfig

from config import Config, from_dict, save_config, to_dict
from data.lattice.encoder_files import encoder_files
from data.lattice.lexicon import Lexicon, load_words, save_words
from data.lattice.tokenizer import Vocabulary
from model.encoder_description import describe_encoder, read_description
from utils.errors import UserError, looked_in
from utils.files import atomic_file, digest_file, full_disk, read_json
from utils.recorded_files import FILES, MANIFEST, RecordedFiles
from utils.yaml_files import read_yaml

VERSION = 4
WITHOUT_DIGESTS = 3  # the version of earlier runs, whose files are read unchecked
WEIGHTS_FILE = "model.safetensors"
LOCK, NEW = ".lock", ".new"  # see model/training/replacement.py
ENCODER = "encoder/config.json"
RECORDED = (".safetensors", ".crfsuite", ".json", ".npy")  # suffixes of files that are read again
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


def recorded_files(run: Path) -> RecordedFiles:
    """The files of a run, with the digests that its manifest holds."""
    return RecordedFiles(run, REMEDY)


def save_parts(parts: RunParts, run: Path) -> None:
    """Write all parts to the folder of a run."""
    files = recorded_files(run)
    # The manifest comes last: a folder without one is no run.
    unrecorded = FILES not in files.manifest()
    _write_parts(parts, run, atomic_file if unrecorded else files.write)
    contents = {
        "version": VERSION,
        "categories": parts.categories,
        "word_size": parts.word_size,
        "data": parts.data,
        "pretrained": parts.pretrained,
        "network": parts.encoder is not None,
    }
    files.record(contents, _files_to_record(run) if unrecorded else ())


def _files_to_record(run: Path) -> Iterator[Path]:
    """The parts, and the folds of an earlier version."""
    yield from (run / name for name in (*PART_NAMES, ENCODER) if (run / name).is_file() and name != MANIFEST)
    for fold in fold_folders(run).values():
        yield from (path for path in (*fold.glob("*"), *fold.glob("*/model.*")) if path.suffix in RECORDED)


def _write_parts(parts: RunParts, run: Path, write: Callable[[Path], AbstractContextManager[Path]]) -> None:
    with write(run / "config.yaml") as temporary:
        save_config(parts.config, temporary)
    with write(run / "vocabulary.txt") as temporary:
        parts.vocabulary.save(temporary)
    with write(run / "lexicon.txt") as temporary:
        save_words(parts.lexicon.words, temporary)
    if parts.encoder is not None:
        with write(run / ENCODER) as temporary:
            text = json.dumps(describe_encoder(parts.encoder), indent=2)
            temporary.write_text(text + "\n", encoding="utf-8")


def is_run(run: Path) -> bool:
    """Whether a training has made this folder, so that a training may replace what it left there."""
    if (run / LOCK).is_file():
        return True
    try:
        return {"version", "categories", "network"} <= set(recorded_files(run).manifest())
    except UserError:
        return False


def refuse_foreign_folder(run: Path) -> None:
    """Raise UserError if a folder holds anything and no training has made it: nothing in it may be replaced."""
    there = sorted(path.name for path in run.iterdir()) if run.is_dir() else []
    visible = [name for name in there if not name.startswith(".") or name == NEW]
    if visible and not is_run(run):
        raise UserError(f"{run}: holds {visible[0]} but is not a run, so nothing in it is replaced; name another run "
                        "with --set run.name=NAME")  # fmt: skip


def load_parts(run: Path) -> RunParts:
    """Read a run, except its weights.

    Raises:
        UserError: the folder is missing, incomplete or of another version, or a file has changed since training.
    """
    if not run.is_dir():
        raise UserError(f"{run}: no such run{looked_in(run)}; train it first with --mode train")
    if not (run / MANIFEST).exists():
        raise UserError(f"{run / MANIFEST}: no such file; the folder holds no complete run; {REMEDY}")
    _refuse_other_version(run)
    files = recorded_files(run)
    manifest = files.manifest()
    try:
        names = ["config.yaml", "vocabulary.txt", "lexicon.txt", *([ENCODER] if manifest["network"] else [])]
        for name in names:
            files.check(run / name)
        config = _load_config(run / "config.yaml")
        return RunParts(
            folder=run,
            config=config,
            categories=manifest["categories"],
            vocabulary=Vocabulary.load(run / "vocabulary.txt"),
            lexicon=Lexicon(load_words(run / "lexicon.txt"), config.lexicon.match, config.lexicon.tags),
            encoder=read_description(run / ENCODER, REMEDY) if manifest["network"] else None,
            word_size=manifest["word_size"],
            data=manifest["data"],
            pretrained=manifest.get("pretrained", ""),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{run}: damaged ({str(error).splitlines()[0]}); {REMEDY}") from None


def _refuse_other_version(run: Path) -> None:
    """Raise UserError before anything else is read, because other versions may write it in another way."""
    found = read_json(run / MANIFEST, REMEDY)
    version = found.get("version") if isinstance(found, dict) else None
    if version not in (VERSION, WITHOUT_DIGESTS):
        raise UserError(f"{run}: made by version {version!r:.20}, this is version {VERSION}; {REMEDY}")


def _load_config(path: Path) -> Config:
    values = read_yaml(path, f"no such file; {REMEDY}")
    # A truncated file may still be valid YAML. Defaults must not replace the settings that were lost.
    last = list(to_dict(Config()))[-1]
    if not isinstance(values, dict) or last not in values:
        raise ValueError(f"{path} ends before the section {last}")
    return from_dict(values, str(path))


def encoder_digest(name: str) -> str:
    """SHA-256 of all files of an encoder in a local folder, whose weights may be replaced; "" for a hub id."""
    stats = [(path, path.stat()) for path in encoder_files(name, weights=True)]
    return _digest_of_files(tuple((path, stat.st_size, stat.st_mtime_ns) for path, stat in stats)) if stats else ""


@functools.cache  # a grid calls this for every cell
def _digest_of_files(files: tuple[tuple[Path, int, int], ...]) -> str:
    return hashlib.sha256("".join(digest_file(path) for path, _, _ in files).encode()).hexdigest()


def save_weights(tensors: dict[str, Tensor], fold: Path, name: str) -> None:
    """Write the weights of a fold and record their digest. `name` is best, last or that of an average."""
    with recorded_files(fold.parent).write(weights_path(fold, name)) as temporary:
        write_tensors(tensors, temporary)


def load_weights(path: Path) -> dict[str, Tensor]:
    """Read the weights that `save_weights` wrote.

    Raises:
        UserError: the file is missing, damaged or not the one that was written, or a weight is not a finite number.
    """
    recorded_files(path.parents[2]).check(path)
    tensors = load_tensors(path)
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise UserError(f"{path}: {name} holds values that are not finite numbers; {REMEDY}")
    return tensors


def write_tensors(tensors: dict[str, Tensor], path: Path) -> None:
    """Write a safetensors file. Give a temporary path.

    Raises:
        UserError: it cannot be written.
    """
    contiguous = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    try:
        safetensors.torch.save_file(contiguous, path)
    except safetensors.SafetensorError as error:  # not an OSError, whatever went wrong
        raise full_disk(path.parent, str(error)) from None


def load_tensors(path: Path) -> dict[str, Tensor]:
    """Read a safetensors file.

    Raises:
        UserError: the file is missing or damaged.
    """
    try:
        return safetensors.torch.load_file(path)
    except FileNotFoundError:
        raise UserError(f"{path}: no such weights; {REMEDY}") from None
    except (safetensors.SafetensorError, OSError, ValueError, KeyError, OverflowError, MemoryError) as error:
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


def dynamics_files(fold: Path, epochs: int) -> list[Path]:
    """The vote files of the epochs of a training with `train.dynamics`: all but the first, if there are more."""
    return [fold / "dynamics" / f"epoch{epoch}.jsonl" for epoch in range(min(2, epochs), epochs + 1)]


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
    chosen = {name: value for name, value in epoch.items() if name.startswith(f"{weights}_")}
    return epoch | {name.removeprefix(f"{weights}_"): value for name, value in chosen.items()}


def read_metrics(fold: Path) -> dict[str, Any]:
    """The metrics.json of a fold folder."""
    recorded_files(fold.parent).check(fold / "metrics.json")
    return read_json(fold / "metrics.json", REMEDY)
