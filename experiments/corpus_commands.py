"""The commands of preprocess.py beside processing: conversion, leaks, noisy copies, quality, dictionaries, sample."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from config import CorpusConfig, DataConfig, FoldsConfig
from data.corpus.dictionary import write_dictionary
from data.corpus.document import category_counts
from data.corpus.duplicates import DUPLICATE_SHARE
from data.corpus.formats import read_corpus, writers
from data.corpus.gold import read_gold
from data.corpus.leaks import find_leaks, leak_table
from data.named_corpora import corpora_by_name
from data.noise.noise import NoiseRates
from data.noise.noisy_copy import noise_table, write_noisy_copy
from data.noise.quality import measure_quality, rates_record
from data.problems import Problems
from data.sample.sample import write_sample
from experiments.dictionary.growth import take_dictionary
from utils.errors import UserError, nearest
from utils.files import CSV_ENCODING, atomic_file, atomic_folder, check_writable, write_json, write_text


def leakcheck(data: DataConfig, folds: FoldsConfig, output: Path | None) -> None:
    """Print how much text each corpus shares with each other one, and write the details to `output` if it is given.

    Raises:
        UserError: a corpus that cannot be read, fewer than two corpora, or an output that cannot be written.
    """
    if output is not None:
        _check_file(output)  # before the work
    started = time.perf_counter()
    problems = Problems()
    corpora = corpora_by_name(data, folds, problems)
    if len(corpora) < 2:
        raise UserError("--leakcheck compares corpora, and the settings name fewer than two; name more in section data")
    pairs = len(corpora) * (len(corpora) - 1)
    found = find_leaks(corpora)
    leaks = list(tqdm(found, "corpora", pairs, unit="pair", delay=1))
    print(leak_table(leaks))
    print(f"{pairs} pairs of corpora in {time.perf_counter() - started:.1f} s; {problems.summary()}")
    if output is not None:
        values = {"duplicate_share": DUPLICATE_SHARE, "pairs": [leak.to_dict() for leak in leaks]}
        write_json(output, values)
        print(f"leaks: {output}")


def write_sample_corpus(folder: Path, count: int, rates: NoiseRates, seed: int) -> None:
    """Write the made-up corpus of `count` training documents, with noise where a rate is above 0.

    Raises:
        UserError: too few documents, a rate that is refused, or a folder that holds something else.
    """
    if count < 4:
        raise UserError(f"--sample {count}: a sample corpus needs at least 4 documents")
    report = write_sample(folder, count, max(count // 3, 1), seed, None if rates == NoiseRates() else rates)
    print(report.summary())


def write_copy_with_noise(
    corpus: CorpusConfig,
    folder: Path,
    rates: NoiseRates,
    category_rates: Sequence[str],
    seed: int,
    like: Path | None = None,
) -> None:
    """Write a copy of a corpus with wrong labels, and the true labels beside it.

    Args:
        corpus: the labelled corpus to copy.
        folder: receives truth.jsonl, noisy.jsonl and noise.json.
        rates: of each kind of label error, for all categories.
        category_rates: rates of single categories, as in `name:missing=0.5`.
        seed: of the errors that are drawn.
        like: a file of rates that were measured on another corpus; those in `category_rates` come after it.

    Raises:
        UserError: a corpus that cannot be read or has no labels, rates that are refused, or a folder that cannot be
            written.
    """
    problems = Problems()
    record = write_noisy_copy(corpus, folder, rates, list(category_rates), seed, problems, like)
    print(noise_table(record))
    print(f"wrote {folder}: {record['documents']} documents with {record['total']['labels']} true labels "
          f"(truth.jsonl) and {record['noisy_labels']} noisy ones (noisy.jsonl)")  # fmt: skip
    print(problems.report())


def label_quality(corpus: CorpusConfig, gold: Path, output: Path | None, examples: int) -> None:
    """Print how good labels are, measured on gold labels.

    Args:
        corpus: the labels, such as those of a corpus or the predictions of a run.
        gold: the file of gold labels.
        output: a folder for errors.csv and noise_like.json, the rates for `--noise-like`.
        examples: errors of each kind to print with their text.

    Raises:
        UserError: the corpus or the gold labels cannot be read or do not fit, or the folder cannot be written.
    """
    if output is not None:
        check_writable(output)
    problems = Problems()
    documents = read_corpus(corpus, problems, "either")
    quality = measure_quality(documents, read_gold(gold, documents))
    print(quality.table())
    print(f"{quality.documents} documents with gold labels; the kind both type and boundary counts for both")
    if examples:
        print(quality.examples(examples))
    if output is not None:
        output.mkdir(parents=True, exist_ok=True)
        with atomic_file(output / "errors.csv") as path:
            path.write_bytes(quality.comma_separated().encode(CSV_ENCODING))
        write_json(output / "noise_like.json", rates_record(quality))
        print(f"errors: {output / 'errors.csv'}; rates for --noise-like: {output / 'noise_like.json'}")
    print(problems.report())


def write_dictionary_of(corpus: CorpusConfig, output: Path, share: float, seed: int) -> None:
    """Write the surface forms of a corpus's labels, and the ids of the documents they come from.

    Args:
        corpus: the labelled corpus.
        output: the dictionary. The ids go to a file of the same name with the suffix `.documents`.
        share: of the documents to draw, above 0 and at most 1.
        seed: of the draw.

    Raises:
        UserError: a share out of range, a corpus without labels, or an output that cannot be written.
    """
    if not 0 < share <= 1:
        raise UserError(f"--share {share}: must be greater than 0 and at most 1")
    _check_file(output)
    ids = output.with_suffix(".documents")
    if ids == output:
        raise UserError(f"--output {output}: is where the ids of the documents go; name another file, such as "
                        f"{output.with_suffix('.tsv')}")  # fmt: skip
    problems = Problems()
    documents = read_corpus(corpus, problems)
    taken = take_dictionary(documents, share, seed)
    if not taken.dictionary:
        raise UserError(f"{corpus.path}: no label to take a surface form from; check --labels")
    write_dictionary(taken.dictionary, output)
    write_text(ids, "".join(f"{document.id}\n" for document in taken.documents))
    counts = Counter(taken.dictionary.values())
    left_out = ", ".join(f"{reason} {count}" for reason, count in taken.left_out.most_common()) or "nothing"
    print(", ".join(f"{category} {count}" for category, count in sorted(counts.items())))
    print(f"{len(taken.dictionary)} surface forms of {len(taken.documents)} of {len(documents)} documents in {output}; "
          f"left out: {left_out}")  # fmt: skip
    print(problems.summary())


def convert_corpus(corpus: CorpusConfig, to: str, output: Path) -> None:
    """Write a corpus in another format. Spans that the format cannot hold are left out and counted.

    Args:
        corpus: to convert, labelled or not.
        to: the name of a writer of `formats.writers`.
        output: the file or folder to write. An existing file is replaced, a folder is not.

    Raises:
        UserError: the corpus cannot be read, an unknown format, or an output that cannot be written.
    """
    if to not in writers():
        raise UserError(f"--to {to}: no such format{nearest(to, list(writers()))}")
    writer = writers()[to]
    check_writable(output.parent)  # first, because it clears what a killed process has left beside a finished folder
    if output.is_dir() and (not writer.folder or any(output.iterdir())):
        raise UserError(f"--output {output}: a folder is there already; name another place")
    problems = Problems()
    documents = read_corpus(corpus, problems, "either")
    spans = category_counts(documents).total()
    lost_before = problems.labels_lost
    with (atomic_folder if writer.folder else atomic_file)(output) as temporary:
        writer.write(documents, temporary, problems)
    lost = problems.labels_lost - lost_before
    doubts = sum(len(document.doubtful) for document in documents)
    print(f"{output}: {len(documents)} documents and {spans - lost} of {spans} labels as {to}")
    if doubts and to != "jsonl":
        print(f"{doubts} doubtful stretches and the weights of documents are not written; only jsonl holds them")
    print(problems.report())


def _check_file(output: Path) -> None:
    if output.is_dir():
        raise UserError(f"{output}: is a folder; name a file")
    check_writable(output.parent)
