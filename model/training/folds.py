"""From processed data to trained folds: what `--mode train` does."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from typing import Any

from accelerate import Accelerator

from config import Config
from data.processed import Processed
from data.split import Split, describe_left_out, make_splits
from model.run_folder import fold_folder, fold_folders, read_metrics
from model.run_settings import refuse_other_run
from model.traditional import is_traditional
from model.traditional.fold import train_traditional
from model.training.accelerator import make_accelerator
from model.training.network_fold import NetworkFold
from utils.device import set_up_processor
from utils.errors import UserError
from utils.files import check_writable, writable, write_json


def train(
    config: Config,
    processed: Processed,
    only_fold: int | None = None,
    go_on: bool = False,
    report: Callable[[str], None] = lambda line: None,
) -> list[dict[str, Any]]:
    """Train one split or every fold, each from fresh weights.

    Args:
        config: all settings.
        processed: the processed data of these settings.
        only_fold: train this fold alone.
        go_on: continue a stopped run. Finished folds are kept; a fold that was started continues after its last
            complete epoch.
        report: is called before training with what the user should know of the data, in one of the processes.

    Returns:
        The metrics of each fold, as written to its metrics.json.

    Raises:
        UserError: the data does not allow these settings, or files cannot be read or written.
    """
    splits = make_splits(processed, config.data, config.folds)
    if only_fold is not None and not 0 <= only_fold < len(splits):
        raise UserError(f"--fold {only_fold}: this run has folds 0 to {len(splits) - 1}; see folds.count")
    set_up_processor(config.run.threads)
    check_writable(config.run_folder)
    if go_on:
        refuse_other_run(config.run_folder, config, processed.digest)
    accelerator = make_accelerator(config.run.device, config.train.accumulation)
    chosen = [fold for fold in range(len(splits)) if only_fold in (None, fold)]
    left_out = describe_left_out([splits[fold] for fold in chosen], len(processed.of_part("additional")))
    if left_out and accelerator.is_main_process:
        report(left_out)
    metrics: list[dict[str, Any]] = []
    for fold in chosen:
        # Before the first fold, the earlier training of all chosen folds is removed.
        replaced = [] if go_on or metrics else chosen
        metrics.append(_train_fold(config, processed, splits[fold], fold, go_on, replaced, accelerator))
    return metrics


def _train_fold(
    config: Config,
    processed: Processed,
    split: Split,
    fold: int,
    go_on: bool,
    replaced: Sequence[int],
    accelerator: Accelerator,
) -> dict[str, Any]:
    folder = fold_folder(config.run_folder, fold)
    if go_on and (folder / "metrics.json").exists():
        return read_metrics(folder)
    metrics = _about_split(processed, split, fold)
    if is_traditional(config.model.name):
        _clear_earlier_training(config, processed.digest, replaced, accelerator)
        metrics |= train_traditional(config, processed, split, folder)
    else:
        network_fold = NetworkFold(config, processed, split, fold, accelerator)
        # Not before the network is built: settings that are refused must not cost the earlier training.
        _clear_earlier_training(config, processed.digest, replaced, accelerator)
        metrics |= network_fold.train(go_on)
    if accelerator.is_main_process:
        write_json(folder / "metrics.json", metrics)
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
        "train_characters": characters(split.train),
        "dev_characters": characters(split.dev),
    }


def _clear_earlier_training(config: Config, data: str, replaced: Sequence[int], accelerator: Accelerator) -> None:
    """Remove the folds that will be trained again, so that files of two trainings never mix.

    Other folds stay if they were trained with the same settings on the same data.
    """
    if not (replaced and accelerator.is_main_process):
        return
    run = config.run_folder
    stale = [fold_folder(run, fold) for fold in replaced]
    if not _belongs(config, data):
        stale += fold_folders(run).values()
    for folder in (*stale, run / "eval"):
        if folder.exists():
            with writable(folder):
                shutil.rmtree(folder)


def _belongs(config: Config, data: str) -> bool:
    """Whether the folds in the run's folder were trained with these settings on this data."""
    try:
        refuse_other_run(config.run_folder, config, data)
    except UserError:
        return False
    return True
