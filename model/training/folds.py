"""From processed data to trained folds: what `--mode train` does."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator, DataLoaderConfiguration, DistributedDataParallelKwargs
from torch.utils.data import DataLoader

from config import Config
from data.batches.dataset import BucketSampler, SegmentDataset, Window, collate_samples, collate_windows, padding_share
from data.batches.repeating import RepeatingBatches
from data.lattice.tokenizer import Vocabulary
from data.metrics import Scores, score_spans
from data.processed import Processed
from data.split import Split, describe_left_out, make_splits
from model.build import fresh_network, word_size
from model.model import TaggingNetwork
from model.reading.predictor import Predictor
from model.run_folder import (
    RunParts,
    encoder_digest,
    fold_folder,
    fold_folders,
    read_metrics,
    refuse_other_run,
    save_parts,
)
from model.traditional import is_traditional
from model.traditional.fold import train_traditional
from model.training.callbacks.averaging import AverageWeights
from model.training.callbacks.checkpoint import Checkpoint, resume
from model.training.callbacks.early_stopping import EarlyStopping
from model.training.callbacks.events import Callback, TrainingState
from model.training.callbacks.freeze import FreezeEncoder
from model.training.callbacks.reports import LogFile, Progress, TensorBoard
from model.training.trainer import Trainer
from utils.device import choose_device, set_up_processor
from utils.errors import UserError
from utils.files import check_writable, writable, write_json
from utils.memory import peak_memory_mib


def train(
    config: Config, processed: Processed, only_fold: int | None = None, go_on: bool = False
) -> list[dict[str, Any]]:
    """Train one split or every fold, each with a fresh network.

    Args:
        config: all settings.
        processed: the data that belongs to them.
        only_fold: train this fold alone.
        go_on: continue a stopped run: finished folds are kept, a started one goes on after its last whole epoch.

    Returns:
        The metrics of each fold, as written to its metrics.json.

    Raises:
        UserError: settings that the data does not allow, or files that cannot be read or written.
    """
    splits = make_splits(processed, config)
    if only_fold is not None and not 0 <= only_fold < len(splits):
        raise UserError(f"--fold {only_fold}: this run has folds 0 to {len(splits) - 1}; see folds.count")
    set_up_processor(config.run.threads)
    check_writable(config.run_folder)
    if go_on:
        refuse_other_run(config.run_folder, config, processed.digest)
    accelerator = make_accelerator(config)
    chosen = [fold for fold in range(len(splits)) if only_fold in (None, fold)]
    # Before the hours of training, not after them.
    if left_out := describe_left_out([splits[fold] for fold in chosen], len(processed.of_part("additional"))):
        accelerator.print(left_out)
    metrics: list[dict[str, Any]] = []
    for fold in chosen:
        replaced = chosen if not (go_on or metrics) else []
        metrics.append(_train_fold(config, processed, splits[fold], fold, replaced, go_on, accelerator))
    return metrics


def _characters(processed: Processed, documents: list[int]) -> int:
    return sum(len(processed.documents[number].text) for number in documents)


def make_accelerator(config: Config) -> Accelerator:
    """Where and how a training computes."""
    # Among several processes what a pass leaves out has no gradients to exchange, and that must not be taken for an
    # error: a frozen encoder, layers above encoder.output, words where a batch has none, transitions in a divergence.
    unused = DistributedDataParallelKwargs(find_unused_parameters=True)
    return Accelerator(
        cpu=choose_device(config.run.device) == "cpu",
        gradient_accumulation_steps=config.train.accumulation,
        # The sampler deals every process equally many batches.
        dataloader_config=DataLoaderConfiguration(even_batches=False, non_blocking=True),
        kwargs_handlers=[unused],
    )


def _clear_earlier_training(config: Config, processed: Processed, chosen: list[int], accelerator: Accelerator) -> None:
    """Remove what an earlier training left, so that nothing of two trainings is ever mixed.

    Folds that are not `chosen` to be trained now may stay if they had the same settings and data. Called when the first
    of them is ready to begin: settings that are refused cost no earlier training.
    """
    if not (chosen and accelerator.is_main_process):
        return
    run = config.run_folder
    stale = [fold_folder(run, fold) for fold in chosen]
    if not _belongs(config, processed.digest):
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


def _train_fold(
    config: Config,
    processed: Processed,
    split: Split,
    fold: int,
    replaced: list[int],
    go_on: bool,
    accelerator: Accelerator,
) -> dict[str, Any]:
    folder = fold_folder(config.run_folder, fold)
    if go_on and (folder / "metrics.json").exists():
        return read_metrics(folder)
    about_split = {
        "fold": fold,
        "train_documents": len(split.train),
        "dev_documents": len(split.dev),
        "additional_documents_left_out": split.leaks,
        "train_documents_like_dev": split.like_dev,
        "train_characters": _characters(processed, split.train),
        "dev_characters": _characters(processed, split.dev),
    }
    if is_traditional(config.model.name):
        _clear_earlier_training(config, processed, replaced, accelerator)
        metrics = about_split | train_traditional(config, processed, split, folder)
        write_json(folder / "metrics.json", metrics)
        return metrics
    network = fresh_network(config, processed, config.run.seed + fold)
    dataset = SegmentDataset(processed, split.train, network.head.labeller)
    if not len(dataset):
        raise UserError("no training segments are left; check data.train and data.dev_share")
    loader = training_loader(config, dataset, network, processed.vocabulary, config.run.seed + fold, accelerator)
    padding = padding_share(dataset.lengths, loader.batch_sampler)
    about = f"{len(dataset)} segments in {len(loader.batch_sampler)} batches, padding {padding:.1%}"
    evaluate = partial(score_network, config, processed, documents=split.dev) if split.dev else None
    callbacks = _callbacks(config, folder, about)
    unlabelled = unlabelled_batches(config, processed, network, loader.batch_sampler, accelerator)
    trainer = Trainer(network, loader, config, accelerator, evaluate, callbacks, f"fold {fold}", unlabelled)
    _clear_earlier_training(config, processed, replaced, accelerator)
    if accelerator.is_main_process:
        save_parts(_parts(config, processed, network))
    accelerator.wait_for_everyone()
    if go_on:
        resume(trainer, folder)
    metrics = about_split | {
        "spans_the_labels_cannot_hold": dataset.left_out,
        "padding_share": round(padding, 4),
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "selected": config.train.select,
        **_outcome(trainer.fit(), accelerator.device),
    }
    if accelerator.is_main_process:
        write_json(folder / "metrics.json", metrics)
    return metrics


def training_loader(
    config: Config,
    dataset: SegmentDataset,
    network: TaggingNetwork,
    vocabulary: Vocabulary,
    seed: int,
    accelerator: Accelerator,
) -> DataLoader:
    """Batches of similar length as the network reads them, prepared by `run.workers` processes."""
    sampler = BucketSampler(
        dataset.lengths, config.train.batch_size, seed, config.train.batch_tokens, accelerator.num_processes
    )
    return DataLoader(
        dataset,
        batch_sampler=sampler,
        collate_fn=partial(
            collate_samples, vocabulary=vocabulary, inputs=network.inputs, labeller=network.head.labeller
        ),
        num_workers=config.run.workers,
        persistent_workers=config.run.workers > 0,
        pin_memory=accelerator.device.type == "cuda",
        generator=torch.Generator(),  # or it would draw from the one that dropout draws from, more or less often
    )


def unlabelled_batches(
    config: Config, processed: Processed, network: TaggingNetwork, like: BucketSampler, accelerator: Accelerator
) -> RepeatingBatches | None:
    """Batches of the unlabelled texts, where the training wants them.

    Raises:
        UserError: it wants them, and there are none.
    """
    if not config.adversarial.unlabelled:
        return None
    segments = processed.segments[np.isin(processed.segments[:, 0], processed.of_part("unlabelled"))]
    if not len(segments):
        raise UserError("adversarial.unlabelled is set, but the processed data holds no unlabelled text")
    # Every process draws its own.
    seed = like.seed + 1000 * (1 + accelerator.process_index)
    sampler = BucketSampler(segments[:, 2] - segments[:, 1], config.train.batch_size, seed, config.train.batch_tokens)
    loader = DataLoader(
        [Window(*map(int, segment)) for segment in segments],
        batch_sampler=sampler,
        collate_fn=partial(collate_windows, processed.lattices, vocabulary=processed.vocabulary,
                           inputs=network.inputs),
        generator=torch.Generator(),
    )  # fmt: skip
    return RepeatingBatches(loader, accelerator.device)


def _outcome(state: TrainingState, device: torch.device) -> dict[str, Any]:
    on_gpu = device.type == "cuda"
    return {
        "train_seconds": round(sum(epoch["seconds"] for epoch in state.history), 3),
        "passes": len(state.history),
        "peak_mib": torch.cuda.max_memory_allocated(device) / 2**20 if on_gpu else peak_memory_mib(),
        "best_epoch": state.best_epoch + 1,  # counted from 1; 0 without a dev part
        "best_weights": state.best_weights,
        "history": state.history,
    }


def score_network(config: Config, processed: Processed, network: TaggingNetwork, documents: list[int]) -> Scores:
    """Strict scores of a network on some documents of the processed data."""
    device = next(network.parameters()).device
    predictor = Predictor.from_settings(config, network, processed.vocabulary, device)
    predicted = predictor.predict(processed.lattices, documents)
    return score_spans([processed.documents[number].spans for number in documents], predicted, processed.categories)


def _callbacks(config: Config, folder: Path, about: str) -> list[Callback]:
    callbacks: list[Callback] = [FreezeEncoder(config.train.freeze_epochs, config.train.unfreeze_every)]
    callbacks += [Progress(), LogFile(folder, about), TensorBoard(folder)]
    if config.averaging.method != "none":
        callbacks.append(AverageWeights(config.averaging))
    if config.train.patience:
        callbacks.append(EarlyStopping(config.train.patience))
    return [*callbacks, Checkpoint(folder)]


def _parts(config: Config, processed: Processed, network: TaggingNetwork) -> RunParts:
    return RunParts(
        config.run_folder,
        config,
        processed.categories,
        processed.vocabulary,
        processed.lexicon,
        network.encoder.transformer.config,
        word_size(config, processed),
        processed.digest,
        encoder_digest(config.encoder.name),
    )
