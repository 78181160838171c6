"""How far two linear-chain models are apart, over all tag sequences and exactly.

Two chains with the same transitions and emissions e and f are members of one exponential family, whose log partition
log Z has the tag marginals m as its gradient. Between members of such a family (Wainwright and Jordan, "Graphical
models, exponential families, and variational inference", 2008, section 5.2.2)

    KL(p_e || p_f) = log Z(f) - log Z(e) - sum_it m(e)_it (f_it - e_it)

so that neither sequences are enumerated nor only the best of them looked at, as is done for taggers elsewhere (SeqVAT:
Chen et al., ACL 2020).

B sequences, L characters, T tags.
"""

from __future__ import annotations

import torch
from torch import Tensor

from model.layers.crf import Transitions, log_partition


def kl_divergence(emissions: Tensor, others: Tensor, mask: Tensor, scores: Transitions) -> Tensor:
    """KL(p || q) of the chain with `emissions` from the one with `others`, which has the same transitions.

    Gradients reach both emissions; the transitions are taken as given.

    Args:
        emissions, others: (B, L, T).
        mask: (B, L) bool, each row a prefix.
        scores: of the transitions.

    Returns:
        (B,), not negative but for rounding.
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
