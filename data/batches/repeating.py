"""Batches without end, for texts that accompany a training on others."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch.utils.data import DataLoader

from data.batches.dataset import Batch, BucketSampler


class RepeatingBatches(Iterator[Batch]):
    """The batches of a loader again and again, each round in a new order that follows from the epoch and the round.

    Args:
        loader: its batch sampler is a `BucketSampler`.
        device: where the batches go.
    """

    def __init__(self, loader: DataLoader, device: torch.device) -> None:
        self.loader = loader
        self.device = device
        self.set_epoch(0)

    def set_epoch(self, epoch: int) -> None:
        """Begin anew, so that a resumed training goes on with the batches that an unbroken one would have had."""
        self._batches = self._from(epoch)

    def __next__(self) -> Batch:
        batch = next(self._batches)
        return {name: tensor.to(self.device, non_blocking=True) for name, tensor in batch.items()}

    def _from(self, epoch: int) -> Iterator[Batch]:
        sampler: BucketSampler = self.loader.batch_sampler
        turn = 0
        while True:
            sampler.set_epoch(epoch + turn)
            yield from self.loader
            turn += 1
