"""Votes on held-out texts, counted from vote files (model/reading/vote_files.py).

Votes are counted by document, category, begin and end. The same span in two documents is two spans.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from data.spans import Span
from model.reading.vote_files import read_votes


class Tally(NamedTuple):
    """The votes on one span: `votes` of `voters` found it.

    `probability` is the mean over all voters. A voter that did not write the span, because it is less likely than
    `LEAST_PROBABILITY`, counts as 0.
    """

    votes: int
    voters: int
    probability: float
    pooled: float = 0.0  # the probability by a pool of systems, where one was fitted (pooled_votes.py)

    @property
    def share(self) -> float:
        return self.votes / self.voters


@dataclass
class Ballot:
    """The votes on one document; `spans` holds every span that any voter judged."""

    voters: int = 0
    spans: dict[Span, Tally] = field(default_factory=dict)

    def of(self, span: Span) -> Tally:
        """The votes on a span; no votes if no voter judged it."""
        return self.spans.get(span, Tally(0, self.voters, 0.0))


def count_votes(paths: Iterable[Path]) -> dict[str, Ballot]:
    """The votes of several networks, by document.

    Raises:
        UserError: a file is missing or damaged.
    """
    voters: dict[str, int] = {}
    sums: dict[str, dict[Span, tuple[int, float]]] = {}
    for path in paths:
        for identity, candidates in read_votes(path):
            voters[identity] = voters.get(identity, 0) + 1
            own = sums.setdefault(identity, {})
            for span, found, probability in candidates:
                votes, total = own.get(span, (0, 0.0))
                own[span] = votes + found, total + probability
    return {
        identity: Ballot(count, {span: Tally(votes, count, total / count)
                                 for span, (votes, total) in sums[identity].items()})
        for identity, count in voters.items()
    }  # fmt: skip
