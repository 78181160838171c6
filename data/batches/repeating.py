"""Endless batches, for texts that accompany a training on others."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch.utils.data import DataLoader

from data.batches.dataset import BucketSampler
from data.batches.inputs import Batch, to_device


class RepeatingBatches(Iterator[Batch]):
    """Repeats the batches of a loader without end. The order of each round depends only on the epoch and the round.

    Args:
        loader: its batch sampler is a `BucketSampler`.
        device: where the batches go.

    Raises:
        ValueError: the loader has another batch sampler.
    """

    def __init__(self, loader: DataLoader, device: torch.device) -> None:
        if not isinstance(loader.batch_sampler, BucketSampler):
            raise ValueError(f"the batch sampler is a {type(loader.batch_sampler).__name__}, not a BucketSampler")
        self.loader = loader
        self.sampler = loader.batch_sampler
        self.device = device
        self.set_epoch(0)

    def set_epoch(self, epoch: int) -> None:
        """Start again from an epoch, so that a resumed training gets the same batches as an uninterrupted one."""
        self._batches = self._from(epoch)

    def __next__(self) -> Batch:
        return to_device(next(self._batches), self.device)

    def _from(self, epoch: int) -> Iterator[Batch]:
        turn = 0
        while True:
            self.sampler.set_epoch(epoch + turn)
            yield from self.loader
            turn += 1
