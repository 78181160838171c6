"""Decodes emissions into spans with posterior probabilities.

B batch, K chains, L characters, T tags, S spans.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from data.batches.tags import CHAIN, FIRST, LAST, SINGLE, FoundSpans, TagScheme
from data.spans import JudgedSpan, ScoredSpan, Span, place_in_text
from model.heads.head import CANDIDATES
from model.layers.crf import ChainCRF, TaggedSpans, backward_scores, forward_scores, span_log_probabilities
from model.layers.softmax import SoftmaxChain


class ChainDecoder:
    """Decodes emissions with a tag scheme and the transitions of a CRF or softmax."""

    def __init__(self, scheme: TagScheme, crf: ChainCRF | SoftmaxChain) -> None:
        self.scheme = scheme
        self.crf = crf

    @torch.no_grad()
    def decode(self, emissions: Tensor, character_mask: Tensor) -> list[list[ScoredSpan]]:
        """The spans of the best tags, each with its posterior probability.

        Args:
            emissions: (B, K, L, T).
            character_mask: (B, L) bool.

        Returns:
            For each text its spans by begin, end and category.
        """
        found = self._best_spans(emissions, character_mask)
        probabilities = self._probabilities(emissions, character_mask, found)
        texts: list[list[ScoredSpan]] = [[] for _ in emissions]
        for text, span, probability in zip(found.text.tolist(), self._named(found), probabilities, strict=True):
            texts[text].append(ScoredSpan(*span, probability))
        return texts

    @torch.no_grad()
    def judge(
        self,
        emissions: Tensor,
        character_mask: Tensor,
        asked: Sequence[Sequence[Span]],
        least: float,
        longest: int,
    ) -> list[list[JudgedSpan]]:
        """The posterior probabilities of candidate spans; the arguments and the result are those of `Head.judge`.

        Args:
            emissions: (B, K, L, T), in the place of scores.
        """
        number = {category: place for place, category in enumerate(self.scheme.categories)}
        best = _keys(self._best_spans(emissions, character_mask))
        labels = {
            (text, number[span.category], span.begin, span.end) for text, spans in enumerate(asked) for span in spans
        }
        likely = _keys(self._likely_spans(emissions, character_mask, least, longest))
        keys = sorted(best | labels | likely)
        spans = FoundSpans(*np.array(keys, dtype=np.int64).reshape(-1, 4).T)
        probabilities = self._probabilities(emissions, character_mask, spans)
        texts: list[list[JudgedSpan]] = [[] for _ in emissions]
        for key, span, probability in zip(keys, self._named(spans), probabilities, strict=True):
            if probability >= least or key in best or key in labels:
                texts[key[0]].append(JudgedSpan(*span, probability, key in best))
        return [sorted(candidates, key=place_in_text) for candidates in texts]

    def _best_spans(self, emissions: Tensor, character_mask: Tensor) -> FoundSpans:
        mask = mask_of_chains(character_mask, self.scheme)  # (B K, L)
        tags = self.crf.best_tags(emissions.flatten(0, 1), mask).unflatten(0, (-1, self.scheme.num_chains))
        return self.scheme.find_spans(tags.cpu().numpy())

    def _likely_spans(self, emissions: Tensor, character_mask: Tensor, least: float, longest: int) -> FoundSpans:
        """Spans whose first and last tag both have at least the probability `least`. No other span can have it.

        The smaller of both probabilities bounds that of the span. Of too many spans those with the largest bounds stay.
        """
        posteriors = self._posteriors(emissions, character_mask)  # (B, K, L, T)
        found = [np.empty((4, 0), dtype=np.int64)]  # (4, spans) each: text, category, begin and end
        for number, length in enumerate(character_mask.sum(dim=1).tolist()):
            columns, bounds = self._pairs(posteriors[number, :, :length], least, longest)
            kept = np.sort(np.argsort(-bounds, kind="stable")[: CANDIDATES * length])
            found.append(np.vstack([np.full((1, len(kept)), number), columns[:, kept]]))
        return FoundSpans(*np.concatenate(found, axis=1))

    def _pairs(self, posterior: np.ndarray, least: float, longest: int) -> tuple[np.ndarray, np.ndarray]:
        """Category, begin and end (3, spans) of the likely spans of a text, and a bound (spans,) of each probability.

        Args:
            posterior: (K, L, T).
            least, longest: as for `Head.judge`.
        """
        columns, bounds = [np.empty((3, 0), dtype=np.int64)], [np.empty(0)]
        for category, code in enumerate(self.scheme.codes):
            own = posterior[code[CHAIN]]  # (L, T)
            alone, first, last = (own[:, code[which]] for which in (SINGLE, FIRST, LAST))  # 3 of (L,)
            places = np.flatnonzero(alone >= least)
            columns.append(np.stack([np.full(len(places), category), places, places]))
            bounds.append(alone[places])
            grid = np.meshgrid(np.flatnonzero(first >= least), np.flatnonzero(last >= least))
            begin, end = (axis.ravel() for axis in grid)
            fits = (begin < end) & (end - begin < longest)
            begin, end = begin[fits], end[fits]
            columns.append(np.stack([np.full(len(begin), category), begin, end]))
            bounds.append(np.minimum(first[begin], last[end]))
        return np.concatenate(columns, axis=1), np.concatenate(bounds)

    def _posteriors(self, emissions: Tensor, character_mask: Tensor) -> np.ndarray:
        """(B, K, L, T): the posterior probability of every tag."""
        flat, mask = emissions.flatten(0, 1), mask_of_chains(character_mask, self.scheme)  # (B K, L, T), (B K, L)
        weights = forward_scores(flat, self.crf.scores) + backward_scores(flat, mask, self.crf.scores)  # (B K, L, T)
        posterior = (weights - weights[:, :1].logsumexp(dim=2, keepdim=True)).exp()  # (B K, L, T)
        return posterior.unflatten(0, (-1, self.scheme.num_chains)).cpu().numpy()

    def _probabilities(self, emissions: Tensor, character_mask: Tensor, spans: FoundSpans) -> list[float]:
        """(S,) posterior probabilities."""
        if not len(spans.text):
            return []
        scheme = self.scheme
        code = scheme.codes[spans.category]  # (S, 5)
        sequence = spans.text * scheme.num_chains + code[:, CHAIN]  # (S,)
        rows = np.stack([sequence, spans.begin, spans.end, *code[:, CHAIN + 1 :].T])  # (7, S)
        tagged = TaggedSpans(*torch.from_numpy(rows).to(emissions.device))
        opening = torch.from_numpy(scheme.opening()).to(emissions.device)  # (T,)
        mask = mask_of_chains(character_mask, self.scheme)  # (B K, L)
        return span_log_probabilities(emissions.flatten(0, 1), mask, self.crf.scores, tagged, opening).exp().tolist()

    def _named(self, spans: FoundSpans) -> list[Span]:
        categories = self.scheme.categories
        columns = (column.tolist() for column in (spans.category, spans.begin, spans.end))
        return [Span(categories[category], begin, end) for category, begin, end in zip(*columns, strict=True)]


def mask_of_chains(character_mask: Tensor, scheme: TagScheme) -> Tensor:
    """(B K, L): the mask of every chain."""
    return character_mask.repeat_interleave(scheme.num_chains, dim=0)


def _keys(spans: FoundSpans) -> set[tuple[int, ...]]:
    return set(zip(*(column.tolist() for column in spans), strict=True))
