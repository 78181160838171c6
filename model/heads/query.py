"""The head of the network `mrc`, which answers a question for each category with spans (Li et al., "A Unified MRC
Framework for Named Entity Recognition", ACL 2020, section 3.3).

B batch, Q questions, L characters, H size of the states.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from config import Config
from data.batches.labels import Labels
from data.batches.span_labels import SpanLabeller
from data.spans import JudgedSpan, ScoredSpan, Span
from model.heads.head import CANDIDATES, Head
from model.heads.span import bernoulli_divergence, candidate_spans, found_spans
from model.layers.global_pointer import NO_SPAN, GlobalPointer, possible_spans


class QueryHead(Head):
    """From states (B, Q, L, H) to scores (B, Q, 2 + L, L): of begins, of ends, and of pairs (begin, end).

    A span needs a begin, an end and a match of both, so spans of one category may overlap and nest. The paper scores a
    pair with a linear layer on both states. This is a sum, in which every begin prefers the same end. Here a global
    pointer scores pairs.
    """

    nests = True
    labeller: SpanLabeller

    def __init__(self, config: Config, categories: Sequence[str], size: int) -> None:
        super().__init__(config)
        self.labeller = SpanLabeller(categories)
        self.ends = nn.Linear(size, 2)
        if self.prior:
            nn.init.constant_(self.ends.bias, -self.outside_logit())
        self.match = GlobalPointer(size, 1, config.span.shared)

    def scores(self, states: Tensor, character_mask: Tensor) -> Tensor:
        """(B, Q, 2 + L, L)."""
        questions = states.shape[1]
        ends = self.ends(states).float().transpose(2, 3)  # (B, Q, 2, L)
        ends = ends.masked_fill(~character_mask[:, None, None], NO_SPAN)  # (B, Q, 2, L)
        pairs = self.match(states.flatten(0, 1), character_mask.repeat_interleave(questions, dim=0))  # (B Q, 1, L, L)
        return torch.cat([ends, pairs.squeeze(1).unflatten(0, (-1, questions))], dim=2)

    def losses(self, scores: Tensor, character_mask: Tensor, labels: Labels) -> Tensor:
        """(B,) the binary cross-entropies of all begins, all ends and some pairs, summed over questions.

        A pair counts if its begin and its end are both labelled or found, as in the authors' training.

        Args:
            scores: (B, Q, 2 + L, L).
            character_mask: (B, L) bool.
            labels: `spans` (B, Q, L, L) bool. Optionally `unknown` (B, Q, L, L) bool, spans that may or may not be
                labelled. They and their begins and ends cost nothing. Optionally `belief` (B, Q), the share of a
                question's loss in which nothing is unknown. Optionally `stands_for` (B, Q), the weight of each
                question's loss.
        """
        spans, nothing = labels["spans"], torch.zeros_like(labels["spans"])
        losses = question_losses(scores, character_mask, spans, labels.get("unknown", nothing))  # (B, Q)
        if "belief" in labels:
            losses = torch.lerp(losses, question_losses(scores, character_mask, spans, nothing), labels["belief"])
        if "stands_for" in labels:
            losses = losses * labels["stands_for"]
        return losses.sum(dim=1)

    def divergence(self, scores: Tensor, others: Tensor, character_mask: Tensor) -> Tensor:
        """(B,) summed over all begins, ends and pairs, each an independent yes or no."""
        apart = bernoulli_divergence(scores, others)  # (B, Q, 2 + L, L)
        of_ends = (apart[:, :, :2] * character_mask[:, None, None]).sum(dim=(1, 2, 3))  # (B,)
        return of_ends + (apart[:, :, 2:] * possible_spans(character_mask)).sum(dim=(1, 2, 3))

    @torch.no_grad()
    def decode(self, scores: Tensor, character_mask: Tensor) -> list[list[ScoredSpan]]:
        """All spans whose begin, end and match each have a probability above 1/2. The smallest is the span's."""
        return found_spans(span_scores(scores), self.labeller.categories)

    @torch.no_grad()
    def judge(
        self, scores: Tensor, character_mask: Tensor, asked: Sequence[Sequence[Span]], least: float, longest: int
    ) -> list[list[JudgedSpan]]:
        """As for `Head.judge`. The probability is the smallest of begin, end and match."""
        most = CANDIDATES * character_mask.sum(dim=1)  # (B,)
        return candidate_spans(span_scores(scores), self.labeller.categories, asked, least, longest, most)


def question_losses(scores: Tensor, character_mask: Tensor, spans: Tensor, unknown: Tensor) -> Tensor:
    """(B, Q) the loss of each question; the arguments are as in `QueryHead.losses`."""
    begins, ends, pairs = scores[:, :, 0], scores[:, :, 1], scores[:, :, 2:]  # (B, Q, L), (B, Q, L), (B, Q, L, L)
    here = character_mask.unsqueeze(1)  # (B, 1, L)
    is_begin, is_end = spans.any(dim=3), spans.any(dim=2)  # (B, Q, L) each
    of_begins = _cross_entropy(begins, is_begin, here & ~unknown.any(dim=3)).sum(dim=2)  # (B, Q)
    of_ends = _cross_entropy(ends, is_end, here & ~unknown.any(dim=2)).sum(dim=2)  # (B, Q)
    counts = (is_begin | (begins > 0)).unsqueeze(3) & (is_end | (ends > 0)).unsqueeze(2)  # (B, Q, L, L)
    counts = counts & possible_spans(character_mask) & ~unknown
    of_pairs = _cross_entropy(pairs, spans, counts).sum(dim=(2, 3))  # (B, Q)
    return of_begins + of_ends + of_pairs


def span_scores(scores: Tensor) -> Tensor:
    """(B, Q, L, L) the smallest of the scores (B, Q, 2 + L, L) of begin, end and match of every span."""
    begins, ends, pairs = scores[:, :, 0], scores[:, :, 1], scores[:, :, 2:]  # (B, Q, L), (B, Q, L), (B, Q, L, L)
    return torch.minimum(torch.minimum(begins.unsqueeze(3), ends.unsqueeze(2)), pairs)


def _cross_entropy(scores: Tensor, right: Tensor, counts: Tensor) -> Tensor:
    """The binary cross-entropy of each score, 0 where it does not count."""
    return (softplus(scores) - scores * right) * counts
