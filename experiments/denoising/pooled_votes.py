"""Votes of several systems pooled into one probability, with weights that are fitted on gold labels.

A mean counts every system alike, and a network says 0.9 more easily than a memory of forms. The logistic pool of
model/reading/pool.py weighs and calibrates them. No fold has trained on a document with gold labels, and none on the
documents that it votes on. So a pool that is fitted on the first serves for the second.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from config import LEAST_PROBABILITY
from data.corpus.document import Document
from data.spans import ScoredSpan, Span
from experiments.denoising.votes import Ballot
from model.reading.mix_fit import Judged, fit_pool
from model.reading.pool import pooled_logistic
from model.reading.vote import Voter
from utils.files import read_json, write_json

Ballots = Mapping[str, Ballot]  # the votes of one system, by document


@dataclass(frozen=True)
class VotePool:
    """The weight of each system, the categories that it votes on, and the bias of the pool."""

    weights: dict[str, float]
    categories: dict[str, list[str]]
    bias: float

    def __str__(self) -> str:
        weights = ", ".join(f"{system} {weight:g}" for system, weight in self.weights.items())
        return f"pool of votes: {weights}; bias {self.bias:g}"

    def write(self, path: Path) -> None:
        """Write it as JSON."""
        write_json(path, asdict(self))

    @classmethod
    def read(cls, path: Path) -> VotePool:
        """The inverse of `write`.

        Raises:
            UserError: the file is missing or damaged.
        """
        return cls(**read_json(path, "remove it, and it is made again"))


def fit_vote_pool(gold: Sequence[Document], of_folds: Sequence[Mapping[str, Ballots]]) -> VotePool:
    """Fit the pool to gold labels.

    Each fold is an example of its own: on a training document votes one fold of each system, not their mean.

    Args:
        gold: documents with gold labels.
        of_folds: for each fold, the ballots of each system on these documents.
    """
    systems = list(of_folds[0])
    known = {system: {span.category for fold in of_folds for ballot in fold[system].values() for span in ballot.spans}
             for system in systems}  # fmt: skip
    judged = [
        Judged([_likely(fold[system].get(document.id, Ballot())) for system in systems], document.spans)
        for fold in of_folds
        for document in gold
    ]
    mix = fit_pool(judged, [frozenset(known[system]) for system in systems])
    weights = dict(zip(systems, mix.weights, strict=True))
    return VotePool(weights, {system: sorted(known[system]) for system in systems}, mix.bias)


def with_pooled(ballots: Ballots, of_systems: Mapping[str, Ballots], pool: VotePool) -> dict[str, Ballot]:
    """The ballots with the pooled probability of every span that any voter judged.

    Args:
        ballots: of all systems together.
        of_systems: of each system of the pool.
        pool: the weights.
    """
    voters = [Voter(weight, frozenset(pool.categories[system])) for system, weight in pool.weights.items()]
    pooled = {}
    for identity, ballot in ballots.items():
        candidates = [_scored(of_systems[system].get(identity, Ballot())) for system in pool.weights]
        probabilities = {Span(*one[:3]): one.probability for one in pooled_logistic(candidates, voters, pool.bias)}
        spans = {span: tally._replace(pooled=probabilities[span]) for span, tally in ballot.spans.items()}
        pooled[identity] = Ballot(ballot.voters, spans)
    return pooled


def _scored(ballot: Ballot) -> list[ScoredSpan]:
    return [ScoredSpan(*span, tally.probability) for span, tally in ballot.spans.items()]


def _likely(ballot: Ballot) -> list[ScoredSpan]:
    """Without labels that were judged only because they are labels, which would be examples more often than others."""
    return [span for span in _scored(ballot) if span.probability >= LEAST_PROBABILITY]
