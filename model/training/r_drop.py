"""R-Drop (Liang et al., "R-Drop: Regularized Dropout for Neural Networks", NeurIPS 2021).

A batch is read twice in one pass, with different dropout masks. The loss is the mean of the two losses, plus a weight
times the mean of the two Kullback-Leibler divergences between the readings. The divergences are exact, over whole tag
sequences.

B batch.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from data.batches.inputs import Batch
from model.heads.head import Output
from model.model import TaggingNetwork
from model.training.loss import loss_of

ONE_FOR_ALL = ("distances",)  # entries of a batch that all texts share


def r_drop(network: TaggingNetwork, forward: Callable[[Batch], Output], batch: Batch, weight: float) -> Output:
    """Scores (2 B, ...) of the batch read twice, and the regularised loss."""
    output = forward(_twice(batch))
    first, second = output.scores.chunk(2)  # (B, ...) each
    mask, divergence = batch["character_mask"], network.head.divergence
    apart = divergence(first, second, mask) + divergence(second, first, mask)  # (B,)
    return Output(output.scores, loss_of(output) + weight / 2 * apart.sum() / mask.sum())


def _twice(batch: Batch) -> Batch:
    def doubled(name: str, entry: Tensor | Batch) -> Tensor | Batch:
        if isinstance(entry, dict):
            return _twice(entry)
        return entry if name in ONE_FOR_ALL else torch.cat([entry, entry])

    return {name: doubled(name, entry) for name, entry in batch.items()}
