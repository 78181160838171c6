"""Layers that read vectors beside each other: a bidirectional LSTM, or a transformer, which knows of their order what
the vectors tell (an encoder of any depth, `scratch` with none too, puts positions into them).

B batch, L characters, I size of the vectors, H size of the states.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from config import ContextConfig


class Context(nn.Module):
    """Vectors (B, L, I) and their mask (B, L) to states (B, L, H), pads zero; `size` is H."""

    def __init__(self, config: ContextConfig, size: int) -> None:
        super().__init__()
        self.dropout = nn.Dropout(config.dropout)
        self.size = size if config.kind == "none" else config.hidden
        self.lstm = self.transformer = None
        if config.kind == "lstm":
            self.lstm = BidirectionalLSTM(size, config.hidden // 2, config.layers)
        elif config.kind == "transformer":
            self.project = nn.Linear(size, config.hidden)
            layer = nn.TransformerEncoderLayer(
                config.hidden, config.heads, 2 * config.hidden, config.dropout, batch_first=True
            )
            self.transformer = nn.TransformerEncoder(layer, config.layers, enable_nested_tensor=False)

    def forward(self, vectors: Tensor, mask: Tensor) -> Tensor:
        vectors = self.dropout(vectors)
        if self.lstm is not None:
            return self.lstm(vectors, mask)
        if self.transformer is not None:
            vectors = self.transformer(self.project(vectors), src_key_padding_mask=~mask)
        return vectors * mask.unsqueeze(2)


class BidirectionalLSTM(nn.Module):
    """Both directions, (B, L, I) to (B, L, 2 H); backwards each text begins at its own last character.

    The backward direction reads texts that are turned around, in the place of packed ones, whose lengths would have to
    be copied to the processor in every pass.
    """

    def __init__(self, size: int, hidden: int, layers: int) -> None:
        super().__init__()
        sizes = [size] + [2 * hidden] * (layers - 1)
        self.forwards = nn.ModuleList(nn.LSTM(own, hidden, batch_first=True) for own in sizes)
        self.backwards = nn.ModuleList(nn.LSTM(own, hidden, batch_first=True) for own in sizes)

    def forward(self, vectors: Tensor, mask: Tensor) -> Tensor:
        """Pads, which stand after the text, are zero."""
        # Not in half precision: cells add up over a whole text, and processors without bf16 have no such kernel.
        with torch.autocast(vectors.device.type, enabled=False):
            vectors = vectors.to(self.forwards[0].weight_ih_l0.dtype)
            for there, back in zip(self.forwards, self.backwards, strict=True):
                states = there(vectors)[0], turned(back(turned(vectors, mask))[0], mask)
                vectors = torch.cat(states, dim=2) * mask.unsqueeze(2)
        return vectors


def turned(vectors: Tensor, mask: Tensor) -> Tensor:
    """The vectors (B, L, I) of each text in reverse order; what stands on pads means nothing."""
    last = mask.sum(dim=1, keepdim=True) - 1  # (B, 1)
    places = (last - torch.arange(mask.shape[1], device=mask.device)).clamp(min=0)  # (B, L)
    return vectors.gather(1, places.unsqueeze(2).expand_as(vectors))
