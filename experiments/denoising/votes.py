"""Votes of networks on held-out texts: files of them, and their counts.

A vote file holds one network's judgement of some documents: JSON lines, written whole or not at all.

    {"id": "0", "candidates": [{"category", "pos_b", "pos_e", "privacy", "probability", "found"}, ...]}

Votes are counted by document, category, begin and end. The same span in two documents is two spans.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from data.corpus.document import Document, entity_record
from data.spans import JudgedSpan, Span
from utils.errors import UserError
from utils.files import atomic_file
from utils.json_values import parse_json


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


def write_votes(path: Path, documents: Iterable[Document], candidates: Iterable[Sequence[JudgedSpan]]) -> None:
    """Write the spans that one network judged in each document."""
    with atomic_file(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as lines:
        for document, own in zip(documents, candidates, strict=True):
            records = [
                entity_record(document.text, Span(one.category, one.begin, one.end))
                | {"probability": round(one.probability, 6), "found": one.found}
                for one in own
            ]
            lines.write(json.dumps({"id": document.id, "candidates": records}, ensure_ascii=False) + "\n")


def count_votes(paths: Iterable[Path]) -> dict[str, Ballot]:
    """The votes of several networks, by document.

    Raises:
        UserError: a file is missing or damaged.
    """
    voters: dict[str, int] = {}
    sums: dict[str, dict[Span, tuple[int, float]]] = {}
    for path in paths:
        for identity, candidates in _read(path):
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


def _read(path: Path) -> Iterable[tuple[str, list[tuple[Span, bool, float]]]]:
    try:
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                record = parse_json(line)
                candidates = [
                    (Span(one["category"], one["pos_b"], one["pos_e"]), one["found"], one["probability"])
                    for one in record["candidates"]
                ]
                yield record["id"], candidates
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: cannot be read as votes ({error}); remove it and run again") from None
