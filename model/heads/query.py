"""The head of a reader that was asked for the spans of one category: where they begin, where they end, and which begin
belongs to which end (Li et al., "A Unified MRC Framework for Named Entity Recognition", ACL 2020, section 3.3).

B batch, Q questions, L characters, H size of the states.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from config import Config
from data.batches.span_labels import SpanLabeller
from data.spans import JudgedSpan, ScoredSpan, Span
from model.heads.head import Head
from model.heads.span import candidate_spans, coins_apart, found_spans
from model.layers.global_pointer import NO_SPAN, GlobalPointer, possible_spans


class QueryHead(Head):
    """From states (B, Q, L, H) to scores (B, Q, 2 + L, L): of begins, of ends, and of pairs, from row to column.

    A span is what begins, ends and matches, so spans of one category may overlap and nest. The paper scores pairs by a
    linear layer on both states, a sum in which no end prefers any begin; here they are multiplied (a global pointer).
    """

    nests = True

    def __init__(self, config: Config, categories: Sequence[str], size: int) -> None:
        super().__init__(config)
        self.labeller = SpanLabeller(categories)
        self.ends = nn.Linear(size, 2)
        if self.prior:
            nn.init.constant_(self.ends.bias, -self.outside_logit())
        self.match = GlobalPointer(size, 1, config.span.size, config.span.shared)
        self.settings = config.mrc

    def scores(self, states: Tensor, character_mask: Tensor) -> Tensor:
        """(B, Q, 2 + L, L)."""
        questions = states.shape[1]
        ends = self.ends(states).float().transpose(2, 3)  # (B, Q, 2, L)
        ends = ends.masked_fill(~character_mask[:, None, None], NO_SPAN)
        pairs = self.match(states.flatten(0, 1), character_mask.repeat_interleave(questions, dim=0))  # (B Q, 1, L, L)
        return torch.cat([ends, pairs.squeeze(1).unflatten(0, (-1, questions))], dim=2)

    def losses(
        self,
        scores: Tensor,
        character_mask: Tensor,
        spans: Tensor,
        unknown: Tensor | None = None,
        belief: Tensor | None = None,
        stands_for: Tensor | None = None,
    ) -> Tensor:
        """(B,): binary cross-entropies of all begins, of all ends, and of pairs of a begin and an end, weighted.

        Pairs count whose begin and end are both labelled or found, as in the authors' training.

        Args:
            scores: (B, Q, 2 + L, L); character_mask: (B, L) bool.
            spans: (B, Q, L, L) bool.
            unknown: (B, Q, L, L) bool, spans of which it is not known whether they are any; they cost nothing, nor do
                begins and ends of such.
            belief: (B, Q), the part of a question's loss that is taken as if nothing were unknown; None for 0.
            stands_for: (B, Q), how often each question's loss counts; None for once.
        """
        nothing = torch.zeros_like(spans)
        losses = self._of_questions(scores, character_mask, spans, nothing if unknown is None else unknown)  # (B, Q)
        if belief is not None:
            losses = torch.lerp(losses, self._of_questions(scores, character_mask, spans, nothing), belief)
        return (losses if stands_for is None else losses * stands_for).sum(dim=1)

    def _of_questions(self, scores: Tensor, character_mask: Tensor, spans: Tensor, unknown: Tensor) -> Tensor:
        begins, ends, pairs = scores[:, :, 0], scores[:, :, 1], scores[:, :, 2:]
        here = character_mask.unsqueeze(1)  # (B, 1, L)
        is_begin, is_end = spans.any(dim=3), spans.any(dim=2)  # (B, Q, L)
        of_begins = _cross_entropy(begins, is_begin, here & ~unknown.any(dim=3)).sum(dim=2)
        of_ends = _cross_entropy(ends, is_end, here & ~unknown.any(dim=2)).sum(dim=2)
        looked_at = (is_begin | (begins > 0)).unsqueeze(3) & (is_end | (ends > 0)).unsqueeze(2)  # (B, Q, L, L)
        looked_at = looked_at & possible_spans(character_mask) & ~unknown
        of_pairs = _cross_entropy(pairs, spans, looked_at).sum(dim=(2, 3))
        settings = self.settings
        return settings.begin_weight * of_begins + settings.end_weight * of_ends + settings.match_weight * of_pairs

    def divergence(self, scores: Tensor, others: Tensor, character_mask: Tensor) -> Tensor:
        """(B,): every begin, end and pair is a coin of its own."""
        apart = coins_apart(scores, others)  # (B, Q, 2 + L, L)
        of_ends = (apart[:, :, :2] * character_mask[:, None, None]).sum(dim=(1, 2, 3))
        return of_ends + (apart[:, :, 2:] * possible_spans(character_mask)).sum(dim=(1, 2, 3))

    @torch.no_grad()
    def decode(self, scores: Tensor, character_mask: Tensor) -> list[list[ScoredSpan]]:
        """All that begin, end and match with a probability above one half; the least of the three is the span's."""
        return found_spans(span_scores(scores), self.labeller.categories)

    @torch.no_grad()
    def judge(
        self, scores: Tensor, character_mask: Tensor, asked: Sequence[Sequence[Span]], least: float, longest: int
    ) -> list[list[JudgedSpan]]:
        """By the least of the three probabilities."""
        return candidate_spans(span_scores(scores), self.labeller.categories, asked, least, longest)


def span_scores(scores: Tensor) -> Tensor:
    """(B, Q, L, L) the weakest of begin, end and match of every span, from (B, Q, 2 + L, L)."""
    begins, ends, pairs = scores[:, :, 0], scores[:, :, 1], scores[:, :, 2:]
    return torch.minimum(torch.minimum(begins.unsqueeze(3), ends.unsqueeze(2)), pairs)


def _cross_entropy(scores: Tensor, right: Tensor, counts: Tensor) -> Tensor:
    """Binary cross-entropy of each score, 0 where it does not count."""
    return (softplus(scores) - scores * right) * counts
