"""Pseudo-labels: unlabelled texts, labelled where the votes are certain and masked where they are uncertain."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from config import PseudoConfig
from data.corpus.document import Document
from data.spans import Doubt, Span, clash, sorted_spans
from experiments.denoising.votes import Ballot

# Between this probability and `certain_from` a span is masked. It mirrors the default of `certain_from`, 0.9: below one
# in ten its absence is as certain as the presence of a label.
UNCERTAIN_FROM = 0.1


def pseudo_label(
    documents: Iterable[Document],
    ballots: Mapping[str, Ballot],
    settings: PseudoConfig,
    uncertain_from: float = UNCERTAIN_FROM,
    pooled: bool = False,
) -> list[Document]:
    """The documents with at least one certain span, with labels, doubts and weight.

    A span is a label if its probability is at least `settings.certain_from`: the mean over the voters, or the `pooled`
    one. If such spans of one category overlap, only the most probable is a label. Other spans from `uncertain_from` up
    are doubts in their own category, where training allows any tag, unless they overlap a label of that category.
    """
    labelled = []
    for document in documents:
        ballot = ballots.get(document.id, Ballot())
        probabilities = {span: tally.pooled if pooled else tally.probability for span, tally in ballot.spans.items()}
        ranked = sorted(probabilities.items(), key=lambda item: (-item[1], item[0]))
        certain: list[Span] = []
        doubts: list[Doubt] = []
        for span, probability in ranked:
            if any(clash(span, other) for other in certain):
                continue
            if probability >= settings.certain_from:
                certain.append(span)
            elif probability >= uncertain_from:
                doubts.append(Doubt(*span))
        if certain:
            spans, doubtful = sorted_spans(certain), sorted_spans(doubts)
            labelled.append(replace(document, spans=spans, doubtful=doubtful, weight=settings.weight))
    return labelled
