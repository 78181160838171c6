"""AdamW over parameter groups, each with its own learning rate."""

from __future__ import annotations

import torch
from torch import nn

from config import TrainConfig
from model.layers.character_encoder import layer_of
from model.model import TaggingNetwork, parameter_groups


def build_optimizer(network: TaggingNetwork, settings: TrainConfig) -> torch.optim.AdamW:
    """AdamW with a learning rate for each group of parameters. Biases, norms and transitions have no weight decay.

    With `layer_decay` d and M encoder layers, the rate of layer m (from 1) is the encoder's rate times d^(M - m). The
    rate of the embeddings is the encoder's rate times d^M (Howard and Ruder, ULMFiT, ACL 2018; Clark et al., ELECTRA,
    ICLR 2020).
    """
    rates = {"encoder": settings.encoder_rate, "other": settings.other_rate, "crf": settings.crf_rate}
    by_name = parameter_groups(network)
    exempt = {
        id(parameter)
        for module in network.modules()
        for name, parameter in module.named_parameters(recurse=False)
        if "bias" in name or isinstance(module, nn.LayerNorm)
    } | {id(parameter) for parameter in by_name["crf"]}
    groups = []
    for name, parameters in by_name.items():
        factors = _layer_factors(network, settings.layer_decay) if name == "encoder" else {}
        for factor in sorted(set(factors.values()) or {1.0}, reverse=True):
            for decays in (True, False):
                chosen = [
                    parameter for parameter in parameters
                    if (id(parameter) not in exempt) == decays and factors.get(id(parameter), 1.0) == factor
                ]  # fmt: skip
                if chosen:
                    groups.append({
                        "name": name if factor == 1.0 else f"{name} x {factor:.3g}",
                        "params": chosen,
                        "rate": rates[name] * factor,
                        "weight_decay": settings.weight_decay if decays else 0.0,
                    })  # fmt: skip
    return torch.optim.AdamW(groups, fused=True)


def _layer_factors(network: TaggingNetwork, decay: float) -> dict[int, float]:
    """The factor of the learning rate of every encoder parameter, by `id`."""
    depth = network.encoder.depth
    factors = {}
    for name, parameter in network.encoder.transformer.named_parameters():
        factors[id(parameter)] = decay ** (depth - layer_of(name, depth))
    return factors
