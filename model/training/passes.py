"""Forward and backward passes of a training step: autocast, R-Drop and gradient accumulation."""

from __future__ import annotations

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from config import RegularisationConfig
from data.batches.inputs import Batch
from model.heads.head import Output
from model.model import TaggingNetwork
from model.training.r_drop import r_drop


class Passes:
    """The passes of one training.

    Args:
        network: the network itself.
        wrapped: the network as accelerate returns it, which synchronises gradients between processes.
        accelerator: the device, and the gradient accumulation.
        regularisation: whether a clean pass uses R-Drop.
        half: use bf16 autocast.
    """

    def __init__(
        self,
        network: TaggingNetwork,
        wrapped: nn.Module,
        accelerator: Accelerator,
        regularisation: RegularisationConfig,
        half: bool,
    ) -> None:
        self.network = network
        self.wrapped = wrapped
        self.accelerator = accelerator
        self.regularisation = regularisation
        self.half = half

    def clean(self, batch: Batch) -> Output:
        """The forward pass of an ordinary training step, with R-Drop if it is set."""
        if not self.regularisation.r_drop:
            return self.forward(batch)
        return r_drop(self.network, lambda twice: self._forward(self.wrapped, twice), batch, self.regularisation.r_drop)

    def forward(self, batch: Batch) -> Output:
        """A further pass, whose gradients count."""
        return self._forward(self.wrapped, batch)

    def forward_unsynchronised(self, batch: Batch) -> Output:
        """A pass that gives no gradients to parameters. Other processes take no part in it."""
        return self._forward(self.network, batch)

    def backward(self, loss: Tensor) -> None:
        """Add the gradients of a loss, scaled for gradient accumulation."""
        self.accelerator.backward(loss)

    def _forward(self, module: nn.Module, batch: Batch) -> Output:
        with torch.autocast(self.accelerator.device.type, torch.bfloat16, enabled=self.half):
            return module(**batch)
