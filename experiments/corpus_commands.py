"""What preprocess.py does with corpora beside processing them: leaks, copies with noise, dictionaries, a sample."""

from __future__ import annotations

import argparse
import time
from collections import Counter
from pathlib import Path

from tqdm import tqdm

from config import Config, CorpusConfig
from data.corpora import corpora_by_name
from data.corpus.dictionary import write_dictionary
from data.corpus.duplicates import DUPLICATE_SHARE
from data.corpus.formats import read_corpus
from data.corpus.leaks import find_leaks, leak_table
from data.noise.label_errors import KINDS
from data.noise.noise import NoiseRates
from data.noise.noisy_copy import noise_table, write_noisy_copy
from data.problems import Problems
from data.sample.sample import write_sample
from experiments.dictionary.growth import take_dictionary
from utils.errors import UserError
from utils.files import check_writable, write_json, write_text


def leakcheck(config: Config, output: Path | None) -> None:
    """Say how much of each corpus stands in each other, and write all of it to `output` if that is given.

    Raises:
        UserError: a corpus that cannot be read, fewer than two of them, or an output that cannot be written.
    """
    if output is not None:
        _check_file(output)
    started = time.perf_counter()
    problems = Problems()
    corpora = corpora_by_name(config, problems)
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


def write_sample_corpus(options: argparse.Namespace) -> None:
    """`--sample`: the made-up corpus, with noise if rates are given."""
    if options.sample < 4:
        raise UserError(f"--sample {options.sample}: a sample corpus needs at least 4 documents")
    folder = Path(options.sample_folder or "data/origin/sample")
    rates = _noise_rates(options)
    test = max(options.sample // 3, 1)
    report = write_sample(folder, options.sample, test, _seed(options), None if rates == NoiseRates() else rates)
    print(report.summary())


def write_copy_with_noise(options: argparse.Namespace) -> None:
    """`--noise`: a copy of a corpus with wrong labels, and the truth beside it."""
    if options.output is None:
        raise UserError("--noise needs --output FOLDER, where the copy with wrong labels is written")
    corpus = CorpusConfig(path=options.noise, labels=options.labels or "", format=options.format or "auto")
    folder, rates, problems = Path(options.output), _noise_rates(options), Problems()
    record = write_noisy_copy(corpus, folder, rates, options.noise_rate or [], _seed(options), problems)
    print(noise_table(record))
    print(f"wrote {folder}: {record['documents']} documents with {record['total']['labels']} true labels "
          f"(truth.jsonl) and {record['noisy_labels']} noisy ones (noisy.jsonl)")  # fmt: skip
    print(problems.report())


def write_dictionary_of(options: argparse.Namespace) -> None:
    """`--dictionary`: the surface forms of a corpus's labels, and the ids of the documents that they are from."""
    if not options.output:
        raise UserError("--dictionary needs --output FILE, where the dictionary is written")
    share = 1.0 if options.share is None else options.share
    if not 0 < share <= 1:
        raise UserError(f"--share {share}: a part of the documents is above 0 and at most 1")
    path, problems = Path(options.output), Problems()
    _check_file(path)
    ids = path.with_suffix(".documents")
    if ids == path:
        raise UserError(f"--output {path}: is where the ids of the documents go; name another file, such as "
                        f"{path.with_suffix('.tsv')}")  # fmt: skip
    corpus = CorpusConfig(path=options.dictionary, labels=options.labels or "", format=options.format or "auto")
    documents = read_corpus(corpus, problems)
    taken = take_dictionary(documents, share, _seed(options))
    if not taken.dictionary:
        raise UserError(f"{options.dictionary}: no label to take a surface form from; check --labels")
    write_dictionary(taken.dictionary, path)
    write_text(ids, "".join(f"{document.id}\n" for document in taken.documents))
    counts = Counter(taken.dictionary.values())
    left_out = ", ".join(f"{reason} {count}" for reason, count in taken.left_out.most_common()) or "nothing"
    print(", ".join(f"{category} {count}" for category, count in sorted(counts.items())))
    print(f"{len(taken.dictionary)} surface forms of {len(taken.documents)} of {len(documents)} documents in {path}; "
          f"left out: {left_out}")  # fmt: skip
    print(problems.summary())


def _check_file(output: Path) -> None:
    """Raise UserError, before the work, where no file can be written."""
    if output.is_dir():
        raise UserError(f"{output}: is a folder; name a file")
    check_writable(output.parent)


def _noise_rates(options: argparse.Namespace) -> NoiseRates:
    return NoiseRates(**{kind: getattr(options, f"noise_{kind}") or 0.0 for kind in KINDS})


def _seed(options: argparse.Namespace) -> int:
    return 42 if options.seed is None else options.seed
