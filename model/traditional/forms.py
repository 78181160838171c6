"""A memory of labelled surface forms: how often each is labelled where it occurs in the training texts.

Networks generalise, and forget what they have seen. This system only remembers. Its probability of a form in a category
is the share of the form's occurrences that have the label. It finds nothing new, so it is useful as a voice in a
mixture (`--runs`, mix.by).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import ahocorasick

from config import LEAST_PROBABILITY
from data.corpus.document import Document
from data.lattice.lattice import Lattices
from data.processed import Processed
from data.spans import Asked, JudgedSpan, ScoredSpan, with_asked
from model.reading.vote import without_clashes
from model.run_folder import RunParts
from utils.errors import UserError
from utils.files import read_json, write_json

FOUND_FROM = 0.5
UNLABELLED = 1  # occurrences without a label that are added to those of each form: one label alone is no certainty

Shares = Mapping[str, Mapping[str, float]]  # by form and category


class System:
    """Forms with the share of their occurrences that each category labels, in a JSON file."""

    filename = "forms.json"
    nests = False

    def __init__(self, categories: Sequence[str], shares: Shares) -> None:
        self.categories = list(categories)
        self.shares = shares
        self._forms = _automaton(shares)

    @property
    def parameters(self) -> int:
        """The number of shares."""
        return sum(map(len, self.shares.values()))

    @classmethod
    def fit(cls, processed: Processed, documents: Sequence[int], path: Path) -> int:
        """Count the labels and the occurrences of every labelled form, in one pass, and write the shares."""
        own = [processed.documents[number] for number in documents]
        write_json(path, {"categories": processed.categories, "shares": form_shares(own)})
        return 1

    @classmethod
    def load(cls, path: Path, parts: RunParts) -> System:
        """Load the file that `fit` wrote.

        Raises:
            UserError: the file is missing or damaged.
        """
        record = read_json(path, "train again")
        try:
            shares = {str(form): {str(category): float(share) for category, share in own.items()}
                      for form, own in record["shares"].items() if form}  # fmt: skip
            return cls(record["categories"], shares)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise UserError(f"{path}: not a memory of forms ({error}); train again") from None

    def read(self, documents: Sequence[Document], lattices: Lattices) -> list[list[ScoredSpan]]:
        """The occurrences of forms that are labelled more often than not. Overlaps go as in votes."""
        judged = self.candidates(documents, lattices)
        return [without_clashes(ScoredSpan(*one[:4]) for one in spans if one.found) for spans in judged]

    def candidates(
        self, documents: Sequence[Document], lattices: Lattices, asked: Asked = None
    ) -> list[list[JudgedSpan]]:
        """All occurrences of forms whose share is at least `LEAST_PROBABILITY`, and what was asked for."""
        wanted = asked or [()] * len(documents)
        return [with_asked(list(self._candidates(one.text)), own) for one, own in zip(documents, wanted, strict=True)]

    def _candidates(self, text: str) -> Iterator[JudgedSpan]:
        for end, form in _occurrences(self._forms, text):
            for category, share in self.shares[form].items():
                if share >= LEAST_PROBABILITY:
                    yield JudgedSpan(category, end - len(form) + 1, end, share, share > FOUND_FROM)


def form_shares(documents: Sequence[Document]) -> dict[str, dict[str, float]]:
    """For every labelled form, the share of its occurrences in the texts that each category labels.

    `UNLABELLED` occurrences are added, so that a form that occurs once has the share 1/2.
    """
    labelled: dict[str, Counter[str]] = {}
    for document in documents:
        for span in document.spans:
            form = document.text[span.begin : span.end + 1]
            labelled.setdefault(form, Counter())[span.category] += 1
    automaton = _automaton(labelled)
    occurs = Counter(form for document in documents for _, form in _occurrences(automaton, document.text))
    return {
        form: {category: count / (occurs[form] + UNLABELLED) for category, count in sorted(own.items())}
        for form, own in sorted(labelled.items())
    }


def _automaton(forms: Mapping[str, object]) -> ahocorasick.Automaton:
    automaton = ahocorasick.Automaton()
    for form in forms:
        automaton.add_word(form, form)
    automaton.make_automaton()
    return automaton


def _occurrences(automaton: ahocorasick.Automaton, text: str) -> Iterator[tuple[int, str]]:
    """The last place of each occurrence of a form, and the form. They may overlap."""
    return iter(automaton.iter(text)) if len(automaton) else iter(())
