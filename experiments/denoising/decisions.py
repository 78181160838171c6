"""Labels against votes: which labels are doubtful, which spans are missing, and what is done with each.

| kind       | found as                                     | action     | in the cleaned document                     |
|------------|----------------------------------------------|------------|---------------------------------------------|
| `doubtful` | a label with a small share that the votes    | `keep`     | the label                                   |
|            | contradict or find practically impossible    | `remove`   | nothing                                     |
| `missing`  | a span with a large share that is no label   | `ignore`   | nothing                                     |
|            |                                              | `add`      | a label                                     |
| both       |                                              | `mask`     | its stretch is in doubt, in its category    |
|            |                                              | `mask_all` | its stretch is in doubt, in all categories  |
|            |                                              | `weight`   | a label in doubt, whose belief is its share |
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

# A label with a smaller mean probability is doubtful even where the votes show nothing else in its place. The value is
# far below `doubtful_below`, because voters also give little probability to true names that are new to them.
UNSUPPORTED_BELOW = 1e-4
UNSUPPORTED_WATCHED = 0.02  # chosen on made-up texts with noise; docs/results/real-noise.md

DecisionKind = Literal["doubtful", "missing"]


class Decision(NamedTuple):
    """One doubtful label or one missing span. `share` is the number that was compared with the threshold.

    Where a person has corrected the bounds or the category of a doubtful label, `span` is the correction and
    `corrected` the label that it replaces.
    """

    document: str
    kind: DecisionKind
    span: Span
    tally: Tally
    share: float
    action: str
    corrected: Span | None = None

    @property
    def certainty(self) -> float:
        return self.share if self.kind == "missing" else 1 - self.share


def decide(
    documents: Sequence[Document],
    ballots: Mapping[str, Ballot],
    categories: Sequence[str],
    settings: DenoiseConfig,
    unsupported_below: float = UNSUPPORTED_BELOW,
) -> list[Decision]:
    """The doubtful labels and missing spans of all documents, most certain first.

    A label is not doubtful only because voters do not find it. They miss every name that is new to them, and an
    annotator does not label at random. A label with a share below `settings.doubtful_below` is doubtful if a missing
    span overlaps it, or if its mean probability is below `unsupported_below`. A label that no voter judged is never
    doubtful: no window holds it whole, or no voter read the document.

    A network whose training was watched (finder `dynamics`) was taught every label, so all its probabilities of labels
    are higher. There `UNSUPPORTED_WATCHED` takes the place of `unsupported_below`.

    A candidate missing span is ignored if it overlaps a label that is not doubtful, whatever its category. Voters that
    confuse two categories find both in one place, and annotators rarely label both: 16,427 labels in 2,000 documents of
    CCF have 45 overlapping pairs. If missing spans overlap, only the one with the largest share counts.
    """
    if settings.finder == "confidence":
        found = _by_confidence(documents, ballots, categories)
    else:
        found = _by_threshold(documents, ballots, settings, unsupported_below)
    decisions = []
    for document in documents:
        doubtful, missing = found.get(document.id, (set(), set()))
        taken = [span for span in document.spans if span not in doubtful]
        for span in doubtful:
            decisions.append(_decision(document, "doubtful", span, ballots, settings))
        of_document = [_decision(document, "missing", span, ballots, settings) for span in missing]
        for decision in sorted(of_document, key=_most_certain_first):
            if not any(overlap(decision.span, other) for other in taken):
                taken.append(decision.span)
                decisions.append(decision)
    return sorted(decisions, key=_most_certain_first)


def label_support(documents: Iterable[Document], ballots: Mapping[str, Ballot]) -> float:
    """The mean probability that voters give the labels, a measure of how much they have learned. 0 without labels."""
    of_labels = [ballots.get(document.id, Ballot()).of(span).probability
                 for document in documents for span in document.spans]  # fmt: skip
    return sum(of_labels) / len(of_labels) if of_labels else 0.0


def apply_decisions(documents: Iterable[Document], decisions: Iterable[Decision]) -> list[Document]:
    """The cleaned documents. The given ones are not changed."""
    of_document: dict[str, list[Decision]] = {}
    for decision in decisions:
        of_document.setdefault(decision.document, []).append(decision)
    return [_cleaned(document, of_document.get(document.id, [])) for document in documents]


Found = dict[str, tuple[set[Span], set[Span]]]  # doubtful labels and missing spans, by document


def _by_threshold(
    documents: Sequence[Document], ballots: Mapping[str, Ballot], settings: DenoiseConfig, unsupported_below: float
) -> Found:
    found: Found = {}
    if settings.finder == "dynamics":
        unsupported_below = UNSUPPORTED_WATCHED
    for document in documents:
        ballot = ballots.get(document.id, Ballot())
        doubtful, missing = found.setdefault(document.id, (set(), set()))
        labels = set(document.spans)
        for span in ballot.spans.keys() - labels:
            least = settings.missing_from_of.get(span.category, settings.missing_from)
            if share_of(ballot.of(span), settings.finder) >= least:
                missing.add(span)
        for span in ballot.spans.keys() & labels:
            unsupported = ballot.of(span).probability < unsupported_below
            contradicted = any(overlap(span, other) for other in missing)
            small = share_of(ballot.of(span), settings.finder) < settings.doubtful_below
            if small and (unsupported or contradicted):
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


def share_of(tally: Tally, finder: str) -> float:
    """The number that a finder compares with its thresholds."""
    return {"votes": tally.share, "pooled": tally.pooled}.get(finder, tally.probability)


def _decision(
    document: Document, kind: DecisionKind, span: Span, ballots: Mapping[str, Ballot], settings: DenoiseConfig
) -> Decision:
    tally = ballots[document.id].of(span)
    action = settings.doubtful if kind == "doubtful" else settings.missing
    return Decision(document.id, kind, span, tally, share_of(tally, settings.finder), action)


def _most_certain_first(decision: Decision) -> tuple[float, str, int, int, str]:
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
    """The decisions of one document that can be applied together: no two labels of a category share a character.

    An added span replaces the doubtful labels that it clashes with. A missing span is dropped if it clashes with a
    label that is kept or has no decision. A label has no decision if, for example, a person has deleted its row.
    """
    judged = {one.corrected or one.span for one in decisions if one.kind == "doubtful"}
    kept = [one.span for one in decisions if one.action == "keep"] + [one for one in labels if one not in judged]
    fitting = [one for one in decisions if one.kind == "doubtful" or not _clashes(one.span, kept)]
    added = [one.span for one in fitting if one.kind == "missing" and one.action in ADDING]
    return [one._replace(action="remove") if one.kind == "doubtful" and _clashes(one.span, added) else one
            for one in fitting]  # fmt: skip


def _clashes(span: Span, others: Iterable[Span]) -> bool:
    return any(clash(span, other) for other in others)
