"""From emissions to spans with probabilities.

B batch, K chains, L characters, T tags, S spans.
"""

from __future__ import annotations

import torch
from torch import Tensor

from model.layers.crf import TaggedSpans, span_log_probabilities
from model.model import LatticeTagger
from utils.preprocess.document import ScoredSpan, Span


@torch.no_grad()
def decode_spans(model: LatticeTagger, emissions: Tensor, character_mask: Tensor) -> list[list[ScoredSpan]]:
    """The spans of the best tags of every text, each with its probability.

    Args:
        model: gives the tag scheme and the transition scores.
        emissions: (B, K, L, T).
        character_mask: (B, L) bool.

    Returns:
        For each text its spans by begin, end and category.
    """
    scheme = model.scheme
    flat, mask = emissions.flatten(0, 1), model.chain_mask(character_mask)  # (B K, L, T), (B K, L)
    tags = model.crf.best_tags(flat, mask).unflatten(0, (-1, scheme.num_chains)).cpu().numpy()  # (B, K, L)
    found: list[list[Span]] = [scheme.decode(text) for text in tags]
    listed = [(text, span) for text, spans in enumerate(found) for span in spans]
    if not listed:
        return [[] for _ in found]
    rows = []
    for text, span in listed:
        code = scheme.tags_of(span.category)
        sequence = text * scheme.num_chains + code.chain
        rows.append((sequence, span.begin, span.end, code.first, code.inside, code.last, code.single))
    columns = torch.tensor(rows, device=emissions.device).unbind(dim=1)  # 7 of (S,)
    opening = torch.from_numpy(scheme.opening()).to(emissions.device)
    logs = span_log_probabilities(flat, mask, model.crf.scores, TaggedSpans(*columns), opening)
    scored: list[list[ScoredSpan]] = [[] for _ in found]
    for (text, span), probability in zip(listed, logs.exp().tolist(), strict=True):
        scored[text].append(ScoredSpan(*span, probability))
    return scored
