"""A head that scores every span by itself, so that spans may overlap as they like, those of one category included.

B batch, C categories, L characters, H size of the states.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import softplus

from config import Config
from data.batches.span_labels import SpanLabeller
from data.spans import JudgedSpan, ScoredSpan, Span
from model.heads.head import Head
from model.layers.global_pointer import NO_SPAN, GlobalPointer, possible_spans


class SpanHead(Head):
    """A global pointer; its scores are (B, C, L, L), above 0 for what it holds for a span."""

    nests = True

    def __init__(self, config: Config, categories: Sequence[str], size: int) -> None:
        super().__init__(config)
        self.labeller = SpanLabeller(categories)
        self.pointer = GlobalPointer(size, len(categories), config.span.size, config.span.shared)
        if self.prior:
            self.pointer.start_at(-self.outside_logit())

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
    ) -> list[list[JudgedSpan]]:
        """By the sigmoid of the scores."""
        return candidate_spans(scores, self.labeller.categories, asked, least, longest)


def found_spans(scores: Tensor, categories: Sequence[str]) -> list[list[ScoredSpan]]:
    """Of scores (B, C, L, L), the spans of each text that score above 0, with the sigmoid."""
    nothing: list[list[Span]] = [[] for _ in scores]
    of_texts = candidate_spans(scores, categories, nothing, 0.5, scores.shape[2])
    return [[ScoredSpan(*one[:4]) for one in candidates if one.found] for candidates in of_texts]


def candidate_spans(
    scores: Tensor, categories: Sequence[str], asked: Sequence[Sequence[Span]], least: float, longest: int
) -> list[list[JudgedSpan]]:
    """Of scores (B, C, L, L), what `Head.judge` wants."""
    probabilities = scores.sigmoid()  # (B, C, L, L)
    worth = (probabilities >= least).tril(longest - 1) | (scores > 0)
    places = set(map(tuple, worth.nonzero().tolist()))
    number = {category: place for place, category in enumerate(categories)}
    places |= {(text, number[span.category], span.begin, span.end) for text, own in enumerate(asked) for span in own}
    texts: list[list[JudgedSpan]] = [[] for _ in scores]
    if not places:
        return texts
    ordered = sorted(places, key=lambda place: (place[0], place[2], place[3], categories[place[1]]))
    columns = torch.tensor(ordered, device=scores.device).unbind(1)
    judged = zip(ordered, probabilities[columns].tolist(), (scores[columns] > 0).tolist(), strict=True)
    for (text, category, begin, end), probability, found in judged:
        texts[text].append(JudgedSpan(categories[category], begin, end, probability, found))
    return texts


def coins_apart(scores: Tensor, others: Tensor) -> Tensor:
    """KL divergence of each coin with the logit `others` from the one with the logit `scores`, of any shape."""
    return scores.sigmoid() * (scores - others) + softplus(others) - softplus(scores)


def multi_label_loss(scores: Tensor, right: Tensor, ignored: Tensor) -> Tensor:
    """(B, C) the loss above from scores, right answers and those that do not count, all (B, C, L, L)."""
    of_right = (-scores).masked_fill(~right | ignored, NO_SPAN).flatten(2)
    of_others = scores.masked_fill(right | ignored, NO_SPAN).flatten(2)
    return softplus(of_right.logsumexp(dim=2)) + softplus(of_others.logsumexp(dim=2))
