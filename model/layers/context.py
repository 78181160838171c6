"""Layers that read vectors in their order: a bidirectional LSTM or a plain transformer.

B batch, L characters, I size of the vectors, H size of the states.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from config import ContextConfig


class Context(nn.Module):
    """Vectors (B, L, I) and their mask (B, L) to states (B, L, H), pads zero; `size` is H."""

    def __init__(self, config: ContextConfig, size: int) -> None:
        super().__init__()
        self.dropout = nn.Dropout(config.dropout)
        self.size = size if config.kind == "none" else config.hidden
        self.lstm = self.transformer = None
        if config.kind == "lstm":
            self.lstm = nn.LSTM(size, config.hidden // 2, config.layers, batch_first=True, bidirectional=True)
        elif config.kind == "transformer":
            self.project = nn.Linear(size, config.hidden)
            layer = nn.TransformerEncoderLayer(
                config.hidden, config.heads, 2 * config.hidden, config.dropout, batch_first=True
            )
            self.transformer = nn.TransformerEncoder(layer, config.layers, enable_nested_tensor=False)

    def forward(self, vectors: Tensor, mask: Tensor) -> Tensor:
        vectors = self.dropout(vectors)
        if self.lstm is not None:
            return run_lstm(self.lstm, vectors, mask)
        if self.transformer is not None:
            vectors = self.transformer(self.project(vectors), src_key_padding_mask=~mask)
        return vectors * mask.unsqueeze(2)


def run_lstm(lstm: nn.LSTM, vectors: Tensor, mask: Tensor) -> Tensor:
    """(B, L, H) states of texts whose backward direction begins at their own last character; pads zero."""
    lengths = mask.sum(dim=1).cpu()
    packed = pack_padded_sequence(vectors, lengths, batch_first=True, enforce_sorted=False)
    states, _ = pad_packed_sequence(lstm(packed)[0], batch_first=True, total_length=vectors.shape[1])
    return states
