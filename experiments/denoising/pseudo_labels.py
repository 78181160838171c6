"""Pseudo-labels: unlabelled texts with the spans that the votes are sure of, the uncertain rest in doubt."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from config import PseudoConfig
from data.corpus.document import Document
from data.spans import Doubt, Span, clash, sorted_spans
from experiments.denoising.votes import Ballot, Tally


def pseudo_label(
    documents: Iterable[Document], ballots: Mapping[str, Ballot], settings: PseudoConfig
) -> list[Document]:
    """The documents in which something is certain, with labels, doubts and weight.

    A span from `certain_from` of the votes up is a label; of such spans of one category that overlap, the one with more
    votes. Everything else from `uncertain_from` up is in doubt, in its own category: there training allows any tag.
    """
    labelled = []
    for document in documents:
        ballot = ballots.get(document.id, Ballot())
        ranked = sorted(ballot.spans.items(), key=lambda item: (-_share(item[1], settings), item[0]))
        certain: list[Span] = []
        doubts: list[Doubt] = []
        for span, tally in ranked:
            share = _share(tally, settings)
            free = not any(clash(span, other) for other in certain)
            if share >= settings.certain_from_of.get(span.category, settings.certain_from) and free:
                certain.append(span)
            elif share >= settings.uncertain_from and free:
                doubts.append(Doubt(*span))
        if certain:
            spans, doubtful = sorted_spans(certain), sorted_spans(doubts)
            labelled.append(replace(document, spans=spans, doubtful=doubtful, weight=settings.weight))
    return labelled


def _share(tally: Tally, settings: PseudoConfig) -> float:
    return tally.share if settings.measure == "votes" else tally.probability
