"""Spans of whole documents: windows in, one list of spans a document out. Dev scores come through here too."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from config import Config
from data.dataset import Window, collate_windows, window_batches
from model.decoding import decode_spans
from model.model import LatticeTagger
from utils.preprocess.document import ScoredSpan
from utils.preprocess.lattice import Lattices
from utils.preprocess.segment import most_central, window_bounds
from utils.preprocess.tokenizer import Vocabulary

Decode = Callable[[LatticeTagger, Tensor, Tensor], list[list[ScoredSpan]]]


class Predictor:
    """One network and how to feed it; `decode` makes spans of its emissions and the character mask."""

    def __init__(
        self,
        model: LatticeTagger,
        vocabulary: Vocabulary,
        max_len: int,
        overlap: int,
        batch_tokens: int,
        device: torch.device,
        half: bool = False,
        decode: Decode = decode_spans,
    ) -> None:
        self.model = model
        self.vocabulary = vocabulary
        self.max_len = max_len
        self.overlap = overlap
        self.batch_tokens = batch_tokens
        self.device = device
        self.half = half
        self.decode = decode

    @classmethod
    def from_settings(
        cls,
        config: Config,
        model: LatticeTagger,
        vocabulary: Vocabulary,
        device: torch.device,
        decode: Decode = decode_spans,
    ) -> Predictor:
        """One that reads as the settings say: in training's precision, in windows of the length trained on."""
        half = config.train.precision == "bf16"
        reading = config.predict
        return cls(model, vocabulary, config.data.max_len, reading.overlap, reading.batch_tokens, device, half, decode)

    @torch.no_grad()
    def predict(self, lattices: Lattices, documents: Sequence[int]) -> list[list[ScoredSpan]]:
        """The spans of each document, by begin, end and category.

        A document longer than `max_len` is read in overlapping windows, and a span is believed only from the window in
        whose middle it stands most nearly, so every span is decided once and with context on both sides.
        """
        training = self.model.training
        self.model.eval()
        bounds = {number: window_bounds(lattices.length(number), self.max_len, self.overlap) for number in documents}
        windows = [Window(number, *bound) for number, own in bounds.items() for bound in own]
        found: dict[int, set[ScoredSpan]] = {number: set() for number in documents}
        for batch in window_batches(windows, self.batch_tokens):
            for window, spans in zip(batch, self._spans(lattices, batch), strict=True):
                for category, begin, end, probability in spans:
                    span = ScoredSpan(category, begin + window.begin, end + window.begin, probability)
                    own = bounds[window.document]
                    if own[most_central(span.begin, span.end, own)] == (window.begin, window.end):
                        found[window.document].add(span)
        self.model.train(training)
        return [sorted(found[number], key=lambda span: (span.begin, span.end, span.category)) for number in documents]

    def _spans(self, lattices: Lattices, windows: list[Window]) -> list[list[ScoredSpan]]:
        batch = collate_windows(lattices, windows, self.vocabulary, words=self.model.flat is not None)
        batch = {name: tensor.to(self.device, non_blocking=True) for name, tensor in batch.items()}
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.half):
            emissions = self.model(**batch).emissions  # (B, K, L, T)
        return self.decode(self.model, emissions, batch["character_mask"])
