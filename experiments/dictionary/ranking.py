"""Span candidates of one category, ranked by a classifier that learns from a dictionary: the methods `direct`,
`bagging` and `negatives` of `--mode dictionary`.

    FOLDER/METHOD_CATEGORY/candidates.csv  the unlabelled candidates from high to low scores
                           labels.jsonl    all texts with the dictionary's matches and candidates above the threshold
                           scores.json     counts and, where there are gold labels, scores

N candidates.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from sklearn.metrics import average_precision_score
from tqdm import tqdm

from config import DictionaryConfig
from data.corpus.dictionary import Dictionary, label, read_forms
from data.spans import Span, overlap
from experiments.dictionary.candidate_scores import bagged_scores, direct_scores, hash_features, known_negative_scores
from experiments.dictionary.candidates import Candidate, Segmenter, features, find_candidates
from experiments.dictionary.learning_texts import Texts, write_labels
from experiments.dictionary.table import percent, row
from utils.errors import UserError
from utils.files import csv_row, write_json, write_text

COLUMNS = ("document", "begin", "end", "form", "score")
THRESHOLD = 0.5  # candidates with a higher score are labelled: scores are probabilities of classes of equal weight


class Ranking(NamedTuple):
    """Candidates and their scores.

    Attributes:
        candidates: N of them.
        known: bool (N,), true for those in the dictionary and for known negatives, which are not ranked.
        scores: float (N,), NaN for those that every classifier was trained on.
        found: for every document the matches and the candidates above the threshold; they do not overlap.
    """

    candidates: list[Candidate]
    known: np.ndarray
    scores: np.ndarray
    found: list[list[Span]]


def rank_candidates(settings: DictionaryConfig, texts: Texts, dictionary: Dictionary, folder: Path, seed: int) -> str:
    """Rank the candidates, write the files and score them.

    Args:
        settings: the method, the category and the known negatives.
        texts: to find candidates in.
        dictionary: of all categories.
        folder: gets a folder for the method and category.
        seed: of the candidates that are drawn.

    Returns:
        The results for a person, in Markdown.

    Raises:
        UserError: the dictionary has no form of the category, or the texts have no form of the dictionary.
    """
    category = settings.category
    if category not in (others := set(dictionary.values())):
        raise UserError(f"dictionary.category is {category}, but {settings.path} has only {', '.join(sorted(others))}")
    # The whole dictionary is matched, so that a form inside a longer one of another category is no match.
    matched = [
        [span for span in document.spans if span.category == category]
        for document in label(texts.documents, dictionary)
    ]
    ranking = _rank(settings, texts, matched, np.random.default_rng(seed))
    folder = folder / f"{settings.method}_{category}".replace("/", "_")
    write_text(folder / "candidates.csv", _table(texts, ranking))
    write_labels(folder / "labels.jsonl", texts.documents, ranking.found)
    facts = _facts(texts, ranking, matched, category)
    write_json(folder / "scores.json", facts)
    return markdown(settings.method, category, facts)


def _rank(settings: DictionaryConfig, texts: Texts, matched: list[list[Span]], random: np.random.Generator) -> Ranking:
    segmenter = Segmenter()
    candidates = [
        candidate
        for number, text in enumerate(tqdm(texts.texts, "candidates", unit="doc", delay=1))
        for candidate in find_candidates(number, text, segmenter)
    ]
    named = {(number, span.begin, span.end) for number, spans in enumerate(matched) for span in spans}
    positive = np.array([(one.document, one.begin, one.end) in named for one in candidates], dtype=bool)
    if not positive.any():
        raise UserError(f"{settings.path}: no form of {settings.category} occurs in the texts as whole words")
    shown = tqdm(candidates, "features", unit="span", delay=1)
    rows = hash_features(features(texts.texts[one.document], one) for one in shown)
    known = positive
    if settings.method == "direct":
        scores = direct_scores(rows, positive, random)
    elif settings.method == "bagging":
        scores = bagged_scores(rows, positive, random)
    else:
        negative = _known_negatives(Path(settings.negatives), texts, candidates) & ~positive
        if not negative.any():
            raise UserError(f"{settings.negatives}: none of its forms occurs in the texts as whole words")
        scores = known_negative_scores(rows, positive, negative)
        known = positive | negative
    found = choose(candidates, ~known, scores, settings.category, matched)
    return Ranking(candidates, known, scores, found)


def _known_negatives(path: Path, texts: Texts, candidates: list[Candidate]) -> np.ndarray:
    """bool (N,)."""
    forms = read_forms(path)
    return np.array([texts.texts[one.document][one.begin : one.end + 1] in forms for one in candidates], dtype=bool)


def choose(
    candidates: Sequence[Candidate],
    ranked: np.ndarray,
    scores: np.ndarray,
    category: str,
    matched: Sequence[Sequence[Span]],
    threshold: float = THRESHOLD,
) -> list[list[Span]]:
    """The matches of each document, and the candidates above the threshold that overlap no match or better candidate.

    Args:
        candidates: N of them.
        ranked: bool (N,), those that may be chosen.
        scores: float (N,); NaN is below every threshold.
        category: of the candidates.
        matched: spans of the dictionary in each document.
        threshold: scores above it are chosen, from high to low.
    """
    found = [list(spans) for spans in matched]
    above = np.flatnonzero(ranked & (np.nan_to_num(scores) > threshold))
    for number in above[np.argsort(-scores[above], kind="stable")]:
        own, chosen = found[candidates[number].document], candidates[number].span(category)
        if not any(overlap(chosen, span) for span in own):
            own.append(chosen)
    return [sorted(spans, key=lambda span: span.begin) for spans in found]


def _facts(texts: Texts, ranking: Ranking, matched: list[list[Span]], category: str) -> dict[str, Any]:
    """Counts and, where there are scored documents, scores on these. Average precision is over ranked candidates."""
    ranked = ~ranking.known & ~np.isnan(ranking.scores)
    facts: dict[str, Any] = {"candidates": len(ranking.candidates), "known": int(ranking.known.sum()),
                             "ranked": int(ranked.sum()), "scored_documents": len(texts.scored)}  # fmt: skip
    if not texts.scored:
        return facts
    truth = {
        (number, span.begin, span.end)
        for number in texts.scored
        for span in texts.documents[number].spans
        if span.category == category
    }
    right = np.array([(one.document, one.begin, one.end) in truth for one in ranking.candidates], dtype=bool)
    counted = ranked & np.isin([one.document for one in ranking.candidates], texts.scored)
    if right[counted].any():
        average = average_precision_score(right[counted], ranking.scores[counted])
        facts |= {"average_precision": float(average), "right_share": float(right[counted].mean())}
    facts["within_reach"] = int(right.sum()) / max(len(truth), 1)
    for name, found in (("matching", matched), ("found", ranking.found)):
        if score := texts.score(found, [category]):
            facts[name] = score.to_dict()["micro"]
    return facts


def _table(texts: Texts, ranking: Ranking) -> str:
    """The ranked candidates as CSV. `end` is inclusive."""
    rows = [csv_row(COLUMNS)]
    ranked = np.flatnonzero(~ranking.known & ~np.isnan(ranking.scores))
    for number in ranked[np.argsort(-ranking.scores[ranked], kind="stable")]:
        one = ranking.candidates[number]
        document = texts.documents[one.document]
        form = document.text[one.begin : one.end + 1]
        rows.append(csv_row([document.id, one.begin, one.end, form, f"{ranking.scores[number]:.6f}"]))
    return "".join(rows)


def markdown(method: str, category: str, facts: dict[str, Any]) -> str:
    """The facts as a table of one line. Scores are per cent."""
    counts = f"{facts['candidates']} candidates, {facts['known']} of them known, {facts['ranked']} ranked\n"
    if not facts["scored_documents"]:
        return counts
    head = ["method", "category", "average precision", "of a random order", "within reach",
            "matching P", "R", "F1", "found P", "R", "F1"]  # fmt: skip
    shares = [f"{100 * facts[name]:.2f}" if name in facts else ""
              for name in ("average_precision", "right_share", "within_reach")]  # fmt: skip
    scores = [cell for name in ("matching", "found") for cell in percent(facts[name])]
    return counts + row(head) + "\n" + "|---" * len(head) + "|\n" + row([method, category, *shares, *scores]) + "\n"
