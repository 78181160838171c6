"""A head that scores every span by itself, so that spans may overlap as they like, those of one category included.

B batch, C categories, L characters, H size of the states.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import softplus

from config import Config
from data.labels import Labels
from model.heads.head import Head
from model.layers.global_pointer import NO_SPAN, GlobalPointer, possible_spans
from utils.preprocess.document import ANY_CATEGORY, Candidate, Doubt, ScoredSpan, Span


class SpanHead(Head):
    """A global pointer; its scores are (B, C, L, L), above 0 for what it holds for a span."""

    def __init__(self, config: Config, categories: Sequence[str], size: int) -> None:
        super().__init__(config)
        self.labeller = SpanLabeller(categories)
        self.pointer = GlobalPointer(size, len(categories), config.span.size, config.span.shared)

    def scores(self, states: Tensor, character_mask: Tensor) -> Tensor:
        """(B, C, L, L)."""
        return self.pointer(states, character_mask)

    def losses(
        self,
        scores: Tensor,
        character_mask: Tensor,
        spans: Tensor,
        unknown: Tensor | None = None,
        belief: Tensor | None = None,
    ) -> Tensor:
        """(B,): for each category, every labelled span is to score above 0 and every other below it.

            log(1 + sum over spans of exp(-s)) + log(1 + sum over all others of exp(s))

        Su et al., eq. 5: a softmax for any number of right answers, which hardly minds how many wrong ones there are.

        Args:
            scores: (B, C, L, L); character_mask: (B, L) bool.
            spans: (B, C, L, L) bool.
            unknown: (B, C, L, L) bool, spans of which it is not known whether they are any; they cost nothing.
            belief: (B, C), the part of a category's loss that is taken as if nothing were unknown; None for 0.
        """
        certain = multi_label_loss(scores, spans, torch.zeros_like(spans) if unknown is None else unknown)  # (B, C)
        if belief is not None:
            certain = torch.lerp(certain, multi_label_loss(scores, spans, torch.zeros_like(spans)), belief)
        return certain.sum(dim=1)

    def divergence(self, scores: Tensor, others: Tensor, character_mask: Tensor) -> Tensor:
        """(B,): every span is a coin of its own."""
        return (coins_apart(scores, others) * possible_spans(character_mask)).sum(dim=(1, 2, 3))

    @torch.no_grad()
    def decode(self, scores: Tensor, character_mask: Tensor) -> list[list[ScoredSpan]]:
        """All spans that score above 0. The probability is the score's sigmoid, which nothing calibrates."""
        return found_spans(scores, self.labeller.categories)

    @torch.no_grad()
    def judge(
        self, scores: Tensor, character_mask: Tensor, asked: Sequence[Sequence[Span]], least: float, longest: int
    ) -> list[list[Candidate]]:
        """By the sigmoid of the scores."""
        return candidate_spans(scores, self.labeller.categories, asked, least, longest)


def found_spans(scores: Tensor, categories: Sequence[str]) -> list[list[ScoredSpan]]:
    """Of scores (B, C, L, L), the spans of each text that score above 0, with the sigmoid."""
    nothing: list[list[Span]] = [[] for _ in scores]
    of_texts = candidate_spans(scores, categories, nothing, 0.5, scores.shape[2])
    return [[ScoredSpan(*one[:4]) for one in candidates if one.found] for candidates in of_texts]


