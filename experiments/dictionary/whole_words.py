"""Spans of characters as spans of whole words, for classifiers that judge each character by itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from data.spans import ScoredSpan


def whole_words(text: str, spans: Iterable[ScoredSpan], words: Iterable[str]) -> list[ScoredSpan]:
    """The spans with bounds moved to those of words, so that every word has one category or none.

    A word has a category if more than half of its characters are in spans of it. Adjacent words of one category are one
    span.

    Args:
        text: of the document.
        spans: in the text; they do not overlap.
        words: that joined are the text.

    Returns:
        Spans by begin. The probability is the mean over the span's characters. A character has the probability of the
        given span around it, or 0 if that has another category or does not exist.
    """
    votes: list[ScoredSpan | None] = [None] * len(text)
    for span in spans:
        votes[span.begin : span.end + 1] = [span] * (span.end - span.begin + 1)
    runs: list[tuple[str, int, int]] = []  # category, begin, end (exclusive)
    begin = 0
    for word in words:
        end = begin + len(word)
        ((category, count),) = Counter(vote and vote.category for vote in votes[begin:end]).most_common(1)
        if category and 2 * count > len(word):
            if runs and runs[-1][0] == category and runs[-1][2] == begin:
                begin = runs.pop()[1]
            runs.append((category, begin, end))
        begin = end
    return [ScoredSpan(category, begin, end - 1, _mean(votes[begin:end], category)) for category, begin, end in runs]


def _mean(votes: list[ScoredSpan | None], category: str) -> float:
    return sum(vote.probability for vote in votes if vote and vote.category == category) / len(votes)
