"""Command line: raw corpora to a processed folder of documents, lattices, segments and word vectors.

    python preprocess.py --config configs/demo.yaml
    python preprocess.py --sample 600                  write the made-up sample corpus
    python preprocess.py --dictionary CORPUS --output FILE --share 0.5 --seed 1      a dictionary from its labels

Exit status 0, or 2 with one line on standard error, or 130 after Ctrl-C.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
from tqdm import tqdm

from config import Config, CorpusConfig, UserError, load_config
from utils.command_line import Parser, run_command
from utils.preprocess.dictionary import write_dictionary
from utils.preprocess.dictionary_growth import take_dictionary
from utils.preprocess.document import Document, Problems, category_counts
from utils.preprocess.duplicates import group_near_duplicates
from utils.preprocess.formats import check_categories, read_corpus
from utils.preprocess.lattice import Lattices, build_lattices
from utils.preprocess.lexicon import Lexicon, jieba_words, usable_words
from utils.preprocess.noise import NoiseRates
from utils.preprocess.processed import (
    VERSION,
    Part,
    Processed,
    check_replaceable,
    fingerprints,
    input_files,
    load_processed,
    save_processed,
    shaping_settings,
)
from utils.preprocess.report import describe, print_report
from utils.preprocess.sample import write_sample
from utils.preprocess.segment import cut_spans, segment_bounds
from utils.preprocess.tokenizer import Vocabulary, encoder_vocabulary
from utils.preprocess.vectors import read_vectors, read_vocabulary
from utils.tools import write_text

FILL_SEED = 0  # of the words that a vector file lacks; no setting, so that runs of all seeds share the processed data


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    return run_command("preprocess.py", lambda: _run(arguments), "nothing was written")


def _run(arguments: list[str] | None) -> None:
    options = _parser().parse_args(arguments)
    if options.dictionary is not None:
        _dictionary(options)
        return
    if options.sample is None and not options.config:
        raise UserError("nothing to do; give --config configs/X.yaml, or --sample N for the sample corpus")
    config = load_config(options.config, options.set)  # its mistakes, before a sample is written
    if options.sample is not None:
        _sample(options)
    if options.config:
        preprocess(config, force=options.force)


def preprocess(config: Config, force: bool = False) -> Processed:
    """Make the processed folder, unless it stands there already and nothing it depends on has changed.

    Raises:
        UserError: a corpus, encoder or vector file that cannot be used, or a folder that cannot be written.
    """
    if not force:
        try:
            processed = load_processed(config)
        except UserError:
            pass
        else:
            print(f"{config.processed_folder} is up to date")
            return processed
    check_replaceable(config.processed_folder)
    started = time.perf_counter()
    problems = Problems()
    documents, parts, categories = read_documents(config, problems)
    vocabulary = _vocabulary(config, documents, parts)
    lattices, lexicon = _lattices(config, documents, parts, vocabulary, problems)
    segments, lost = _segments(config, documents, problems)
    vectors, covered = _vectors(config, lexicon, vocabulary, problems)
    groups = group_near_duplicates([document.text for document in documents], config.data.duplicate_share)
    inputs = fingerprints(input_files(config))
    manifest = {"version": VERSION, "settings": shaping_settings(config), "inputs": inputs, "categories": categories}
    processed = Processed(
        documents, parts, categories, vocabulary, lattices, segments, groups, lexicon, vectors, manifest
    )
    manifest["report"] = describe(processed, problems, lost, covered)
    save_processed(processed, config.processed_folder)
    print_report(manifest["report"], problems, config.processed_folder, time.perf_counter() - started)
    return processed


# ---------------------------------------------------------------------------------------------------------- documents


def read_documents(config: Config, problems: Problems) -> tuple[list[Document], list[Part], list[str]]:
    """All corpora, one after the other, the part of each document, and the categories.

    Raises:
        UserError: no training corpus, or one without a single label.
    """
    data = config.data
    if not data.train.path:
        raise UserError("data.train is empty; name the training corpus, or start with configs/demo.yaml")
    train = read_corpus(data.train, problems)
    categories = data.categories or sorted(category_counts(train))
    if not categories:
        raise UserError(f"{data.train.path}: no labelled span in the training corpus; check data.train.labels")
    sources: list[tuple[Part, CorpusConfig]] = [
        ("dev", data.dev),
        ("test", data.test),
        *(("additional", corpus) for corpus in data.additional),
        ("unlabelled", data.unlabelled),
    ]
    corpora = [("train", data.train, train)]
    corpora += [(part, corpus, read_corpus(corpus, problems)) for part, corpus in sources if corpus.path]
    documents: list[Document] = []
    parts: list[Part] = []
    for part, corpus, read in corpora:
        kept = check_categories(read, categories, problems, corpus.path)
        if part == "train" and not category_counts(kept):
            raise UserError(f"{corpus.path}: no span of data.categories {', '.join(categories)}; check the names")
        documents += kept
        parts += [part] * len(kept)
    return documents, parts, categories


def _segments(config: Config, documents: list[Document], problems: Problems) -> tuple[np.ndarray, int]:
    """Segments of all documents, (S, 3), and how many spans no segment holds."""
    rows, lost = [], 0
    for number, document in enumerate(tqdm(documents, desc="segments", unit="doc", delay=1)):
        bounds = segment_bounds(document.text, document.spans, config.data.max_len)
        rows += [(number, begin, end) for begin, end in bounds]
        for span in cut_spans(document.spans, bounds) if len(bounds) > 1 else []:
            lost += 1
            problems.add("span longer than a segment", f"document {document.id}", f"{span.category} {span.begin}")
    return np.array(rows, dtype=np.int64).reshape(-1, 3), lost


# ---------------------------------------------------------------------------------------------- characters and words


def _vocabulary(config: Config, documents: list[Document], parts: list[Part]) -> Vocabulary:
    if config.encoder.name != "scratch":
        return encoder_vocabulary(config.encoder.name)
    learnable = (doc.text for doc, part in zip(documents, parts, strict=True) if part in ("train", "additional"))
    return Vocabulary.from_texts(learnable)


def _lattices(
    config: Config, documents: list[Document], parts: list[Part], vocabulary: Vocabulary, problems: Problems
) -> tuple[Lattices, Lexicon]:
    """Lattices of all documents over the words that are kept, and the lexicon of those words."""
    lexicon = Lexicon(_all_words(config, problems), config.lexicon.match)
    texts = tqdm((document.text for document in documents), "lattices", len(documents), unit="doc", delay=1)
    lattices = build_lattices(texts, vocabulary, lexicon)
    # A random vector that no training text moves is noise, so such words are not matched at all.
    useful = ("train", "additional") if config.lexicon.vectors == "random" else ("train", "additional", "unlabelled")
    seen = np.repeat(np.isin(parts, useful), np.diff(lattices.word_offsets))
    return _compact(lattices, lexicon, np.unique(lattices.words[seen]))


def _all_words(config: Config, problems: Problems) -> list[str]:
    if config.lexicon.match == "none":
        return []
    if config.lexicon.source == "vectors":
        return list(usable_words(read_vocabulary(Path(config.lexicon.path), problems)))
    return jieba_words()


def _compact(lattices: Lattices, lexicon: Lexicon, kept: np.ndarray) -> tuple[Lattices, Lexicon]:
    """The same lattices over the kept words only (numbers from 1), renumbered in the same order."""
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
    )
    return compact, Lexicon([lexicon.words[number - 1] for number in kept], lexicon.match)


def _vectors(
    config: Config, lexicon: Lexicon, vocabulary: Vocabulary, problems: Problems
) -> tuple[np.ndarray | None, float | None]:
    """Vectors of the lexicon's words, and the share of words that have one; (None, None) where they are random."""
    if config.lexicon.vectors == "random" or not lexicon.words:
        return None, None
    if config.lexicon.vectors == "encoder":
        # Here, because only this needs PyTorch.
        import torch

        from model.layers.encoder import build_encoder
        from model.word_states import word_states
        from utils.device import choose_device, set_up_processor

        set_up_processor(config)
        encoder = build_encoder(config.encoder, len(vocabulary), config.data.max_len, vocabulary.pad)
        return word_states(encoder, lexicon.words, vocabulary, torch.device(choose_device(config))), 1.0
    read = read_vectors(Path(config.lexicon.path), lexicon.words, problems)
    spread = float(read.matrix.std()) or 1.0
    vectors = np.random.default_rng(FILL_SEED).normal(0, spread, (len(lexicon.words), read.matrix.shape[1]))
    rows = {word: row for row, word in enumerate(lexicon.words)}
    vectors[[rows[word] for word in read.words]] = read.matrix
    return vectors.astype(np.float32), len(read.words) / len(lexicon.words)