def candidate_spans(
    scores: Tensor, categories: Sequence[str], asked: Sequence[Sequence[Span]], least: float, longest: int
) -> list[list[Candidate]]:
    """Of scores (B, C, L, L), what `Head.judge` wants."""
    probabilities = scores.sigmoid()  # (B, C, L, L)
    worth = (probabilities >= least).tril(longest - 1) | (scores > 0)
    places = set(map(tuple, worth.nonzero().tolist()))
    number = {category: place for place, category in enumerate(categories)}
    places |= {(text, number[span.category], span.begin, span.end) for text, own in enumerate(asked) for span in own}
    texts: list[list[Candidate]] = [[] for _ in scores]
    if not places:
        return texts
    ordered = sorted(places, key=lambda place: (place[0], place[2], place[3], categories[place[1]]))
    columns = torch.tensor(ordered, device=scores.device).unbind(1)
    judged = zip(ordered, probabilities[columns].tolist(), (scores[columns] > 0).tolist(), strict=True)
    for (text, category, begin, end), probability, found in judged:
        texts[text].append(Candidate(categories[category], begin, end, probability, found))
    return texts


def coins_apart(scores: Tensor, others: Tensor) -> Tensor:
    """KL divergence of each coin with the logit `others` from the one with the logit `scores`, of any shape."""
    return scores.sigmoid() * (scores - others) + softplus(others) - softplus(scores)


def multi_label_loss(scores: Tensor, right: Tensor, ignored: Tensor) -> Tensor:
    """(B, C) the loss above from scores, right answers and those that do not count, all (B, C, L, L)."""
    of_right = (-scores).masked_fill(~right | ignored, NO_SPAN).flatten(2)
    of_others = scores.masked_fill(right | ignored, NO_SPAN).flatten(2)
    return softplus(of_right.logsumexp(dim=2)) + softplus(of_others.logsumexp(dim=2))


class SpanLabels(NamedTuple):
    """One text: int64 (S, 3) category, begin and end of its spans, and the stretches (D, 3) where any may be or not."""

    spans: np.ndarray
    unknown: np.ndarray
    belief: np.ndarray  # (C,)


class SpanLabeller:
    """Labels as tables of all spans."""

    def __init__(self, categories: Sequence[str]) -> None:
        self.categories = tuple(categories)
        self._numbers = {category: number for number, category in enumerate(self.categories)}

    def write(self, spans: Sequence[Span], doubts: Sequence[Doubt], length: int) -> tuple[SpanLabels, int]:
        """Every span finds its place."""
        rows = [(self._numbers[span.category], span.begin, span.end) for span in spans]
        stretches = list(chain.from_iterable(self._stretches(doubt, length) for doubt in doubts))
        beliefs: list[list[float]] = [[] for _ in self.categories]
        for category, _, _, belief in stretches:
            beliefs[category].append(belief)
        return SpanLabels(
            np.array(rows, dtype=np.int64).reshape(-1, 3),
            np.array([stretch[:3] for stretch in stretches], dtype=np.int64).reshape(-1, 3),
            np.array([np.mean(own) if own else 0.0 for own in beliefs], dtype=np.float32),
        ), 0

    def _stretches(self, doubt: Doubt, length: int) -> list[tuple[int, int, int, float]]:
        everything = range(len(self.categories))
        numbers = everything if doubt.category == ANY_CATEGORY else [self._numbers[doubt.category]]
        begin, end = max(doubt.begin, 0), min(doubt.end, length - 1)
        return [(number, begin, end, doubt.belief) for number in numbers]

    def collate(self, labels: Sequence[SpanLabels], length: int) -> Labels:
        """`spans` (B, C, L, L); where anything is in doubt also `unknown` (B, C, L, L), all spans inside the stretches,
        and `belief` (B, C) if not all 0."""
        shape = len(labels), len(self.categories), length, length
        spans, unknown = np.zeros(shape, dtype=bool), np.zeros(shape, dtype=bool)
        for text, own in enumerate(labels):
            spans[text, own.spans[:, 0], own.spans[:, 1], own.spans[:, 2]] = True
            for category, begin, end in own.unknown.tolist():
                unknown[text, category, begin : end + 1, begin : end + 1] = True
        batch = {"spans": torch.from_numpy(spans)}
        if unknown.any():
            batch["unknown"] = torch.from_numpy(unknown)
        belief = np.stack([own.belief for own in labels])
        if belief.any():
            batch["belief"] = torch.from_numpy(belief)
        return batch
