"""Linear-chain conditional random field on pytorch-crf, with legal transitions, partial labels and span marginals.

The parameters are pytorch-crf's, and so is the likelihood, computed here without a pass over all emissions for every
character. A transition that the tag scheme forbids starts at `FORBIDDEN` and has gradient zero there (its probability
is zero in float32), so it stays forbidden in the loss, in the marginals and in decoding alike; weight decay must leave
this module alone.

B sequences (all chains of all texts, flattened), L characters, T tags, S spans.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torchcrf
from torch import Tensor
from torch.nn.functional import embedding, one_hot

from data.batches.tags import TagScheme

FORBIDDEN = -10_000.0


class ChainCRF(torchcrf.CRF):
    """pytorch-crf's CRF restricted to what a tag scheme allows."""

    def __init__(self, scheme: TagScheme) -> None:
        super().__init__(scheme.num_tags, batch_first=True)
        allowed, starts, ends = (torch.from_numpy(array) for array in scheme.transitions())
        with torch.no_grad():
            self.transitions[~allowed] = FORBIDDEN
            self.start_transitions[~starts] = FORBIDDEN
            self.end_transitions[~ends] = FORBIDDEN

    @property
    def scores(self) -> Transitions:
        """The learned transition scores."""
        return Transitions(self.transitions, self.start_transitions, self.end_transitions)

    def loss(
        self,
        emissions: Tensor,
        tags: Tensor,
        mask: Tensor,
        unknown: Tensor | None = None,
        belief: Tensor | None = None,
    ) -> Tensor:
        """Negative log-likelihood of each sequence, with any tag allowed where `unknown` is set.

        log Z - log Z(allowed): Bellare and McCallum, "Learning extractors from unlabeled text using relevant
        databases" (2007); Tsuboi et al., "Training conditional random fields using incomplete annotations" (2008).

        Args:
            emissions: (B, L, T) float32.
            tags: (B, L) integers; what stands on pads, and without belief at unknown positions, is not looked at.
            mask: (B, L) bool, true on characters; every row is a prefix of at least one.
            unknown: (B, L) bool, or None for full labels.
            belief: (B,) from 0 to 1, the part of the loss that is taken as if nothing were unknown; None for 0.

        Returns:
            (B,) losses.
        """
        everything = log_partition(emissions, mask, self.scores)  # (B,)
        if unknown is None:
            return everything - path_score(emissions, tags, mask, self.scores)
        allowed = one_hot(tags, self.num_tags).bool() | unknown.unsqueeze(-1)  # (B, L, T)
        agreeing = log_partition(emissions.masked_fill(~allowed, FORBIDDEN), mask, self.scores)
        if belief is not None:
            agreeing = torch.lerp(agreeing, path_score(emissions, tags, mask, self.scores), belief)
        return everything - agreeing

    def best_tags(self, emissions: Tensor, mask: Tensor) -> Tensor:
        """(B, L) tags of the best legal path, 0 on pads."""
        return viterbi(emissions, mask, self.scores)


class Transitions(NamedTuple):
    """Scores of tag pairs (T, T), of the first tag (T,) and of the last (T,). All zero, a chain is a softmax."""

    pairs: Tensor
    start: Tensor
    end: Tensor

    @classmethod
    def zero(cls, like: Tensor) -> Transitions:
        """Those of independent tags; T is the last dimension of `like`."""
        tags = like.shape[-1]
        return cls(like.new_zeros(tags, tags), like.new_zeros(tags), like.new_zeros(tags))


def path_score(emissions: Tensor, tags: Tensor, mask: Tensor, scores: Transitions) -> Tensor:
    """(B,) the score of one path (B, L) of each sequence; all positions at once."""
    num_tags = emissions.shape[2]
    emitted = emissions.gather(2, tags.unsqueeze(2)).squeeze(2)  # (B, L)
    pairs = embedding(tags[:, :-1] * num_tags + tags[:, 1:], scores.pairs.reshape(-1, 1)).squeeze(2)  # (B, L - 1)
    last = tags.gather(1, mask.sum(dim=1, keepdim=True) - 1).squeeze(1)  # (B,)
    inner = (emitted * mask).sum(dim=1) + (pairs * mask[:, 1:]).sum(dim=1)
    return scores.start[tags[:, 0]] + inner + scores.end[last]


def log_partition(emissions: Tensor, mask: Tensor, scores: Transitions) -> Tensor:
    """(B,) the log of the summed weight of all paths."""
    # Unbound once: taking emissions[:, i] in the loop would give every step a gradient of the size of all of them.
    first, *others = emissions.unbind(1)  # L of (B, T)
    current = scores.start + first
    for step, here in zip(others, mask[:, 1:, None].unbind(1), strict=True):
        arrived = torch.logsumexp(current.unsqueeze(2) + scores.pairs, dim=1) + step
        current = torch.where(here, arrived, current)
    return torch.logsumexp(current + scores.end, dim=1)


