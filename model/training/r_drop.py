"""R-Drop (Liang et al., "R-Drop: Regularized Dropout for Neural Networks", NeurIPS 2021).

A batch is read twice in one pass, with different dropout, and the two readings are drawn together: the mean of their
losses plus a weight times the mean of their two Kullback-Leibler divergences, over tag sequences and exact.

B batch.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from data.batches.inputs import Batch
from model.heads.head import Output
from model.model import TaggingNetwork

ONE_FOR_ALL = ("distances",)  # what a batch has once, not once for each text


def r_drop(network: TaggingNetwork, forward: Callable[[Batch], Output], batch: Batch, weight: float) -> Output:
    """The output for the batch twice, scores (2 B, ...), with the regularised loss."""
    output = forward(_twice(batch))
    first, second = output.scores.chunk(2)  # (B, ...) each
    mask, divergence = batch["character_mask"], network.head.divergence
    apart = divergence(first, second, mask) + divergence(second, first, mask)  # (B,)
    return Output(output.scores, output.loss + weight / 2 * apart.sum() / mask.sum())


def _twice(batch: Batch) -> Batch:
    def doubled(name: str, entry: Tensor | Batch) -> Tensor | Batch:
        if isinstance(entry, dict):
            return _twice(entry)
        return entry if name in ONE_FOR_ALL else torch.cat([entry, entry])

    return {name: doubled(name, entry) for name, entry in batch.items()}
