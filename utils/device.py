"""Where to compute, decided once and handed down."""

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
    """The device of a name, as `run.device` has it; `auto` takes an accelerator where there is one.

    Raises:
        UserError: no such device here.
    """
    if name == "auto":
        accelerator = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
        return accelerator.type if accelerator else "cpu"
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError):
        raise UserError(f"run.device is {name}, which PyTorch does not find here; take auto or cpu") from None
    return name


def choose_half(precision: str, device: torch.device) -> bool:
    """Whether to compute in bf16 (mixed precision) on a device, or in float32.

    An explicit `bf16` is followed everywhere; where the device only emulates it, a line on standard error says so.
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
    # PyTorch may be told to use fewer instructions than the processor has (ATEN_CPU_CAPABILITY).
    if torch.backends.cpu.get_cpu_capability() in ("DEFAULT", "AVX2"):
        return False
    processor = torch.cpu.get_capabilities()
    return bool(processor.get("avx512_bf16") or processor.get("amx_bf16"))


@functools.cache  # once, however many networks are trained
def _warn_of_emulation(kind: str) -> None:
    print(f"train.precision is bf16, which this {kind} device emulates slowly; set train.precision to auto",
          file=sys.stderr, flush=True)  # fmt: skip


def set_up_processor(threads: int) -> None:
    """Give PyTorch so many processor threads (0 leaves its own choice), and bound what it remembers.

    oneDNN keeps the last 1,024 kernels it made, one for every shape it meets. Batches of ever new sizes would fill that
    with more than a GiB and gain nothing: a step uses a few dozen. Only before the first kernel can this be changed.
    """
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "64")
    _keep_freed_memory()
    if threads:
        torch.set_num_threads(threads)


def _keep_freed_memory() -> None:
    """Have glibc keep what is freed: it hands large blocks back, and the next step pays for fresh pages."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):  # another C library
            mallopt = ctypes.CDLL(None).mallopt
            mallopt(M_MMAP_THRESHOLD, 1 << 30)
            mallopt(M_TRIM_THRESHOLD, (1 << 31) - 1)
