"""The device, the precision and the processor settings to compute with."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import sys

import torch

from utils.errors import UserError

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h


def choose_device(name: str) -> str:
    """The PyTorch device for a value of `run.device`. `auto` is the accelerator if there is one, else the processor.

    Raises:
        UserError: PyTorch does not find the device.
    """
    if name == "auto":
        accelerator = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
        return accelerator.type if accelerator else "cpu"
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError):
        raise UserError(f"run.device is {name}, which PyTorch does not find here; set it to auto or cpu") from None
    return name


def choose_half(precision: str, device: torch.device) -> bool:
    """Whether to compute in bf16 (mixed precision) on a device, or in float32.

    `bf16` is used on every device. A line on standard error warns if the device emulates it.
    """
    if precision == "bf16" and not has_bf16(device):
        _warn_of_emulation(device.type)
    return precision == "bf16" or (precision == "auto" and has_bf16(device))


def has_bf16(device: torch.device) -> bool:
    """Whether the device has instructions for bf16. Emulated bf16 is several times slower than float32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type != "cpu":
        return False
    # ATEN_CPU_CAPABILITY can limit PyTorch to fewer instructions than the processor has.
    if torch.backends.cpu.get_cpu_capability() in ("DEFAULT", "AVX2"):
        return False
    processor = torch.cpu.get_capabilities()
    return bool(processor.get("avx512_bf16") or processor.get("amx_bf16"))


@functools.cache  # warn once, even if several networks are trained
def _warn_of_emulation(kind: str) -> None:
    print(f"train.precision is bf16, which this {kind} device emulates slowly; set train.precision to auto",
          file=sys.stderr, flush=True)  # fmt: skip


def set_up_processor(threads: int) -> None:
    """Set the number of processor threads of PyTorch (0 keeps its default), and limit its cache of kernels.

    oneDNN keeps the last 1,024 kernels, one for every shape. Batches of many sizes would fill this cache with more than
    1 GiB without a benefit, because a step uses a few dozen kernels. The limit must be set before the first kernel.
    """
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "64")
    _keep_freed_memory()
    if threads:
        torch.set_num_threads(threads)


def _keep_freed_memory() -> None:
    """Make glibc keep freed memory. It would return large blocks, and the next step would need fresh pages."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):  # another C library
            mallopt = ctypes.CDLL(None).mallopt
            mallopt(M_MMAP_THRESHOLD, 1 << 30)
            mallopt(M_TRIM_THRESHOLD, (1 << 31) - 1)
