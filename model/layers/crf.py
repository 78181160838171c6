"""Linear-chain conditional random field with legal transitions, partial labels and posterior probabilities of spans.

The parameters and the likelihood are those of pytorch-crf. The likelihood is computed here without a pass over all
emissions for every character. A transition that the tag scheme forbids starts at `FORBIDDEN`. Its probability is zero
in float32, so its gradient is zero and it stays forbidden. Weight decay must not touch this module.

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
        """Negative log-likelihood of each sequence. Any tag is allowed where `unknown` is set.

        log Z - log Z(allowed): Bellare and McCallum, "Learning extractors from unlabeled text using relevant
        databases" (2007); Tsuboi et al., "Training conditional random fields using incomplete annotations" (2008).

        Args:
            emissions: (B, L, T) float32.
            tags: (B, L) integers. Those of pads are ignored, and without belief those of unknown positions too.
            mask: (B, L) bool, true on characters. Every row is a prefix with at least one character.
            unknown: (B, L) bool, or None for full labels.
            belief: (B,) from 0 to 1, the share of the loss in which nothing is unknown; None for 0.

        Returns:
            (B,) losses.
        """
        everything = log_partition(emissions, mask, self.scores)  # (B,)
        if unknown is None:
            return everything - path_score(emissions, tags, mask, self.scores)
        allowed = one_hot(tags, self.num_tags).bool() | unknown.unsqueeze(-1)  # (B, L, T)
        agreeing = log_partition(emissions.masked_fill(~allowed, FORBIDDEN), mask, self.scores)  # (B,)
        if belief is not None:
            agreeing = torch.lerp(agreeing, path_score(emissions, tags, mask, self.scores), belief)
        return everything - agreeing

    def best_tags(self, emissions: Tensor, mask: Tensor) -> Tensor:
        """(B, L) tags of the best legal path, 0 on pads."""
        return viterbi(emissions, mask, self.scores)


class Transitions(NamedTuple):
    """Scores of tag pairs (T, T), of the first tag (T,) and of the last tag (T,). With zeros, a chain is a softmax."""

    pairs: Tensor
    start: Tensor
    end: Tensor

    @classmethod
    def zero(cls, like: Tensor) -> Transitions:
        """The scores of independent tags. T is the last dimension of `like`."""
        tags = like.shape[-1]
        return cls(like.new_zeros(tags, tags), like.new_zeros(tags), like.new_zeros(tags))


def path_score(emissions: Tensor, tags: Tensor, mask: Tensor, scores: Transitions) -> Tensor:
    """(B,) the score of one path of tags (B, L) for each sequence."""
    num_tags = emissions.shape[2]
    emitted = emissions.gather(2, tags.unsqueeze(2)).squeeze(2)  # (B, L)
    pairs = embedding(tags[:, :-1] * num_tags + tags[:, 1:], scores.pairs.reshape(-1, 1)).squeeze(2)  # (B, L - 1)
    last = tags.gather(1, mask.sum(dim=1, keepdim=True) - 1).squeeze(1)  # (B,)
    inner = (emitted * mask).sum(dim=1) + (pairs * mask[:, 1:]).sum(dim=1)
    return scores.start[tags[:, 0]] + inner + scores.end[last]


def log_partition(emissions: Tensor, mask: Tensor, scores: Transitions) -> Tensor:
    """(B,) the log of the summed weight of all paths."""
    # Unbound once: with emissions[:, i] in the loop, every step would have a gradient of the size of all emissions.
    first, *others = emissions.unbind(1)  # L of (B, T)
    current = scores.start + first  # (B, T)
    for step, here in zip(others, mask[:, 1:, None].unbind(1), strict=True):
        arrived = torch.logsumexp(current.unsqueeze(2) + scores.pairs, dim=1) + step  # (B, T)
        current = torch.where(here, arrived, current)
    return torch.logsumexp(current + scores.end, dim=1)


def viterbi(emissions: Tensor, mask: Tensor, scores: Transitions) -> Tensor:
    """(B, L) the best tags of every sequence, 0 on pads, from emissions (B, L, T) and a mask (B, L) of prefixes."""
    length = emissions.shape[1]
    best = scores.start + emissions[:, 0]  # (B, T)
    unchanged = torch.arange(emissions.shape[2], device=emissions.device).expand_as(best)
    history = []
    for position in range(1, length):
        candidates = best.unsqueeze(2) + scores.pairs  # (B, T, T)
        arrived, origin = candidates.max(dim=1)  # (B, T)
        here = mask[:, position].unsqueeze(1)
        best = torch.where(here, arrived + emissions[:, position], best)
        # On pads a tag comes from itself, so that the way back skips them.
        history.append(torch.where(here, origin, unchanged))
    tag = (best + scores.end).argmax(dim=1, keepdim=True)  # (B, 1)
    path = [tag]
    for origin in reversed(history):
        tag = origin.gather(1, tag)
        path.append(tag)
    return torch.cat(path[::-1], dim=1) * mask


def forward_scores(emissions: Tensor, scores: Transitions) -> Tensor:
    """(B, L, T) log of the summed weight of all paths up to a position that end in a tag, its emission included."""
    current = scores.start + emissions[:, 0]  # (B, T)
    steps = [current]
    for position in range(1, emissions.shape[1]):
        current = torch.logsumexp(current.unsqueeze(2) + scores.pairs, dim=1) + emissions[:, position]
        steps.append(current)
    return torch.stack(steps, dim=1)


def backward_scores(emissions: Tensor, mask: Tensor, scores: Transitions) -> Tensor:
    """(B, L, T) log of the summed weight of all paths from after a tag at a position to the end of the sequence."""
    length = emissions.shape[1]
    current = scores.end.expand_as(emissions[:, 0])  # (B, T)
    steps = [current]
    for position in range(length - 1, 0, -1):
        onward = torch.logsumexp(scores.pairs + (emissions[:, position] + current).unsqueeze(1), dim=2)  # (B, T)
        current = torch.where(mask[:, position].unsqueeze(1), onward, current)
        steps.append(current)
    return torch.stack(steps[::-1], dim=1)


class TaggedSpans(NamedTuple):
    """S spans: sequence, begin, end (inclusive) and the four tags of the span's category, (S,) each."""

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
    """Log of the posterior probability that a span with exactly these bounds and category is present.

    This is the weight of all taggings in which `TagScheme.find_spans` finds the span, divided by that of all taggings.
    It has three parts: the forward scores at `begin`, the one path through the span, the backward scores after it.
    Usually any tag may follow a span. The exception is a single character in a scheme where it has the tag of a
    span's first character. Then no tag that continues a span may follow.

    Args:
        emissions: (B, L, T).
        mask: (B, L) bool.
        scores: of the transitions.
        spans: S spans.
        opening: (T,) bool, tags that do not continue a span.

    Returns:
        (S,) log probabilities.
    """
    forward = forward_scores(emissions, scores)  # (B, L, T)
    backward = backward_scores(emissions, mask, scores)  # (B, L, T)
    everything = torch.logsumexp(forward[:, 0] + backward[:, 0], dim=1)  # (B,)
    first = torch.where(spans.end > spans.begin, spans.first, spans.single)  # (S,)
    before = forward[spans.sequence, spans.begin, first]  # (S,)
    path = _path_through(emissions, scores, spans)  # (S,)
    after = _log_weight_after(emissions, mask, scores, spans, opening, backward)  # (S,)
    return (before + path + after - everything[spans.sequence]).clamp(max=0.0)


