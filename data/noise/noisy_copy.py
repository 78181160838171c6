"""Copies a corpus with wrong labels, its true labels, and a record of the changes.

noisy.jsonl   the documents with some labels wrong
truth.jsonl   the same documents in the same order, with the labels of the corpus
noise.json    rates, seed, and how many labels of each category have an error of each kind
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from config import CorpusConfig
from data.corpus.document import Document, category_counts, to_jsonl
from data.corpus.formats import read_corpus
from data.noise.label_errors import ERROR_KINDS, count_errors
from data.noise.noise import NoiseRates, add_noise
from data.noise.quality import read_rates_like
from data.problems import Problems
from utils.errors import UserError, nearest
from utils.files import atomic_file, check_writable

FILES = ("noisy.jsonl", "truth.jsonl", "noise.json")
COLUMNS = ("labels", *ERROR_KINDS)


def write_noisy_copy(
    corpus: CorpusConfig,
    folder: Path,
    rates: NoiseRates,
    given: Sequence[str],
    seed: int,
    problems: Problems,
    like: Path | None = None,
) -> dict[str, Any]:
    """Read a labelled corpus of any format and write the three files into `folder`, all or none.

    Args:
        corpus: to copy.
        folder: other files in it are kept.
        rates: of all categories.
        given: rates of single categories, as `read_rates` takes them.
        seed: of what is drawn; see `noise.add_noise`.
        problems: gets a line for what cannot be used of the corpus.
        like: a file of measured rates of categories, which `given` may change.

    Returns:
        The contents of noise.json.

    Raises:
        UserError: the corpus cannot be read or has no labels; all rates are 0 or one is not valid; or the folder cannot
            be written, or the corpus in it would be overwritten.
    """
    if rates == NoiseRates() and not given and like is None:
        raise UserError("all noise rates are 0; give --noise-missing 0.3, --noise-rate name:missing=0.3 or the like")
    if Path(corpus.path).resolve() in [(folder / name).resolve() for name in FILES]:
        raise UserError(f"{corpus.path}: would be overwritten by its own copy; choose another folder")
    check_writable(folder)
    truth = read_corpus(corpus, problems)
    categories = sorted(category_counts(truth))
    measured = read_rates_like(like, categories) if like else {}
    by_category = measured | read_rates(given, rates, categories, measured)
    noisy = add_noise(truth, rates, seed, by_category)
    record = {
        "corpus": corpus.path,
        "seed": seed,
        "rates": asdict(rates),
        "category_rates": {category: asdict(own) for category, own in sorted(by_category.items())},
        "documents": len(truth),
        "noisy_labels": category_counts(noisy).total(),
        **_changes(truth, noisy),
    }
    contents = (to_jsonl(noisy), to_jsonl(truth), json.dumps(record, ensure_ascii=False, indent=2) + "\n")
    with ExitStack() as stack:  # the files are renamed only when all are written
        for name, content in zip(FILES, contents, strict=True):
            stack.enter_context(atomic_file(folder / name)).write_text(content, encoding="utf-8", newline="\n")
    return record


def read_rates(
    given: Sequence[str],
    rates: NoiseRates,
    categories: Collection[str],
    measured: Mapping[str, NoiseRates] | None = None,
) -> dict[str, NoiseRates]:
    """Read the rates of single categories from texts `CATEGORY:KIND=RATE`.

    Other kinds of these categories have the `measured` rates, or else the `rates` of all.

    Raises:
        UserError: a text has another form, an unknown category or kind (the nearest known one is named), or a rate
            outside [0, 1).
    """
    own: dict[str, NoiseRates] = {}
    for text in given:
        name, _, rate = text.rpartition("=")
        category, _, kind = name.rpartition(":")
        if not category:
            raise UserError(f"--noise-rate {text}: expected CATEGORY:KIND=RATE, as in name:missing=0.5")
        for what, word, known in (("category", category, categories), ("kind", kind, ERROR_KINDS)):
            if word not in known:
                raise UserError(f"--noise-rate {text}: unknown {what} {word}{nearest(word, known)}")
        try:
            own[category] = replace(own.get(category, (measured or {}).get(category, rates)), **{kind: float(rate)})
        except (ValueError, UserError) as error:
            raise UserError(f"--noise-rate {text}: {error}") from None
    return own


def _changes(truth: Sequence[Document], noisy: Sequence[Document]) -> dict[str, Any]:
    """Counts of true labels and of label errors of each kind: `changed` by category, and `total`."""
    labels, errors = category_counts(truth), count_errors(truth, noisy)
    changed = {
        category: {"labels": labels[category], **{kind: errors.get(category, Counter())[kind] for kind in ERROR_KINDS}}
        for category in sorted(labels)
    }
    return {"changed": changed, "total": {name: sum(row[name] for row in changed.values()) for name in COLUMNS}}


def noise_table(record: dict[str, Any]) -> str:
    """A text table of the changes, with a line for each category and one for all."""
    rows = [*record["changed"].items(), ("all", record["total"])]
    width = max(len(category) for category, _ in rows) + 2
    lines = [" " * width + "".join(f"{name:>10}" for name in COLUMNS)]
    lines += [f"{category:<{width}}" + "".join(f"{row[name]:>10}" for name in COLUMNS) for category, row in rows]
    return "\n".join(lines)
