"""A head that scores every span independently. Spans may overlap and nest, within one category too.

B batch, C categories, L characters, H size of the states.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import torch
from torch import Tensor
from torch.nn.functional import softplus

from config import Config
from data.batches.labels import Labels
from data.batches.span_labels import SpanLabeller
from data.spans import JudgedSpan, ScoredSpan, Span
from model.heads.head import CANDIDATES, Head
from model.layers.global_pointer import NO_SPAN, GlobalPointer, possible_spans


class SpanHead(Head):
    """A global pointer. Its scores are (B, C, L, L), and a score above 0 means a span."""

    nests = True
    labeller: SpanLabeller

    def __init__(self, config: Config, categories: Sequence[str], size: int) -> None:
        super().__init__(config)
        self.labeller = SpanLabeller(categories)
        self.pointer = GlobalPointer(size, len(categories), config.span.shared)
        if self.prior:
            self.pointer.start_at(-self.outside_logit())

    def dimension_names(self) -> dict[str, tuple[Sequence[Hashable], ...]]:
        """Those of the pointer."""
        names = self.pointer.dimension_names(self.labeller.categories)
        return {f"pointer.{name}": own for name, own in names.items()}

    def scores(self, states: Tensor, character_mask: Tensor) -> Tensor:
        """(B, C, L, L)."""
        return self.pointer(states, character_mask)

    def losses(self, scores: Tensor, character_mask: Tensor, labels: Labels) -> Tensor:
        """(B,) the loss of each text, summed over categories. Labelled spans should score above 0, all others below.

            log(1 + sum over spans of exp(-s)) + log(1 + sum over all others of exp(s))

        This is Su et al., eq. 5, a softmax for any number of right answers.

        Args:
            scores: (B, C, L, L).
            character_mask: (B, L) bool.
            labels: `spans` (B, C, L, L) bool. Optionally `unknown` (B, C, L, L) bool, spans that may or may not be
                labelled and cost nothing. Optionally `belief` (B, C), the share of a category's loss in which nothing
                is unknown.
        """
        spans, nothing = labels["spans"], torch.zeros_like(labels["spans"])
        losses = multi_label_loss(scores, spans, labels.get("unknown", nothing))  # (B, C)
        if "belief" in labels:
            losses = torch.lerp(losses, multi_label_loss(scores, spans, nothing), labels["belief"])
        return losses.sum(dim=1)

    def divergence(self, scores: Tensor, others: Tensor, character_mask: Tensor) -> Tensor:
        """(B,) summed over all spans, each an independent yes or no."""
        return (bernoulli_divergence(scores, others) * possible_spans(character_mask)).sum(dim=(1, 2, 3))

    @torch.no_grad()
    def decode(self, scores: Tensor, character_mask: Tensor) -> list[list[ScoredSpan]]:
        """All spans that score above 0. The probability is the sigmoid of the score and is not calibrated."""
        return found_spans(scores, self.labeller.categories)

    @torch.no_grad()
    def judge(
        self, scores: Tensor, character_mask: Tensor, asked: Sequence[Sequence[Span]], least: float, longest: int
    ) -> list[list[JudgedSpan]]:
        """As for `Head.judge`. The probability is the sigmoid of the score."""
        most = CANDIDATES * character_mask.sum(dim=1)  # (B,)
        return candidate_spans(scores, self.labeller.categories, asked, least, longest, most)


def found_spans(scores: Tensor, categories: Sequence[str]) -> list[list[ScoredSpan]]:
    """The spans of each text with a score (B, C, L, L) above 0. Their probability is the sigmoid of the score."""
    nothing: list[list[Span]] = [[] for _ in scores]
    of_texts = candidate_spans(scores, categories, nothing, 0.5, scores.shape[2])
    return [[ScoredSpan(*one[:4]) for one in candidates if one.found] for candidates in of_texts]


def candidate_spans(
    scores: Tensor,
    categories: Sequence[str],
    asked: Sequence[Sequence[Span]],
    least: float,
    longest: int,
    most: Tensor | None = None,
) -> list[list[JudgedSpan]]:
    """The candidates of `Head.judge` from scores (B, C, L, L).

    Args:
        most: (B,) candidates of each text, beside those that are asked for; no bound by default.
        categories, asked, least, longest: as there.
    """
    probabilities = scores.sigmoid()  # (B, C, L, L)
    likely = (probabilities >= least).tril(longest - 1) | (scores > 0)  # (B, C, L, L)
    if most is not None:
        likely = _most_likely(scores, likely, most)
    places = set(map(tuple, likely.nonzero().tolist()))
    number = {category: place for place, category in enumerate(categories)}
    places |= {(text, number[span.category], span.begin, span.end) for text, own in enumerate(asked) for span in own}
    texts: list[list[JudgedSpan]] = [[] for _ in scores]
    if not places:
        return texts
    ordered = sorted(places, key=lambda place: (place[0], place[2], place[3], categories[place[1]]))
    columns = torch.tensor(ordered, device=scores.device).unbind(1)  # 4 of (candidates,)
    judged = zip(ordered, probabilities[columns].tolist(), (scores[columns] > 0).tolist(), strict=True)
    for (text, category, begin, end), probability, found in judged:
        texts[text].append(JudgedSpan(categories[category], begin, end, probability, found))
    return texts


def _most_likely(scores: Tensor, likely: Tensor, most: Tensor) -> Tensor:
    """`likely` (B, C, L, L) with at most `most` (B,) of each text, those with the largest scores."""
    kept = likely.clone()
    for text in torch.nonzero(likely.flatten(1).sum(dim=1) > most).flatten().tolist():
        own = scores[text].masked_fill(~likely[text], -torch.inf).flatten()  # (C L L,)
        best = own.topk(int(most[text])).indices
        kept[text] = torch.zeros_like(own, dtype=torch.bool).index_fill(0, best, True).view_as(kept[text])
    return kept


def bernoulli_divergence(scores: Tensor, others: Tensor) -> Tensor:
    """KL(p || q) of Bernoulli distributions with the logits `scores` of p and `others` of q, elementwise."""
    return scores.sigmoid() * (scores - others) + softplus(others) - softplus(scores)


def multi_label_loss(scores: Tensor, right: Tensor, ignored: Tensor) -> Tensor:
    """(B, C) the loss of `SpanHead.losses` from scores, right answers and ignored spans, all (B, C, L, L)."""
    of_right = (-scores).masked_fill(~right | ignored, NO_SPAN).flatten(2)  # (B, C, L L)
    of_others = scores.masked_fill(right | ignored, NO_SPAN).flatten(2)  # (B, C, L L)
    return softplus(of_right.logsumexp(dim=2)) + softplus(of_others.logsumexp(dim=2))