def _path_through(emissions: Tensor, scores: Transitions, spans: TaggedSpans) -> Tensor:
    """(S,) the score of the path from the first character of each span, without its emission, to the last."""
    sequence, begin, end = spans.sequence, spans.begin, spans.end
    running = emissions.cumsum(dim=1)  # (B, L, T), whose differences are sums of `inside` emissions
    inner = end - begin - 1
    before_last = (end - 1).clamp(min=0)
    through_inner = (
        scores.pairs[spans.first, spans.inside]
        + (inner - 1) * scores.pairs[spans.inside, spans.inside]
        + running[sequence, before_last, spans.inside]
        - running[sequence, begin, spans.inside]
        + scores.pairs[spans.inside, spans.last]
    )
    path = torch.where(inner > 0, through_inner, scores.pairs[spans.first, spans.last])
    return torch.where(end > begin, path + emissions[sequence, end, spans.last], 0.0)


def _log_weight_after(
    emissions: Tensor, mask: Tensor, scores: Transitions, spans: TaggedSpans, opening: Tensor, backward: Tensor
) -> Tensor:
    """(S,) log of the summed weight of all that can follow each span."""
    sequence, end, several = spans.sequence, spans.end, spans.end > spans.begin
    final = torch.where(several, spans.last, spans.single)  # (S,)
    following = (end + 1).clamp(max=emissions.shape[1] - 1)  # (S,)
    onward = scores.pairs[final] + emissions[sequence, following] + backward[sequence, following]  # (S, T)
    continued = (~several & (spans.first == spans.single)).unsqueeze(1) & ~opening  # (S, T)
    onward = torch.logsumexp(onward.masked_fill(continued, float("-inf")), dim=1)  # (S,)
    return torch.where(end + 1 < mask.sum(dim=1)[sequence], onward, scores.end[final])
