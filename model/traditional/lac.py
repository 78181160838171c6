"""Words that LAC tags, taken for spans as often as the labels agree.

The probability that a word is a span of a category is a relative frequency in the training part. With n words of a tag,
of which k are spans of the category, and C categories, add-one smoothing gives

    p(category | tag) = (k + 1) / (n + C + 1)

The last character of a word says more: of the places that end in 省, more are addresses than of all places.
With n words of this tag and last character, of which k are spans of the category,

    p(category | tag, last character) = (k + M p(category | tag)) / (n + M)

Two neighbours with the same tag of an entity are one word more, with a tag of its own. Doubtful labels count as labels.
"""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from config import LEAST_PROBABILITY
from data.corpus.document import Document
from data.lattice.lattice import Lattices
from data.lattice.word_tags import TaggedWord, decode_words
from data.processed import Processed
from data.spans import Asked, JudgedSpan, ScoredSpan, place_in_text, with_asked
from model.reading.vote import without_clashes
from model.run_folder import RunParts
from utils.files import read_json, write_json

ENTITIES = ("PER", "LOC", "ORG", "TIME", "nz", "nw")  # tags of words of which two may be one span
M = 4  # words that the probability given the tag counts for; with 1 or 14, F1 on CCF changes by less than 1


class System:
    """Counts of words and of spans, by tag, and by tag and last character (`key_of`).

    Args:
        words: how many words there are.
        spans: how many of them are spans of each category.
        least: the probability from which a word is read as a span.
        categories: that can be found.
        tags: all tags of LAC.
    """

    filename = "lac.json"
    nests = False

    def __init__(
        self,
        words: Mapping[str, int],
        spans: Mapping[str, Mapping[str, int]],
        least: float,
        categories: Sequence[str],
        tags: Sequence[str],
    ) -> None:
        self.words = words
        self.spans = spans
        self.least = least
        self.categories = categories
        self.tags = tags

    @property
    def parameters(self) -> int:
        """The number of counts."""
        return len(self.words) + sum(map(len, self.spans.values()))

    @classmethod
    def fit(cls, processed: Processed, documents: Sequence[int], path: Path) -> int:
        """Count words and spans, and write the counts. Returns 1, the number of passes over the documents."""
        assert processed.lexicon.tagger is not None, "the settings ask for tags"
        tags = processed.lexicon.tagger.tags
        words: Counter[str] = Counter()
        spans: dict[str, Counter[str]] = defaultdict(Counter)
        for number in documents:
            document = processed.documents[number]
            categories = {(span.begin, span.end): span.category for span in document.spans}
            for word in candidate_words(processed.lattices, number, tags):
                for key in (word.tag, key_of(word, document.text)):
                    words[key] += 1
                    if category := categories.get((word.begin, word.end)):
                        spans[key][category] += 1
        labels = sum(len(processed.documents[number].spans) for number in documents)
        least = cls(words, spans, 0.0, processed.categories, tags).best_least(labels)
        write_json(path, {"words": words, "spans": spans, "least": least})
        return 1

    @classmethod
    def load(cls, path: Path, parts: RunParts) -> System:
        """Load the file that `fit` wrote.

        Raises:
            UserError: the file is missing or damaged.
        """
        assert parts.lexicon.tagger is not None, "the settings ask for tags"
        return cls(**read_json(path, "train again"), categories=parts.categories, tags=parts.lexicon.tagger.tags)

    def best_least(self, labels: int) -> float:
        """The probability to read words as spans from, so that F1 on the training part is largest.

        Args:
            labels: the number of labelled spans in the training part.
        """
        keys = [key for key in self.words if " " in key]
        best = sorted(((*self._best(key), key) for key in keys), reverse=True)
        found = itertools.accumulate(self.words[key] for _, _, key in best)
        right = itertools.accumulate(self.spans.get(key, {}).get(category, 0) for _, category, key in best)
        scores = (2 * hits / (all_ + labels) for all_, hits in zip(found, right, strict=True))
        return max(zip(scores, (share for share, _, _ in best), strict=True), default=(0.0, 1.0))[1]

    def read(self, documents: Sequence[Document], lattices: Lattices) -> list[list[ScoredSpan]]:
        """The words whose most probable category is probable enough. Of overlapping ones the most probable stays."""
        return [
            [ScoredSpan(*span[:4]) for span in spans if span.found] for spans in self.candidates(documents, lattices)
        ]

    def candidates(
        self, documents: Sequence[Document], lattices: Lattices, asked: Asked = None
    ) -> list[list[JudgedSpan]]:
        """All words that may be spans, with each category from `LEAST_PROBABILITY` up, by begin, end and category."""
        wanted = asked or [()] * len(documents)
        return [with_asked(self._candidates(one.text, lattices, number), wanted[number])
                for number, one in enumerate(documents)]  # fmt: skip

    def _candidates(self, text: str, lattices: Lattices, number: int) -> list[JudgedSpan]:
        judged, best = [], []
        for word in candidate_words(lattices, number, self.tags):
            key = key_of(word, text)
            place = word.begin, word.end
            shares = self.probabilities(key)
            judged += [
                ScoredSpan(category, *place, share) for category, share in shares.items() if share >= LEAST_PROBABILITY
            ]
            share, category = self._best(key)
            best += [ScoredSpan(category, *place, share)] if share >= self.least else []
        found = set(without_clashes(best))
        return sorted((JudgedSpan(*span, span in found) for span in judged), key=place_in_text)

    def _best(self, key: str) -> tuple[float, str]:
        return max((share, category) for category, share in self.probabilities(key).items())

    def probabilities(self, key: str) -> dict[str, float]:
        """The probability of each category for words of a tag and last character; 0 if no such tag was counted."""
        tag = key.split(" ", 1)[0]
        if tag not in self.words:
            return dict.fromkeys(self.categories, 0.0)
        words, of_tag = self.words.get(key, 0), self.words[tag] + len(self.categories) + 1
        shares = {category: (self.spans.get(tag, {}).get(category, 0) + 1) / of_tag for category in self.categories}
        spans = self.spans.get(key, {})
        return {category: (spans.get(category, 0) + M * share) / (words + M) for category, share in shares.items()}


def key_of(word: TaggedWord, text: str) -> str:
    """Tag and last character of a word, with a space between them."""
    return f"{word.tag} {text[word.end]}"


def candidate_words(lattices: Lattices, number: int, tags: Sequence[str]) -> Iterator[TaggedWord]:
    """The tagged words of a document, and its pairs of neighbours with the same tag of an entity."""
    whole = lattices.slice(number, 0, lattices.length(number))
    assert whole.tags is not None, "the settings ask for tags"
    words = decode_words(whole.tags, tags)
    yield from words
    for word, after in itertools.pairwise(words):
        if word.tag == after.tag and word.tag in ENTITIES:
            yield TaggedWord(f"{word.tag}+{word.tag}", word.begin, after.end)
