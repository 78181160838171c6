"""The Kullback-Leibler divergence of two linear-chain models, exact over all tag sequences.

Two chains with the same transitions and emissions e and f belong to one exponential family. The gradient of its log
partition function log Z are the tag marginals m. Within such a family (Wainwright and Jordan, "Graphical models,
exponential families, and variational inference", 2008, section 5.2.2)

    KL(p_e || p_f) = log Z(f) - log Z(e) - sum_it m(e)_it (f_it - e_it)

This needs no enumeration of tag sequences, and no restriction to the best ones as in SeqVAT (Chen et al., ACL 2020).

B sequences, L characters, T tags.
"""

from __future__ import annotations

import torch
from torch import Tensor

from model.layers.crf import Transitions, log_partition


def kl_divergence(emissions: Tensor, others: Tensor, mask: Tensor, scores: Transitions) -> Tensor:
    """KL(p || q), where p has `emissions`, q has `others`, and both have the same transitions.

    Gradients reach both emissions, but not the transitions.

    Args:
        emissions, others: (B, L, T).
        mask: (B, L) bool, each row a prefix.
        scores: of the transitions.

    Returns:
        (B,), not negative except for rounding.
    """
    given = Transitions(*(score.detach() for score in scores))
    log_z, marginals = marginals_of(emissions, mask, given)
    return log_partition(others, mask, given) - log_z - (marginals * (others - emissions)).sum(dim=(1, 2))


def marginals_of(emissions: Tensor, mask: Tensor, scores: Transitions) -> tuple[Tensor, Tensor]:
    """(B,) the log partition, and (B, L, T) the probability of each tag at each character, 0 on pads."""
    differentiable = emissions.requires_grad
    with torch.enable_grad():
        held = emissions if differentiable else emissions.detach().requires_grad_()
        log_z = log_partition(held, mask, scores)
        (marginals,) = torch.autograd.grad(log_z.sum(), held, create_graph=differentiable)
    return (log_z, marginals) if differentiable else (log_z.detach(), marginals)
