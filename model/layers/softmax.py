"""Independent tags, the baseline for a CRF, with the interface of `ChainCRF`.

B sequences, L characters, T tags.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from model.layers.crf import Transitions


class SoftmaxChain(nn.Module):
    """A softmax over the tags of every character. It has no parameters."""

    zero: Tensor  # (T,)

    def __init__(self, num_tags: int) -> None:
        super().__init__()
        # With zero transition scores, the span probabilities of the CRF are those of independent tags.
        self.register_buffer("zero", torch.zeros(num_tags), persistent=False)

    @property
    def scores(self) -> Transitions:
        """Transition scores, all zero."""
        return Transitions.zero(self.zero)

    def loss(
        self,
        emissions: Tensor,
        tags: Tensor,
        mask: Tensor,
        unknown: Tensor | None = None,
        belief: Tensor | None = None,
    ) -> Tensor:
        """(B,) summed cross-entropy. That of unknown characters is multiplied by their belief.

        The arguments are those of `ChainCRF.loss`.
        """
        losses = cross_entropy(emissions.transpose(1, 2), tags, reduction="none") * mask  # (B, L)
        if unknown is not None:
            believed = 0.0 if belief is None else belief.unsqueeze(1)
            losses = torch.where(unknown, losses * believed, losses)
        return losses.sum(dim=1)

    def best_tags(self, emissions: Tensor, mask: Tensor) -> Tensor:
        """(B, L) most probable tags, 0 on pads."""
        return emissions.argmax(dim=2) * mask
