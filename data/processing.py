"""Raw corpora to processed data: what `preprocess.py` does."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from config import Config, DataConfig, LexiconConfig, shaping_settings
from data.corpus.document import Document, category_counts
from data.corpus.duplicates import group_near_duplicates
from data.corpus.formats import Use, keep_categories, read_corpus
from data.lattice.lattice import Lattices, build_lattices
from data.lattice.lexicon import Lexicon, jieba_words, usable_words
from data.lattice.segment import cut_spans, segment_bounds
from data.lattice.tokenizer import Vocabulary, encoder_vocabulary
from data.lattice.vectors import read_vectors, read_vocabulary
from data.problems import Problems
from data.processed import (
    FILES,
    VERSION,
    Part,
    Processed,
    fingerprints,
    input_files,
    is_processed,
    named_corpora,
    save_processed,
)
from data.processed_report import describe, print_report
from utils.errors import UserError
from utils.files import check_replaceable

LONG_SPAN = "span longer than a segment, alone or with those that overlap it"  # a reason that is counted
FILL_SEED = 0  # of words without a vector in the file; not run.seed, so that runs of all seeds share processed data
ALLOW_UNLABELLED = ", or set data.allow_unlabelled=true to take its texts as they are"
EncodeWords = Callable[[list[str], Vocabulary], np.ndarray]  # float32 (words, size), made with the encoder


def process(config: Config, encode_words: EncodeWords) -> Processed:
    """Make the processed folder and print a report of it.

    Args:
        config: all settings.
        encode_words: makes the word vectors if `lexicon.vectors` is encoder.

    Raises:
        UserError: a corpus, encoder or vector file cannot be used, or the folder cannot be written.
    """
    check_replaceable(config.processed_folder, FILES, "data.processed", is_processed)
    started = time.perf_counter()
    problems = Problems()
    documents, parts, categories = read_corpora(config.data, problems)
    vocabulary = _vocabulary(config.encoder.name, documents, parts)
    lattices, lexicon = _lattices(config.lexicon, documents, parts, vocabulary, problems)
    segments, lost = _segments(config.data.max_len, documents, problems)
    vectors, covered = _vectors(config.lexicon, lexicon, vocabulary, encode_words, problems)
    groups = _groups(documents, parts)
    inputs = fingerprints(input_files(config))
    manifest: dict[str, Any] = {
        "version": VERSION,
        "settings": shaping_settings(config),
        "inputs": inputs,
        "categories": categories,
    }
    processed = Processed(
        documents, parts, categories, vocabulary, lattices, segments, groups, lexicon, vectors, manifest
    )
    manifest["report"] = describe(processed, problems, lost, covered)
    save_processed(processed, config.processed_folder)
    print_report(manifest["report"], problems, config.processed_folder, time.perf_counter() - started)
    return processed


# ---------------------------------------------------------------------------------------------------------- documents


def read_corpora(data: DataConfig, problems: Problems) -> tuple[list[Document], list[Part], list[str]]:
    """Read all corpora.

    Returns:
        The documents of one corpus after the other, the part of each document, and the categories.

    Raises:
        UserError: there is no training corpus, or it has no label. Or a corpus that should be labelled is not, and
            data.allow_unlabelled is false.
    """
    if not data.train.path:
        raise UserError("data.train is empty; set it to the training corpus, or start with configs/demo.yaml")
    documents: list[Document] = []
    parts: list[Part] = []
    categories = data.categories
    for part, corpus in named_corpora(data):  # the training corpus comes first
        use: Use = "text" if part == "unlabelled" else "either" if data.allow_unlabelled else "labelled"
        read = read_corpus(corpus, problems, use, ALLOW_UNLABELLED)
        if part == "train" and not category_counts(read):
            raise UserError(f"{corpus.path}: no labelled span in the training corpus; name another in data.train")
        categories = categories or sorted(category_counts(read))
        kept = keep_categories(read, categories, problems, corpus.path)
        if use == "labelled" or part == "train":
            _refuse_other_categories(corpus.path, read, kept, data.categories)
        documents += kept
        parts += [part] * len(kept)
    return documents, parts, categories


def _refuse_other_categories(path: str, read: list[Document], kept: list[Document], chosen: list[str]) -> None:
    """Raise UserError if most labels of a corpus have other categories, so that its entities would count as none.

    If `data.categories` was chosen, labels of other categories are not wanted. Then one label that is left is enough.
    """
    before, after = category_counts(read), category_counts(kept)
    lost = before - after
    if not lost or (after and (chosen or lost.total() <= after.total())):
        return
    others = ", ".join(f"{category} {count}" for category, count in lost.most_common())
    if chosen:
        raise UserError(f"{path}: no span of data.categories {', '.join(chosen)}, only {others}; check the names")
    raise UserError(
        f"{path}: {lost.total()} of its {before.total()} labels have categories that data.train lacks ({others}); "
        f"rename them with the corpus's categories, or list data.categories{ALLOW_UNLABELLED}"
    )


def _groups(documents: list[Document], parts: list[Part]) -> np.ndarray:
    """Groups of near-duplicates among training and dev documents, (documents,). Every other document is its own group.

    Additional and unlabelled texts could link two groups. Then the dev part drawn with them would differ from the one
    drawn without them.
    """
    groups = np.arange(len(documents))
    own = np.flatnonzero(np.isin(parts, ("train", "dev")))
    groups[own] = own[group_near_duplicates([documents[number].text for number in own])]
    return groups


def _segments(max_len: int, documents: list[Document], problems: Problems) -> tuple[np.ndarray, int]:
    """Segments of all documents, (S, 3), and how many spans are whole in no segment."""
    rows, lost = [], 0
    for number, document in enumerate(tqdm(documents, desc="segments", unit="doc", delay=1)):
        bounds = segment_bounds(document.text, document.spans, max_len)
        rows += [(number, begin, end) for begin, end in bounds]
        for span in cut_spans(document.spans, bounds) if len(bounds) > 1 else []:
            lost += 1
            place = f"{span.category} {span.begin} to {span.end}"
            problems.add(LONG_SPAN, f"document {document.id}", place)
    return np.array(rows, dtype=np.int64).reshape(-1, 3), lost


# ---------------------------------------------------------------------------------------------- characters and words


def _vocabulary(encoder: str, documents: list[Document], parts: list[Part]) -> Vocabulary:
    if encoder != "scratch":
        return encoder_vocabulary(encoder)
    learnable = (doc.text for doc, part in zip(documents, parts, strict=True) if part in ("train", "additional"))
    return Vocabulary.from_texts(learnable)


def _lattices(
    settings: LexiconConfig, documents: list[Document], parts: list[Part], vocabulary: Vocabulary, problems: Problems
) -> tuple[Lattices, Lexicon]:
    """Lattices of all documents over the words that are kept, and the lexicon of these words."""
    lexicon = Lexicon(_all_words(settings, problems), settings.match, settings.tags)
    texts = tqdm((document.text for document in documents), "lattices", len(documents), unit="doc", delay=1)
    lattices = build_lattices(texts, vocabulary, lexicon)
    if settings.vectors == "none":
        return lattices, lexicon
    # Words whose random vector no training text changes would be noise, so they are not matched.
    useful = ("train", "additional") if settings.vectors == "random" else ("train", "additional", "unlabelled")
    seen = np.repeat(np.isin(parts, useful), np.diff(lattices.word_offsets))
    return _compact(lattices, lexicon, np.unique(lattices.words[seen]))


def _all_words(settings: LexiconConfig, problems: Problems) -> list[str]:
    if settings.match == "none":
        return []
    if settings.source == "vectors":
        return list(usable_words(read_vocabulary(Path(settings.path), problems), settings.shortest))
    return jieba_words(settings.shortest)


def _compact(lattices: Lattices, lexicon: Lexicon, kept: np.ndarray) -> tuple[Lattices, Lexicon]:
    """The same lattices and lexicon with only the kept words (numbers from 1), renumbered in the same order."""
    renumbered = np.zeros(len(lexicon.words) + 1, dtype=np.int32)
    renumbered[kept] = np.arange(1, len(kept) + 1)
    words = renumbered[lattices.words]
    stays = words > 0
    before = np.concatenate([[0], np.cumsum(stays)])
    compact = Lattices(
        lattices.tokens,
        lattices.token_offsets,
        words[stays],
        lattices.heads[stays],
        lattices.tails[stays],
        before[lattices.word_offsets],
        lattices.tags,
    )
    return compact, Lexicon([lexicon.words[number - 1] for number in kept], lexicon.match, lexicon.tags)


def _vectors(
    settings: LexiconConfig, lexicon: Lexicon, vocabulary: Vocabulary, encode_words: EncodeWords, problems: Problems
) -> tuple[np.ndarray | None, float | None]:
    """Vectors of the lexicon's words, and the share of words with one; None if they are random or there are none."""
    if settings.vectors in ("random", "none") or not lexicon.words:
        return None, None
    if settings.vectors == "encoder":
        return encode_words(lexicon.words, vocabulary), 1.0
    read = read_vectors(Path(settings.path), lexicon.words, problems)
    if not read.words:
        raise UserError(
            f"{settings.path}: has no vector for any of the {len(lexicon.words)} words of the corpora; "
            "set lexicon.path to another file, or lexicon.vectors to random"
        )
    spread = float(read.matrix.std()) or 1.0
    vectors = np.random.default_rng(FILL_SEED).normal(0, spread, (len(lexicon.words), read.matrix.shape[1]))
    rows = {word: row for row, word in enumerate(lexicon.words)}
    vectors[[rows[word] for word in read.words]] = read.matrix
    return vectors.astype(np.float32), len(read.words) / len(lexicon.words)
