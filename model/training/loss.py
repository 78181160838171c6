"""The loss of a labelled batch."""

from __future__ import annotations

from torch import Tensor

from model.heads.head import Output


def loss_of(output: Output) -> Tensor:
    """The loss that a head computed. It has computed one if the batch has labels, as training batches have."""
    assert output.loss is not None, "the batch has no labels"
    return output.loss
