"""The accelerator of a training: device, processes and gradient accumulation."""

from __future__ import annotations

from accelerate import Accelerator, DataLoaderConfiguration, DistributedDataParallelKwargs

from utils.device import choose_device


def make_accelerator(device: str, accumulation: int) -> Accelerator:
    """An accelerator for a device, as named by `run.device`, and for a number of batches in an optimizer step.

    Raises:
        UserError: there is no such device.
    """
    # With several processes, a parameter without a gradient is not an error. Examples: a frozen encoder, layers above
    # encoder.output, word embeddings in a batch without words, CRF transitions in a divergence.
    unused = DistributedDataParallelKwargs(find_unused_parameters=True)
    return Accelerator(
        cpu=choose_device(device) == "cpu",
        gradient_accumulation_steps=accumulation,
        # The sampler already gives every process equally many batches.
        dataloader_config=DataLoaderConfiguration(even_batches=False, non_blocking=True),
        kwargs_handlers=[unused],
    )
