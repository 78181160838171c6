"""Batches for training: labelled segments, and unlabelled ones beside them."""

from __future__ import annotations

from functools import partial
from typing import cast

import numpy as np
import torch
from accelerate import Accelerator
from torch.utils.data import DataLoader, Dataset

from config import TrainConfig
from data.batches.dataset import BucketSampler, SegmentDataset, Window, collate_samples, collate_windows
from data.batches.repeating import RepeatingBatches
from data.lattice.tokenizer import Vocabulary
from data.processed import Processed
from model.model import TaggingNetwork
from utils.errors import UserError


def training_loader(
    dataset: SegmentDataset,
    network: TaggingNetwork,
    vocabulary: Vocabulary,
    settings: TrainConfig,
    accelerator: Accelerator,
    seed: int,
    workers: int,
) -> DataLoader:
    """A loader of batches of similar length for a network.

    Args:
        dataset: the training segments.
        network: names the inputs and the labels that a batch needs.
        vocabulary: of the segments' tokens.
        settings: the batch size.
        accelerator: the number of processes, and the device.
        seed: of the order of the batches.
        workers: processes that prepare batches; 0 prepares them in this one.
    """
    sampler = BucketSampler(
        dataset.lengths, settings.batch_size, seed, settings.batch_tokens, accelerator.num_processes
    )
    return DataLoader(
        dataset,
        batch_sampler=sampler,
        collate_fn=partial(
            collate_samples, vocabulary=vocabulary, inputs=network.inputs, labeller=network.head.labeller
        ),
        num_workers=workers,
        persistent_workers=workers > 0,
        pin_memory=accelerator.device.type == "cuda",
        # Without its own generator a loader draws from the one of dropout, and how often depends on the workers.
        generator=torch.Generator(),
    )


def unlabelled_batches(
    processed: Processed, network: TaggingNetwork, settings: TrainConfig, accelerator: Accelerator, seed: int
) -> RepeatingBatches:
    """Endless batches of the unlabelled texts. Every process draws its own.

    Raises:
        UserError: the processed data has no unlabelled text.
    """
    segments = processed.segments[np.isin(processed.segments[:, 0], processed.of_part("unlabelled"))]
    if not len(segments):
        raise UserError("adversarial.unlabelled is true, but the processed data has no unlabelled text; "
                        "check data.unlabelled")  # fmt: skip
    own_seed = seed + 1000 * (1 + accelerator.process_index)
    lengths = segments[:, 2] - segments[:, 1]
    windows = [Window(*map(int, segment)) for segment in segments]
    loader = DataLoader(
        cast("Dataset[Window]", windows),  # any sequence serves as one
        batch_sampler=BucketSampler(lengths, settings.batch_size, own_seed, settings.batch_tokens),
        collate_fn=partial(collate_windows, processed.lattices, vocabulary=processed.vocabulary,
                           inputs=network.inputs),
        generator=torch.Generator(),
    )  # fmt: skip
    return RepeatingBatches(loader, accelerator.device)


def bucket_sampler(loader: DataLoader) -> BucketSampler:
    """The batch sampler of a loader, whose order depends on the epoch."""
    sampler = loader.batch_sampler
    assert isinstance(sampler, BucketSampler)
    return sampler
