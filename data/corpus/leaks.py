"""How much of each corpus is verbatim in each other, which makes scores on one optimistic after training on the other.

White space is ignored everywhere, as in `duplicates.py`, which finds what is shared.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import permutations
from typing import Any

import numpy as np

from data.corpus.document import Document, bare
from data.corpus.duplicates import DUPLICATE_SHARE, closest, leaking, shared_stretches

EXAMPLES = 3  # of each pair of corpora
SHOWN = 40  # characters of a stretch on the terminal


@dataclass(frozen=True)
class Example:
    """Two documents that share text, and the longest shared stretch, without white space."""

    own: str
    other: str
    stretch: str


@dataclass(frozen=True)
class Leak:
    """How much of one corpus is in another.

    Attributes:
        own, other: the corpora.
        documents: how many `own` has.
        leaking: ids of its documents that would tell a model about `other`; see `duplicates.leaking`.
        characters: how many `own` has, without white space.
        shared: how many of them are in `other`; see `duplicates.shared_stretches`.
        examples: of the longest shared stretches.
    """

    own: str
    other: str
    documents: int
    leaking: list[str]
    characters: int
    shared: int
    examples: list[Example]

    def to_dict(self) -> dict[str, Any]:
        """All values, and the shares."""
        shares = {
            "leaking_share": len(self.leaking) / max(self.documents, 1),
            "shared_share": self.shared / max(self.characters, 1),
        }
        return asdict(self) | shares


def find_leaks(corpora: Mapping[str, Sequence[Document]], share: float = DUPLICATE_SHARE) -> Iterator[Leak]:
    """Compare every corpus with every other, in both directions.

    Args:
        corpora: documents by the name of their corpus.
        share: of the shingles; see `duplicates.leaking`.

    Raises:
        ValueError: `share` is not above 0.
    """
    for own, other in permutations(corpora, 2):
        yield _find_leak(own, corpora[own], other, corpora[other], share)


def _find_leak(
    own_name: str, own: Sequence[Document], other_name: str, other: Sequence[Document], share: float
) -> Leak:
    texts, others = ([document.text for document in documents] for documents in (own, other))
    leaks = leaking(texts, others, share)
    stretches = shared_stretches(texts, others)
    return Leak(
        own=own_name,
        other=other_name,
        documents=len(own),
        leaking=[document.id for document, leak in zip(own, leaks, strict=True) if leak],
        characters=sum(len(bare(text)) for text in texts),
        shared=int((stretches[:, 2] - stretches[:, 1]).sum()),
        examples=_examples(own, other, stretches),
    )


def _examples(own: Sequence[Document], other: Sequence[Document], stretches: np.ndarray) -> list[Example]:
    """Examples of the longest stretches, with distinct texts and distinct documents."""
    longest: dict[int, str] = {}
    for number, begin, end in stretches[np.argsort(stretches[:, 1] - stretches[:, 2], kind="stable")].tolist():
        stretch = bare(own[number].text)[begin:end]
        if number not in longest and stretch not in longest.values():
            longest[number] = stretch
        if len(longest) == EXAMPLES:
            break
    partners = closest(list(longest.values()), [document.text for document in other])
    return [
        Example(own[number].id, other[partner].id, longest_shared(stretch, other[partner].text))
        for (number, stretch), partner in zip(longest.items(), partners, strict=True)
    ]


def longest_shared(one: str, other: str) -> str:
    """The longest text, without white space, that is in both; the first of equals."""
    one, other = bare(one), bare(other)
    found, begin = "", 0
    for end in range(1, len(one) + 1):
        # The candidate is always one character longer than the best so far.
        if one[begin:end] in other:
            found = one[begin:end]
        else:
            begin += 1
    return found


def leak_table(leaks: Sequence[Leak]) -> str:
    """A text table with a line for each pair of corpora, then the first example of each pair."""
    width = max((len(name) for leak in leaks for name in (leak.own, leak.other)), default=0) + 2
    lines = [f"{'of':<{width}}{'in':<{width}}{'documents':>10}{'leaking':>9}{'':>9}{'characters':>12}{'verbatim':>10}"]
    for leak in leaks:
        values = leak.to_dict()
        lines.append(
            f"{leak.own:<{width}}{leak.other:<{width}}"
            f"{leak.documents:>10}{len(leak.leaking):>9}{values['leaking_share']:>9.1%}"
            f"{leak.characters:>12}{leak.shared:>10}{values['shared_share']:>9.1%}"
        )
    for leak in leaks:
        for example in leak.examples[:1]:
            stretch = example.stretch if len(example.stretch) <= SHOWN else example.stretch[:SHOWN] + "…"
            lines.append(
                f"{leak.own} {example.own} and {leak.other} {example.other} "
                f"share {len(example.stretch)} characters: {stretch}"
            )
    return "\n".join(lines)
