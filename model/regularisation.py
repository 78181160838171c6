"""R-Drop (Liang et al., "R-Drop: Regularized Dropout for Neural Networks", NeurIPS 2021).

A batch is read twice in one pass, with different dropout, and the two readings are drawn together: the mean of their
losses plus a weight times the mean of their two Kullback-Leibler divergences, over tag sequences and exact.

B batch.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from model.layers.divergence import kl_divergence
from model.model import LatticeTagger, Output

ONE_FOR_ALL = ("distances",)  # what a batch has once, not once for each text


def r_drop(
    network: LatticeTagger, forward: Callable[[dict[str, Tensor]], Output], batch: dict[str, Tensor], weight: float
) -> Output:
    """The output for the batch twice, emissions (2 B, K, L, T), with the regularised loss."""
    twice = {
        name: tensor if name in ONE_FOR_ALL else torch.cat([tensor, tensor]) for name, tensor in batch.items()
    }
    output = forward(twice)
    first, second = (one.flatten(0, 1) for one in output.emissions.chunk(2))  # (B K, L, T)
    mask = batch["character_mask"]
    chains, scores = network.chain_mask(mask), network.crf.scores
    apart = kl_divergence(first, second, chains, scores) + kl_divergence(second, first, chains, scores)
    return Output(output.emissions, output.loss + weight / 2 * apart.sum() / mask.sum())