# ------------------------------------------------------------------------------------------------------- command line


def _sample(options: argparse.Namespace) -> None:
    if options.sample < 4:
        raise UserError(f"--sample {options.sample}: a sample corpus needs at least 4 documents")
    names = ("missing", "type", "boundary", "spurious")
    rates = NoiseRates(**{name: getattr(options, f"noise_{name}") for name in names})
    noise = rates if any(getattr(rates, name) for name in names) else None
    report = write_sample(Path(options.sample_folder), options.sample, max(options.sample // 3, 1), options.seed, noise)
    print(report.summary())


def _dictionary(options: argparse.Namespace) -> None:
    """The surface forms of a corpus's labels as a dictionary, and beside it the ids of the documents they are from."""
    if not options.output:
        raise UserError("--dictionary needs --output FILE, where the dictionary is written")
    if not 0 < options.share <= 1:
        raise UserError(f"--share {options.share}: a part of the documents is above 0 and at most 1")
    problems = Problems()
    documents = read_corpus(CorpusConfig(options.dictionary, options.labels or ""), problems)
    taken = take_dictionary(documents, options.share, options.seed)
    if not taken.dictionary:
        raise UserError(f"{options.dictionary}: no label to take a surface form from; check --labels")
    path = Path(options.output)
    write_dictionary(taken.dictionary, path)
    write_text(path.with_suffix(".documents"), "".join(f"{document.id}\n" for document in taken.documents))
    counts = Counter(taken.dictionary.values())
    left_out = ", ".join(f"{reason} {count}" for reason, count in taken.left_out.most_common()) or "nothing"
    print(", ".join(f"{category} {count}" for category, count in sorted(counts.items())))
    print(f"{len(taken.dictionary)} surface forms of {len(taken.documents)} of {len(documents)} documents in {path}; "
          f"left out: {left_out}")  # fmt: skip
    print(problems.summary())


def _parser() -> Parser:
    parser = Parser(description="Raw corpora to segments with lattices, on disk.")
    parser.add_argument("--config", action="append", metavar="FILE", help="settings; may be given more than once")
    parser.add_argument("--set", action="append", metavar="KEY=VALUE", help="one setting, e.g. data.max_len=200")
    parser.add_argument("--force", action="store_true", help="rebuild even if nothing has changed")
    parser.add_argument("--sample", type=int, metavar="N", help="write a made-up corpus of N training documents")
    parser.add_argument("--sample-folder", default="data/origin/sample", metavar="FOLDER", help="where to write it")
    parser.add_argument("--seed", type=int, default=42, help="of the sample corpus, and of --share")
    parser.add_argument("--dictionary", metavar="CORPUS", help="write a dictionary of the surface forms of its labels")
    parser.add_argument("--labels", metavar="PATH", help="of --dictionary: folder or zip of N.csv")
    parser.add_argument("--output", metavar="FILE", help="of --dictionary: where to write it; FILE.documents beside it "
                        "lists the documents it was taken from")  # fmt: skip
    parser.add_argument("--share", type=float, default=1.0, help="of --dictionary: of the documents, drawn at random")
    for kind in ("missing", "type", "boundary", "spurious"):
        parser.add_argument(
            f"--noise-{kind}", type=float, default=0.0, metavar="RATE", help=f"share of {kind} labels in the sample"
        )
    return parser


if __name__ == "__main__":
    sys.exit(main())
