"""Spans of whole documents, which a network reads in overlapping windows. Dev scores are computed here too."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch
from torch import Tensor

from config import LEAST_PROBABILITY, PredictConfig
from data.batches.dataset import Window, collate_windows, window_batches
from data.batches.inputs import to_device
from data.corpus.document import Document
from data.lattice.lattice import Lattices
from data.lattice.segment import most_central, window_bounds
from data.lattice.tokenizer import Vocabulary
from data.spans import Asked, JudgedSpan, ScoredSpan, Span, place_in_text
from model.model import TaggingNetwork
from model.reading.vote import without_clashes
from utils.device import choose_half

# Characters that neighbouring windows of a long text share, at most. A span near the edge of one window then has about
# this much context in the other.
LARGEST_OVERLAP = 64

ScoredOrJudged = TypeVar("ScoredOrJudged", ScoredSpan, JudgedSpan)


class Predictor:
    """A trained network that reads documents.

    Args:
        network: on its device.
        vocabulary: of the lattices.
        categories: that the network can find.
        max_len: characters of a window.
        overlap: characters that neighbouring windows share.
        batch_tokens: padded characters in a batch.
        device: of the network.
        half: use bf16 autocast.
    """

    def __init__(
        self,
        network: TaggingNetwork,
        vocabulary: Vocabulary,
        categories: Sequence[str],
        max_len: int,
        overlap: int,
        batch_tokens: int,
        device: torch.device,
        half: bool = False,
    ) -> None:
        self.network = network
        self.vocabulary = vocabulary
        self.categories = categories
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
        network: TaggingNetwork,
        vocabulary: Vocabulary,
        categories: Sequence[str],
        device: torch.device,
        max_len: int,
        settings: PredictConfig,
    ) -> Predictor:
        """A predictor in the device's fastest precision, with windows of the length trained on (`data.max_len`)."""
        overlap, half = window_overlap(max_len), choose_half("auto", device)
        return cls(network, vocabulary, categories, max_len, overlap, settings.batch_tokens, device, half)

    def read(self, documents: Sequence[Document], lattices: Lattices) -> list[list[ScoredSpan]]:
        """The spans of each document; `lattices` are those of the documents, in the same order."""
        return self.predict(lattices, range(len(documents)))

    def candidates(
        self, documents: Sequence[Document], lattices: Lattices, asked: Asked = None
    ) -> list[list[JudgedSpan]]:
        """The spans of each document that are found, asked for, or have at least `LEAST_PROBABILITY`."""
        # No span that the network was trained on is longer than a window.
        numbers = range(len(documents))
        return self.judge(lattices, numbers, asked or [()] * len(numbers), LEAST_PROBABILITY, self.max_len)

    @torch.no_grad()
    def predict(self, lattices: Lattices, documents: Sequence[int]) -> list[list[ScoredSpan]]:
        """The spans of each document, sorted by begin, end and category.

        A document longer than `max_len` is read in overlapping windows. A span is taken from the window in which it is
        most central, so each span is decided once and has context on both sides. Two windows may still give
        overlapping spans of one category. Unless the head can find such spans, the most probable one stays.

        Args:
            lattices: of all documents.
            documents: the numbers of those to read.
        """
        found = self._read(lattices, documents, lambda _, *read: self.network.head.decode(*read))
        return found if self.nests else [without_clashes(spans) for spans in found]

    @torch.no_grad()
    def judge(
        self, lattices: Lattices, documents: Sequence[int], asked: Sequence[Sequence[Span]], least: float, longest: int
    ) -> list[list[JudgedSpan]]:
        """The probability of the spans `asked`, and of all others from probability `least`, for each document.

        A span is judged in one window, as in `predict`. A span that no window contains is not judged.

        Args:
            lattices: of all documents.
            documents: the numbers of those to read.
            asked: spans of each of these documents to judge in any case.
            least: the probability from which other spans are returned.
            longest: characters of such a span, at most.
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
        self, lattices: Lattices, documents: Sequence[int], read: Callable[..., list[list[ScoredOrJudged]]]
    ) -> list[list[ScoredOrJudged]]:
        """Apply `read` to windows, their scores and masks, and merge the results of each document."""
        training = self.network.training
        self.network.eval()
        bounds = {number: window_bounds(lattices.length(number), self.max_len, self.overlap) for number in documents}
        windows = [Window(number, *bound) for number, own in bounds.items() for bound in own]
        found: dict[int, set[ScoredOrJudged]] = {number: set() for number in documents}
        for batch in window_batches(windows, self.batch_tokens):
            for window, spans in zip(batch, read(batch, *self._scores(lattices, batch)), strict=True):
                for here in spans:
                    span = here._replace(begin=here.begin + window.begin, end=here.end + window.begin)
                    own = bounds[window.document]
                    central = most_central(span.begin, span.end, own)
                    if central is not None and own[central] == (window.begin, window.end):
                        found[window.document].add(span)
        self.network.train(training)
        return [sorted(found[number], key=place_in_text) for number in documents]

    def _scores(self, lattices: Lattices, windows: list[Window]) -> tuple[Tensor, Tensor]:
        """The scores (B, ...) of windows and their character mask (B, L)."""
        batch = to_device(collate_windows(lattices, windows, self.vocabulary, self.network.inputs), self.device)
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.half):
            return self.network(**batch).scores, batch["character_mask"]


def window_overlap(max_len: int) -> int:
    """Characters that neighbouring windows of so many characters share."""
    return min(LARGEST_OVERLAP, max_len // 2)
