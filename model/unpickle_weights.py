"""A process of its own that reads pickled weights and writes safetensors.

    python -m model.unpickle_weights OUTPUT BIN ...

`torch.load` reads with `weights_only`, which builds tensors, numbers and containers and refuses everything else, so no
code of a file is run. The process is apart because a damaged file may still crash it or fill the memory.

Exit status 0; with one line on standard error 2 if a file is refused, or 3 if the weights cannot be written.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

CANNOT_WRITE = 3


def main(output: str, files: list[str]) -> int:
    """Write all tensors of the files; returns the exit status."""
    tensors: dict[str, Tensor] = {}
    for file in files:
        try:
            tensors |= dict(_tensors(torch.load(file, map_location="cpu", weights_only=True)))
        except Exception as error:  # torch.load raises errors of many kinds for damaged files
            print(f"{file}: {_reason(error)}", file=sys.stderr)
            return 2
    if not tensors:
        print(f"{files[0]}: no tensor in it", file=sys.stderr)
        return 2
    try:
        safetensors.torch.save_file(tensors, output, {"format": "pt"})
    except (safetensors.SafetensorError, OSError) as error:  # nothing is wrong with what was read
        print(" ".join(str(error).split()), file=sys.stderr)
        return CANNOT_WRITE
    return 0


def _tensors(loaded: Any) -> Iterator[tuple[str, Tensor]]:
    """Names and tensors of a state dictionary. Each gets memory of its own, which safetensors needs."""
    for name, value in loaded.items() if isinstance(loaded, dict) else ():
        if isinstance(name, str) and isinstance(value, Tensor):
            yield name, value.detach().clone(memory_format=torch.contiguous_format)


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split())
    if "Weights only load failed" in text or "weights_only" in text:
        return "holds more than weights, so it is not read"
    return f"damaged or not a file of weights ({type(error).__name__}: {text:.120})"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