def viterbi(emissions: Tensor, mask: Tensor, scores: Transitions) -> Tensor:
    """The best tags of every sequence, all sequences at once.

    Args:
        emissions: (B, L, T).
        mask: (B, L) bool, each row a prefix.
        scores: of the transitions.

    Returns:
        (B, L) best tags, 0 on pads.
    """
    length = emissions.shape[1]
    best = scores.start + emissions[:, 0]  # (B, T)
    unchanged = torch.arange(emissions.shape[2], device=emissions.device).expand_as(best)
    history = []
    for position in range(1, length):
        candidates = best.unsqueeze(2) + scores.pairs  # (B, T, T)
        arrived, origin = candidates.max(dim=1)  # (B, T)
        here = mask[:, position].unsqueeze(1)
        best = torch.where(here, arrived + emissions[:, position], best)
        # On pads a tag comes from itself, so that walking back passes over them.
        history.append(torch.where(here, origin, unchanged))
    tag = (best + scores.end).argmax(dim=1, keepdim=True)  # (B, 1)
    path = [tag]
    for origin in reversed(history):
        tag = origin.gather(1, tag)
        path.append(tag)
    return torch.cat(path[::-1], dim=1) * mask


def forward_scores(emissions: Tensor, scores: Transitions) -> Tensor:
    """(B, L, T): log of the summed weight of all beginnings that end in a tag at a position, its emission included."""
    current = scores.start + emissions[:, 0]
    steps = [current]
    for position in range(1, emissions.shape[1]):
        current = torch.logsumexp(current.unsqueeze(2) + scores.pairs, dim=1) + emissions[:, position]
        steps.append(current)
    return torch.stack(steps, dim=1)


def backward_scores(emissions: Tensor, mask: Tensor, scores: Transitions) -> Tensor:
    """(B, L, T): log of the summed weight of all that can follow a tag at a position, to the end of its sequence."""
    length = emissions.shape[1]
    current = scores.end.expand_as(emissions[:, 0])
    steps = [current]
    for position in range(length - 1, 0, -1):
        onward = torch.logsumexp(scores.pairs + (emissions[:, position] + current).unsqueeze(1), dim=2)
        current = torch.where(mask[:, position].unsqueeze(1), onward, current)
        steps.append(current)
    return torch.stack(steps[::-1], dim=1)


class TaggedSpans(NamedTuple):
    """S spans as tags, one row each: sequence, begin, end (inclusive) and the four tags of its category, all (S,)."""

    sequence: Tensor
    begin: Tensor
    end: Tensor
    first: Tensor
    inside: Tensor
    last: Tensor
    single: Tensor


def span_log_probabilities(
    emissions: Tensor, mask: Tensor, scores: Transitions, spans: TaggedSpans, opening: Tensor
) -> Tensor:
    """Log of the posterior probability that a span with exactly these bounds and category stands in the text.

    It sums the weight of every tagging in which `TagScheme.find_spans` sees the span, over that of all taggings: the
    chain's forward scores at `begin`, the one path through the span, the backward scores after it. What follows a whole
    span does not matter, but for one character where the tag of a span's begin is that of a single one: it is whole
    only if no continuation follows.

    Args:
        emissions: (B, L, T).
        mask: (B, L) bool.
        scores: of the transitions.
        spans: S spans.
        opening: (T,) bool, tags that are no continuation of a span.

    Returns:
        (S,) log probabilities.
    """
    forward = forward_scores(emissions, scores)
    backward = backward_scores(emissions, mask, scores)
    log_partition = torch.logsumexp(forward[:, 0] + backward[:, 0], dim=1)  # (B,)
    sequence, begin, end = spans.sequence, spans.begin, spans.end

    several = end > begin
    opened = forward[sequence, begin, torch.where(several, spans.first, spans.single)]  # (S,)

    # The path from the first character to the last. Sums of `inside` emissions come from a running total.
    running = emissions.cumsum(dim=1)
    inner = end - begin - 1
    before_last = (end - 1).clamp(min=0)
    has_inner = inner > 0
    through_inner = (
        scores.pairs[spans.first, spans.inside]
        + (inner - 1) * scores.pairs[spans.inside, spans.inside]
        + running[sequence, before_last, spans.inside]
        - running[sequence, begin, spans.inside]
        + scores.pairs[spans.inside, spans.last]
    )
    path = torch.where(has_inner, through_inner, scores.pairs[spans.first, spans.last])
    path = torch.where(several, path + emissions[sequence, end, spans.last], 0.0)

    final = torch.where(several, spans.last, spans.single)
    lengths = mask.sum(dim=1)
    after = (end + 1).clamp(max=emissions.shape[1] - 1)
    onward = scores.pairs[final] + emissions[sequence, after] + backward[sequence, after]  # (S, T)
    goes_on = (~several & (spans.first == spans.single)).unsqueeze(1) & ~opening  # (S, T)
    onward = torch.logsumexp(onward.masked_fill(goes_on, float("-inf")), dim=1)
    closed = torch.where(end + 1 < lengths[sequence], onward, scores.end[final])
    return (opened + path + closed - log_partition[sequence]).clamp(max=0.0)
