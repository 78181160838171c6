"""Spans of whole documents: windows in, one list of spans a document out. Dev scores come through here too."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch
from torch import Tensor

from config import Config
from data.batches.dataset import Window, collate_windows, window_batches
from data.corpus.document import Document
from data.lattice.lattice import Lattices
from data.lattice.segment import most_central, window_bounds
from data.lattice.tokenizer import Vocabulary
from data.spans import JudgedSpan, ScoredSpan, Span, place_in_text
from model.model import TaggingNetwork
from model.reading.vote import without_clashes
from utils.device import choose_half

Kind = TypeVar("Kind", ScoredSpan, JudgedSpan)


class Predictor:
    """One network and how to feed it."""

    def __init__(
        self,
        network: TaggingNetwork,
        vocabulary: Vocabulary,
        max_len: int,
        overlap: int,
        batch_tokens: int,
        device: torch.device,
        half: bool = False,
    ) -> None:
        self.network = network
        self.vocabulary = vocabulary
        self.max_len = max_len
        self.overlap = overlap
        self.batch_tokens = batch_tokens
        self.device = device
        self.half = half

    @property
    def nests(self) -> bool:
        """Whether spans of one category may overlap."""
        return self.network.head.nests

    @classmethod
    def from_settings(
        cls,
        config: Config,
        network: TaggingNetwork,
        vocabulary: Vocabulary,
        device: torch.device,
    ) -> Predictor:
        """One that reads as the settings say, in windows of the length trained on and in the device's own precision."""
        half = choose_half("auto", device)
        reading = config.predict
        return cls(network, vocabulary, config.data.max_len, reading.overlap, reading.batch_tokens, device, half)

    def read(self, documents: Sequence[Document], lattices: Lattices) -> list[list[ScoredSpan]]:
        """The spans of documents whose lattices these are, in the same order."""
        return self.predict(lattices, range(len(documents)))

    @torch.no_grad()
    def predict(self, lattices: Lattices, documents: Sequence[int]) -> list[list[ScoredSpan]]:
        """The spans of each document, by begin, end and category.

        A document longer than `max_len` is read in overlapping windows, and a span is believed only from the window in
        whose middle it stands most nearly, so every span is decided once and with context on both sides. Two windows
        may read one place as spans that overlap; where the head finds no such, the more probable stays.
        """
        found = self._read(lattices, documents, lambda _, *read: self.network.head.decode(*read))
        return found if self.nests else [without_clashes(spans) for spans in found]

    @torch.no_grad()
    def judge(
        self, lattices: Lattices, documents: Sequence[int], asked: Sequence[Sequence[Span]], least: float, longest: int
    ) -> list[list[JudgedSpan]]:
        """What the network thinks of the spans `asked` of each document, and of all that have probability `least`.

        As for `predict`, a span is judged from one window; one that no window holds whole is not judged.
        """
        of_document = dict(zip(documents, asked, strict=True))

        def read(windows: list[Window], scores: Tensor, mask: Tensor) -> list[list[JudgedSpan]]:
            inside = [
                [span._replace(begin=span.begin - window.begin, end=span.end - window.begin)
                 for span in of_document[window.document] if window.begin <= span.begin and span.end < window.end]
                for window in windows
            ]  # fmt: skip
            return self.network.head.judge(scores, mask, inside, least, longest)

        return self._read(lattices, documents, read)

    def _read(
        self, lattices: Lattices, documents: Sequence[int], read: Callable[..., list[list[Kind]]]
    ) -> list[list[Kind]]:
        """What `read` makes of windows, their scores and masks, put together for whole documents."""
        training = self.network.training
        self.network.eval()
        bounds = {number: window_bounds(lattices.length(number), self.max_len, self.overlap) for number in documents}
        windows = [Window(number, *bound) for number, own in bounds.items() for bound in own]
        found: dict[int, set[Kind]] = {number: set() for number in documents}
        for batch in window_batches(windows, self.batch_tokens):
            for window, spans in zip(batch, read(batch, *self._scores(lattices, batch)), strict=True):
                for here in spans:
                    span = here._replace(begin=here.begin + window.begin, end=here.end + window.begin)
                    own = bounds[window.document]
                    if own[most_central(span.begin, span.end, own)] == (window.begin, window.end):
                        found[window.document].add(span)
        self.network.train(training)
        return [sorted(found[number], key=place_in_text) for number in documents]

    def _scores(self, lattices: Lattices, windows: list[Window]) -> tuple[Tensor, Tensor]:
        """(B, ...) and the mask of characters (B, L)."""
        batch = collate_windows(lattices, windows, self.vocabulary, self.network.inputs)
        batch = {name: tensor.to(self.device, non_blocking=True) for name, tensor in batch.items()}
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.half):
            return self.network(**batch).scores, batch["character_mask"]
