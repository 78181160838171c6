"""Layers that read a sequence of vectors: a bidirectional LSTM or a transformer.

The transformer adds no positions. The encoder has already put them into the vectors, even a `scratch` one of depth 0.

B batch, L characters, I size of the vectors, H size of the states.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from config import ContextConfig

HEADS = 4  # of the transformer; context.hidden must be a multiple of it


class Context(nn.Module):
    """Reads vectors in their order, as `context.kind` says.

    Attributes:
        size: H.
    """

    lstm: BidirectionalLSTM | None
    transformer: nn.TransformerEncoder | None

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
                config.hidden, HEADS, 2 * config.hidden, config.dropout, batch_first=True
            )
            self.transformer = nn.TransformerEncoder(layer, config.layers, enable_nested_tensor=False)

    def forward(self, vectors: Tensor, mask: Tensor) -> Tensor:
        """(B, L, H) states from vectors (B, L, I) and their mask (B, L). States of pads are zero."""
        vectors = self.dropout(vectors)  # (B, L, I)
        if self.lstm is not None:
            return self.lstm(vectors, mask)
        if self.transformer is not None:
            vectors = self.transformer(self.project(vectors), src_key_padding_mask=~mask)  # (B, L, H)
        return vectors * mask.unsqueeze(2)


class BidirectionalLSTM(nn.Module):
    """A bidirectional LSTM, (B, L, I) to (B, L, 2 H). The backward direction begins at the last character of each text.

    The backward direction reads reversed texts instead of packed sequences. Packing would copy the lengths to the CPU
    in every pass.
    """

    def __init__(self, size: int, hidden: int, layers: int) -> None:
        super().__init__()
        sizes = [size] + [2 * hidden] * (layers - 1)
        self.forwards = nn.ModuleList(nn.LSTM(own, hidden, batch_first=True) for own in sizes)
        self.backwards = nn.ModuleList(nn.LSTM(own, hidden, batch_first=True) for own in sizes)

    def forward(self, vectors: Tensor, mask: Tensor) -> Tensor:
        """(B, L, 2 H) from vectors (B, L, I) and their mask (B, L). States of pads are zero."""
        # Not in half precision: cells sum over a whole text, and CPUs without bf16 instructions have no such kernel.
        with torch.autocast(vectors.device.type, enabled=False):
            vectors = vectors.to(next(self.parameters()).dtype)
            for there, back in zip(self.forwards, self.backwards, strict=True):
                states = there(vectors)[0], reverse(back(reverse(vectors, mask))[0], mask)  # (B, L, H) each
                vectors = torch.cat(states, dim=2) * mask.unsqueeze(2)  # (B, L, 2 H)
        return vectors


def reverse(vectors: Tensor, mask: Tensor) -> Tensor:
    """(B, L, I) the vectors of each text in reverse order. Vectors of pads are arbitrary."""
    last = mask.sum(dim=1, keepdim=True) - 1  # (B, 1)
    places = (last - torch.arange(mask.shape[1], device=mask.device)).clamp(min=0)  # (B, L)
    return vectors.gather(1, places.unsqueeze(2).expand_as(vectors))
