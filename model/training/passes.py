"""How a training step goes through the network: forward in the precision asked for, backward through accelerate."""

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
    """Passes of one training.

    Args:
        network: the network itself; `wrapped` is it as accelerate hands it out, which joins several processes.
        half: compute in bf16 where that is safe.
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
        """The pass of a plain step, regularisation included."""
        if not self.regularisation.r_drop:
            return self.forward(batch)
        return r_drop(self.network, lambda twice: self._forward(self.wrapped, twice), batch, self.regularisation.r_drop)

    def forward(self, batch: Batch) -> Output:
        """A further pass, whose gradients count."""
        return self._forward(self.wrapped, batch)

    def forward_unsynchronised(self, batch: Batch) -> Output:
        """A pass from which no gradient of a parameter is taken, so that other processes need not know of it."""
        return self._forward(self.network, batch)

    def backward(self, loss: Tensor) -> None:
        """Add the gradients of a loss, as accumulation over several batches wants it."""
        self.accelerator.backward(loss)

    def _forward(self, module: nn.Module, batch: Batch) -> Output:
        with torch.autocast(self.accelerator.device.type, torch.bfloat16, enabled=self.half):
            return module(**batch)
