"""From processed data to trained folds: what `--mode train` does."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from accelerate import Accelerator

from config import Config
from data.processed import Processed
from data.split import Split, describe_left_out, make_splits
from model.run_folder import LOCK, fold_folders, read_metrics, recorded_files, refuse_foreign_folder
from model.run_settings import refuse_other_run
from model.traditional import is_traditional
from model.traditional.fold import train_traditional
from model.training.accelerator import make_accelerator
from model.training.callbacks.checkpoint import remove_checkpoint
from model.training.network_fold import NetworkFold
from model.training.replacement import TrainingFolder, finish_exchange, refuse_foreign_files, refuse_to_lose
from utils.device import set_up_processor
from utils.errors import UserError
from utils.files import check_writable
from utils.leftovers import clear_leftovers_below
from utils.locks import locked
from utils.recorded_files import MANIFEST


def train(
    config: Config,
    processed: Processed,
    only_fold: int | None = None,
    go_on: bool = False,
    overwrite: bool = False,
    report: Callable[[str], None] = lambda line: None,
) -> list[dict[str, Any]]:
    """Train one split or every fold, each from fresh weights.

    Args:
        config: all settings.
        processed: the processed data of these settings.
        only_fold: train this fold alone.
        go_on: continue a stopped run. Finished folds are kept; a fold that was started continues after its last
            complete epoch.
        overwrite: replace finished folds.
        report: is called before training with what the user should know of the data and of the first weights, in one of
            the processes.

    Returns:
        The metrics of each fold, as written to its metrics.json.

    Raises:
        UserError: the data does not allow these settings, files cannot be read or written, or a finished fold would be
            lost and `overwrite` is false.
    """
    splits = make_splits(processed, config.data, config.folds)
    if only_fold is not None and not 0 <= only_fold < len(splits):
        raise UserError(f"--fold {only_fold}: this run has folds 0 to {len(splits) - 1}; see folds.count")
    set_up_processor(config.run.threads)
    check_writable(config.run_folder)
    refuse_foreign_folder(config.run_folder)
    accelerator = make_accelerator(config.run.device, config.train.accumulation)
    chosen = [fold for fold in range(len(splits)) if only_fold in (None, fold)]
    left_out = describe_left_out([splits[fold] for fold in chosen], len(processed.of_part("additional")))
    if left_out and accelerator.is_main_process:
        report(left_out)
    if (held := max(splits[fold].held_for_gold for fold in chosen)) and accelerator.is_main_process:
        report(f"{held} training documents are left out: they or near-duplicates of them have gold labels")
    with _locked(config.run_folder) if accelerator.is_main_process else contextlib.nullcontext():
        replaced = _replaced_folds(config, processed.digest, chosen, go_on, overwrite, accelerator)
        folder = TrainingFolder(config.run_folder, replaced)
        return [
            _train_fold(config, processed, splits[fold], fold, folder, go_on, accelerator, report) for fold in chosen
        ]


@contextlib.contextmanager
def _locked(run: Path) -> Iterator[None]:
    """Hold the lock of a run. Its file stays if there is no manifest yet: it shows that a training made the folder."""

    def unfinished() -> bool:
        return not (run / MANIFEST).exists() and len(list(run.iterdir())) > 1

    way_out = "wait until it has ended, or name another run with --set run.name=NAME"
    try:
        with locked(run / LOCK, str(run), way_out, keeps=unfinished):
            yield
    finally:
        with contextlib.suppress(OSError):  # not empty
            run.rmdir()  # a training that was refused leaves nothing


def _replaced_folds(
    config: Config, data: str, chosen: Sequence[int], go_on: bool, overwrite: bool, accelerator: Accelerator
) -> list[int]:
    """The folds in the run's folder that give way to this training.

    These are the folds that are trained again, and all that were trained with other settings or on other data: files of
    two trainings never mix.
    """
    run = config.run_folder
    if accelerator.is_main_process:
        clear_leftovers_below(run)
        finish_exchange(run)
    accelerator.wait_for_everyone()
    if go_on:
        refuse_other_run(run, config, data)
        return []
    replaced = [fold for fold in fold_folders(run) if fold in chosen or not _belongs(config, data)]
    refuse_foreign_files(run, replaced)
    if not overwrite:
        refuse_to_lose(run, replaced)
    return replaced


def _train_fold(
    config: Config,
    processed: Processed,
    split: Split,
    fold: int,
    folder: TrainingFolder,
    go_on: bool,
    accelerator: Accelerator,
    report: Callable[[str], None],
) -> dict[str, Any]:
    if go_on and (folder.fold(fold) / "metrics.json").exists():
        if accelerator.is_main_process:
            remove_checkpoint(folder.fold(fold))
        return read_metrics(folder.fold(fold))
    metrics = _about_split(processed, split, fold)
    if is_traditional(config.model.name):
        metrics |= train_traditional(config, processed, split, folder, fold)
    else:
        metrics |= NetworkFold(config, processed, split, fold, folder, accelerator).train(go_on, report)
    if accelerator.is_main_process:
        # The checkpoint goes last: a training that is killed before has lost nothing.
        recorded_files(folder.path).write_json(folder.fold(fold) / "metrics.json", metrics)
        remove_checkpoint(folder.fold(fold))
    return metrics


def _about_split(processed: Processed, split: Split, fold: int) -> dict[str, Any]:
    def characters(documents: list[int]) -> int:
        return sum(len(processed.documents[number].text) for number in documents)

    return {
        "fold": fold,
        "train_documents": len(split.train),
        "dev_documents": len(split.dev),
        "additional_documents_left_out": split.leaks,
        "train_documents_like_dev": split.like_dev,
        "train_documents_held_for_gold": split.held_for_gold,
        "train_characters": characters(split.train),
        "dev_characters": characters(split.dev),
    }


def _belongs(config: Config, data: str) -> bool:
    """Whether the folds in the run's folder were trained with these settings on this data."""
    try:
        refuse_other_run(config.run_folder, config, data)
    except UserError:
        return False
    return True
