"""Labels against votes: which labels are doubtful and which spans are missing, and what becomes of each.

| kind       | found as                                     | action     | in the cleaned document                     |
|------------|----------------------------------------------|------------|---------------------------------------------|
| `doubtful` | a label with too small a share of the votes, | `keep`     | the label                                   |
|            | which see something else there, or nothing   | `remove`   | nothing                                     |
| `missing`  | a span with enough votes that no label has   | `ignore`   | nothing                                     |
|            |                                              | `add`      | a label                                     |
| both       |                                              | `mask`     | its stretch is in doubt, in its category    |
|            |                                              | `mask_all` | its stretch is in doubt, in all categories  |
|            |                                              | `weight`   | a label, in doubt, believed by its share    |
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Literal, NamedTuple, get_args

from config import DenoiseConfig, DoubtfulAction, MissingAction
from data.corpus.document import Document
from data.spans import ANY_CATEGORY, Doubt, Span, clash, overlap, sorted_spans
from experiments.denoising.confident import as_spans, confident_issues
from experiments.denoising.votes import Ballot, Tally

ACTIONS: dict[str, tuple[str, ...]] = {"doubtful": get_args(DoubtfulAction), "missing": get_args(MissingAction)}
ADDING = ("add", "weight")  # the actions after which a span is a label


class Decision(NamedTuple):
    """One label that is doubtful or one span that is missing. `share` is what was held against the threshold.

    Where a person has corrected the bounds or the category of a doubtful label, `span` is what they say and `corrected`
    the label as it stands, whose place it takes.
    """

    document: str
    kind: Literal["doubtful", "missing"]
    span: Span
    tally: Tally
    share: float
    action: str
    corrected: Span | None = None

    @property
    def certainty(self) -> float:
        return self.share if self.kind == "missing" else 1 - self.share


def decide(
    documents: Sequence[Document], ballots: Mapping[str, Ballot], categories: Sequence[str], settings: DenoiseConfig
) -> list[Decision]:
    """What the votes say against the labels, most certain first.

    That voters do not find a label is little evidence: they miss every name that is new to them, and an annotator does
    not label at random. So a label with too small a share is doubtful where the votes contradict it (a missing span
    overlaps it) or hold it for impossible (`unsupported_below`).

    A label that no voter judged (no window holds it whole, or nobody read the document) is left alone. A missing span
    that overlaps a label which is not doubtful is none, and of missing spans that overlap only the one with the largest
    share counts. With `denoise.overlapping` that holds within a category alone, for a chain can hold no two of them.
    """
    if settings.finder == "confidence":
        found = _by_confidence(documents, ballots, categories)
    else:
        found = _by_threshold(documents, ballots, settings)
    excludes = clash if settings.overlapping else overlap
    decisions = []
    for document in documents:
        doubtful, missing = found.get(document.id, (set(), set()))
        taken = [span for span in document.spans if span not in doubtful]
        for span in doubtful:
            decisions.append(_decision(document, "doubtful", span, ballots, settings))
        of_document = [_decision(document, "missing", span, ballots, settings) for span in missing]
        for decision in sorted(of_document, key=_most_certain_first):
            if not any(excludes(decision.span, other) for other in taken):
                taken.append(decision.span)
                decisions.append(decision)
    return sorted(decisions, key=_most_certain_first)


def label_support(documents: Iterable[Document], ballots: Mapping[str, Ballot]) -> float:
    """The mean probability that voters give the labels: how much they can say at all. 0 without labels."""
    of_labels = [ballots.get(document.id, Ballot()).of(span).probability
                 for document in documents for span in document.spans]  # fmt: skip
    return sum(of_labels) / len(of_labels) if of_labels else 0.0


def apply_decisions(documents: Iterable[Document], decisions: Iterable[Decision]) -> list[Document]:
    """The cleaned documents; the given ones are not changed."""
    of_document: dict[str, list[Decision]] = {}
    for decision in decisions:
        of_document.setdefault(decision.document, []).append(decision)
    return [_cleaned(document, of_document.get(document.id, [])) for document in documents]


Found = dict[str, tuple[set[Span], set[Span]]]  # of each document, doubtful labels and missing spans


def _by_threshold(documents: Sequence[Document], ballots: Mapping[str, Ballot], settings: DenoiseConfig) -> Found:
    found: Found = {}
    for document in documents:
        ballot = ballots.get(document.id, Ballot())
        doubtful, missing = found.setdefault(document.id, (set(), set()))
        labels = set(document.spans)
        for span in ballot.spans.keys() - labels:
            least = settings.missing_from_of.get(span.category, settings.missing_from)
            if share_of(ballot.of(span), settings) >= least:
                missing.add(span)
        for span in ballot.spans.keys() & labels:
            below = settings.doubtful_below_of.get(span.category, settings.doubtful_below)
            unsupported = ballot.of(span).probability < settings.unsupported_below
            contradicted = any(overlap(span, other) for other in missing)
            if share_of(ballot.of(span), settings) < below and (unsupported or contradicted):
                doubtful.add(span)
    return found


def _by_confidence(documents: Sequence[Document], ballots: Mapping[str, Ballot], categories: Sequence[str]) -> Found:
    found: Found = {}
    labels = {document.id: set(document.spans) for document in documents}
    for issue in confident_issues(documents, ballots, categories):
        doubtful, missing = found.setdefault(issue.document, (set(), set()))
        label, rather = as_spans(issue)
        if label is not None:
            doubtful.add(label)
        if rather is not None and rather not in labels[issue.document]:
            missing.add(rather)
    return found


def share_of(tally: Tally, settings: DenoiseConfig) -> float:
    """What the finder goes by."""
    return tally.share if settings.finder == "votes" else tally.probability


def _decision(
    document: Document, kind: str, span: Span, ballots: Mapping[str, Ballot], settings: DenoiseConfig
) -> Decision:
    tally = ballots[document.id].of(span)
    action = settings.doubtful if kind == "doubtful" else settings.missing
    return Decision(document.id, kind, span, tally, share_of(tally, settings), action)


def _most_certain_first(decision: Decision) -> tuple:
    return -decision.certainty, decision.document, decision.span.begin, decision.span.end, decision.span.category


def _cleaned(document: Document, decisions: Sequence[Decision]) -> Document:
    spans, doubts = set(document.spans), list(document.doubtful)
    for decision in _that_fit(document.spans, decisions):
        span = decision.span
        if decision.corrected:
            spans.discard(decision.corrected)
            spans.add(span)
        if decision.action in ADDING:
            spans.add(span)
        elif decision.action == "remove":
            spans.discard(span)
        if decision.action == "mask":
            doubts.append(Doubt(*span))
        elif decision.action == "mask_all":
            doubts.append(Doubt(ANY_CATEGORY, span.begin, span.end))
        elif decision.action == "weight":
            doubts.append(Doubt(*span, decision.share))
    return replace(document, spans=sorted_spans(spans), doubtful=sorted_spans(doubts))


def _that_fit(labels: Sequence[Span], decisions: Sequence[Decision]) -> list[Decision]:
    """Decisions of one document whose spans fit in a chain, which holds no two of a category that share a character.

    A span that is added takes the place of the doubtful labels it clashes with. Beside a label that is kept nothing is
    missing, nor beside one that no decision is of, as where a person has deleted its row.
    """
    judged = {one.corrected or one.span for one in decisions if one.kind == "doubtful"}
    kept = [one.span for one in decisions if one.action == "keep"] + [one for one in labels if one not in judged]
    fitting = [one for one in decisions if one.kind == "doubtful" or not _clashes(one.span, kept)]
    added = [one.span for one in fitting if one.kind == "missing" and one.action in ADDING]
    return [one._replace(action="remove") if one.kind == "doubtful" and _clashes(one.span, added) else one
            for one in fitting]  # fmt: skip


def _clashes(span: Span, others: Iterable[Span]) -> bool:
    return any(clash(span, other) for other in others)
