"""The risk of classifiers that are trained on positive and unlabelled characters alone.

Let f be the classifier of one category and p its class prior, the share of all characters that belong to it. With
positive examples P and unlabelled ones U,

    R(f) = w p R_P+(f)  +  max(0, R_U-(f) - p R_P-(f))

R+ is the mean loss of calling an example positive, R- that of calling it negative. Without the maximum and with w = 1
this is an unbiased estimate of the risk under full labels: the last term subtracts what the positives among U cost in
the term before. A flexible f drives the second part below 0, which no true risk can be. That is overfitting, and the
maximum prevents it: it is the non-negative estimator of Kiryo et al., "Positive-Unlabeled Learning with Non-Negative
Risk Estimator" (NeurIPS 2017). The weight w for a rare positive class and the bounded loss are those of Peng et al.,
"Distantly Supervised Named Entity Recognition using Positive-Unlabeled Learning" (ACL 2019), eq. 11 and 13. The risks
of all categories are added.

Two choices of this module:

- U are all characters, including those that the dictionary labels, because the estimate needs a sample of all text
  (eq. 5 of Peng et al.). In their eq. 12, U excludes the labelled characters and the prior is the share of positives
  among the rest, p' = (p - s) / (1 - s), where s is the labelled share. Both second parts are equal up to 1 - s.
- A batch holds few characters of a category, or none. R_P is therefore the sum over the positives of the batch, divided
  by the number that a batch of its size has on average. Its mean over batches is R_P.

B batch, K categories, L characters.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

Loss = Literal["cross_entropy", "absolute"]

# w by the loss. Peng et al. weight positives with the bounded loss, whose gradient vanishes for what is surely wrong.
# The gradient of the cross entropy does not, so it needs no weight.
POSITIVE_WEIGHT: dict[Loss, float] = {"cross_entropy": 1.0, "absolute": 10.0}


def classifier_losses(logits: Tensor, kind: Loss) -> tuple[Tensor, Tensor]:
    """The losses of calling each example positive and negative, from logits z of any shape, with y = sigmoid(z).

    | kind          | if it is positive | if it is negative |
    |---------------|-------------------|-------------------|
    | absolute      | 1 - y             | y                 |
    | cross_entropy | -log y            | -log(1 - y)       |
    """
    if kind == "absolute":
        return torch.sigmoid(-logits), torch.sigmoid(logits)
    return softplus(-logits), softplus(logits)


class PositiveUnlabelledRisk(nn.Module):
    """The non-negative risk, added up over the categories.

    Args:
        priors: (K,) p, above 0 and below 1.
        labelled: (K,) s, the share of all training characters that the dictionary labels, above 0.
        loss: of a classifier, as in `classifier_losses`.
        positive_weight: w; that of the loss if it is None.

    Raises:
        ValueError: priors or labelled shares out of range, or of different shapes.
    """

    priors: Tensor
    labelled: Tensor

    def __init__(self, priors: Tensor, labelled: Tensor, loss: Loss, positive_weight: float | None = None) -> None:
        super().__init__()
        if priors.shape != labelled.shape or not bool(((priors > 0) & (priors < 1) & (labelled > 0)).all()):
            raise ValueError(f"priors {priors} and labelled shares {labelled} are not shares")
        self.register_buffer("priors", priors.float(), persistent=False)
        self.register_buffer("labelled", labelled.float(), persistent=False)
        self.loss = loss
        self.positive_weight = POSITIVE_WEIGHT[loss] if positive_weight is None else positive_weight

    def forward(self, logits: Tensor, positive: Tensor, character_mask: Tensor) -> Tensor:
        """The risk of a batch, a scalar that is never below 0.

        Args:
            logits: (B, K, L) float32.
            positive: (B, K, L) bool, labelled characters; false on pads.
            character_mask: (B, L) bool.
        """
        as_positive, as_negative = classifier_losses(logits, self.loss)  # (B, K, L) each
        characters = character_mask.sum()
        expected = self.labelled * characters  # (K,) positives in a batch of this size
        positive_risk = self.positive_weight * self.priors * _summed(as_positive, positive) / expected  # (K,)
        unlabelled = _summed(as_negative, character_mask.unsqueeze(1)) / characters  # (K,)
        negative_risk = unlabelled - self.priors * _summed(as_negative, positive) / expected  # (K,)
        return (positive_risk + negative_risk.clamp(min=0)).sum()


def _summed(values: Tensor, where: Tensor) -> Tensor:
    """(K,) sums over texts and characters of values (B, K, L) where a mask is true."""
    return (values * where).sum(dim=(0, 2))
