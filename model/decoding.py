"""From emissions to spans with probabilities.

B batch, K chains, L characters, T tags, S spans.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from model.layers.crf import TaggedSpans, span_log_probabilities
from model.model import LatticeTagger
from utils.preprocess.document import ScoredSpan
from utils.tags import CHAIN


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
    found = scheme.find_spans(tags)
    texts: list[list[ScoredSpan]] = [[] for _ in tags]
    if not len(found.text):
        return texts
    code = scheme.codes[found.category]  # (S, 5)
    sequence = found.text * scheme.num_chains + code[:, CHAIN]
    rows = np.stack([sequence, found.begin, found.end, *code[:, CHAIN + 1 :].T])  # (7, S)
    spans = TaggedSpans(*torch.from_numpy(rows).to(emissions.device))
    opening = torch.from_numpy(scheme.opening()).to(emissions.device)
    logs = span_log_probabilities(flat, mask, model.crf.scores, spans, opening)  # (S,)
    columns = (column.tolist() for column in (*found, logs.exp()))
    for text, category, begin, end, probability in zip(*columns, strict=True):
        texts[text].append(ScoredSpan(scheme.categories[category], begin, end, probability))
    return texts
