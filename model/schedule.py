"""How the learning rates run over the optimizer steps."""

from __future__ import annotations


def linear(step: int, warmup: int, total: int) -> float:
    """Factor of a rate in the step that follows `step` finished ones: up over `warmup` steps, then down to 0."""
    if step < warmup:
        return (step + 1) / (warmup + 1)
    return max(0.0, (total - step) / max(1, total - warmup))
