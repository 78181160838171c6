"""The risk of classifiers that are trained on positive and unlabelled characters alone.

For one category with classifier f and class prior p, the share of all characters that belong to it, positive examples
P and unlabelled ones U,

    R(f) = w p R_P+(f)  +  max(0, R_U-(f) - p R_P-(f))

where R+ is the mean loss of calling something positive, R- that of calling it negative. Without the maximum and with
w = 1 this estimates the risk under full labels without bias: what positives among U wrongly cost, the last term gives
back. A flexible f drives the second part below 0, which no true risk can be, and that is overfitting; the maximum is
the non-negative estimator of Kiryo et al., "Positive-Unlabeled Learning with Non-Negative Risk Estimator" (NeurIPS
2017). The weight w for a rare positive class and the bounded loss are those of Peng et al., "Distantly Supervised Named
Entity Recognition using Positive-Unlabeled Learning" (ACL 2019), eq. 11 and 13. The risks of all categories are added.

What is decided here:

- U are all characters, those that the dictionary labels included, because the estimate asks for a sample of all text
  (eq. 5 of Peng et al.). Their eq. 12 has U without the labelled ones and p the share of positives among the rest,
  p' = (p - s) / (1 - s), s being the labelled share. Both second parts are the same up to the factor 1 - s.
- A batch holds few characters of a category, or none. R_P is therefore not the mean over the positives of the batch but
  their sum over the number that a batch of its size has on average, so that its mean over batches is R_P.

B batch, K categories, L characters.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from config import DictionaryConfig


def classifier_losses(logits: Tensor, kind: str) -> tuple[Tensor, Tensor]:
    """What it costs to call each example positive and negative, from logits z of any shape, y = sigmoid(z).

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

    Where the second part of a category is below 0 (`settings.negative_risk`):

    | setting   | gradient of that category                                                                       |
    |-----------|-------------------------------------------------------------------------------------------------|
    | clip      | of w p R_P+ alone, as the maximum has it (Peng et al.)                                          |
    | step_back | below -`step_back_beyond`: of `step_back_discount` times what lies below 0, to climb back to 0, |
    |           | and of nothing else; between that and 0: of both parts (algorithm 1 of Kiryo et al.)            |

    Args:
        priors: (K,) p, above 0.
        labelled: (K,) s, the share of all training characters that the dictionary labels, above 0.
        settings: of the loop.
    """

    def __init__(self, priors: Tensor, labelled: Tensor, settings: DictionaryConfig) -> None:
        super().__init__()
        if priors.shape != labelled.shape or not bool(((priors > 0) & (priors < 1) & (labelled > 0)).all()):
            raise ValueError(f"priors {priors} and labelled shares {labelled} are not shares")
        self.register_buffer("priors", priors.float(), persistent=False)
        self.register_buffer("labelled", labelled.float(), persistent=False)
        self.settings = settings

    def forward(self, logits: Tensor, positive: Tensor, character_mask: Tensor) -> Tensor:
        """The risk of a batch, a scalar that is never below 0.

        Args:
            logits: (B, K, L) float32.
            positive: (B, K, L) bool, labelled characters; false on pads.
            character_mask: (B, L) bool.
        """
        as_positive, as_negative = classifier_losses(logits, self.settings.loss)  # (B, K, L) each
        characters = character_mask.sum()
        expected = self.labelled * characters  # (K,) positives in a batch of this size
        positive_risk = self.settings.positive_weight * self.priors * _summed(as_positive, positive) / expected  # (K,)
        unlabelled = _summed(as_negative, character_mask.unsqueeze(1)) / characters  # (K,)
        negative_risk = unlabelled - self.priors * _summed(as_negative, positive) / expected  # (K,)
        risk = positive_risk + negative_risk.clamp(min=0)
        if self.settings.negative_risk == "clip":
            return risk.sum()
        back = negative_risk < -self.settings.step_back_beyond
        descended = torch.where(back, -self.settings.step_back_discount * negative_risk, positive_risk + negative_risk)
        # The value is the risk, the gradient that of what is descended.
        return (risk.detach() + descended - descended.detach()).sum()


def _summed(values: Tensor, where: Tensor) -> Tensor:
    """(K,) sums over texts and characters of (B, K, L) where a mask holds."""
    return (values * where).sum(dim=(0, 2))
