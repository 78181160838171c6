"""Command line: raw corpora to a processed folder of documents, lattices, segments and word vectors.

    python preprocess.py --config configs/demo.yaml
    python preprocess.py --sample 600                                 write the made-up sample corpus
    python preprocess.py --leakcheck --config configs/demo.yaml       what of each corpus stands in each other
    python preprocess.py --noise CORPUS --output F --noise-type 0.2   a copy with wrong labels, the truth beside it
    python preprocess.py --dictionary CORPUS --output F --share 0.5   a dictionary from its labels

Exit status 0, or 2 with one line on standard error, or 130 after Ctrl-C.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import get_args

import numpy as np
from tqdm import tqdm

from config import Config, CorpusFormat, UserError, load_config
from data.corpus_commands import leakcheck, write_copy_with_noise, write_dictionary_of, write_sample_corpus
from utils.command_line import Parser, run_command
from utils.preprocess.document import Document, Problems, category_counts
from utils.preprocess.duplicates import group_near_duplicates
from utils.preprocess.formats import check_categories, read_corpus, why_unlabelled
from utils.preprocess.label_errors import KINDS
from utils.preprocess.lattice import Lattices, build_lattices
from utils.preprocess.lexicon import Lexicon, jieba_words, usable_words
from utils.preprocess.processed import (
    FILES,
    VERSION,
    Part,
    Processed,
    fingerprints,
    input_files,
    load_processed,
    named_corpora,
    save_processed,
    shaping_settings,
)
from utils.preprocess.report import describe, print_report
from utils.preprocess.segment import cut_spans, segment_bounds
from utils.preprocess.tokenizer import Vocabulary, encoder_vocabulary
from utils.preprocess.vectors import read_vectors, read_vocabulary
from utils.tools import check_replaceable

LONG_SPAN = "span longer than a segment, alone or with those that overlap it"
FILL_SEED = 0  # of the words that a vector file lacks; no setting, so that runs of all seeds share the processed data


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    return run_command("preprocess.py", lambda: _run(arguments), "nothing was written")


def _run(arguments: list[str] | None) -> None:
    options = _parser().parse_args(arguments)
    _refuse_flags_of_other_commands(options)
    if options.noise is not None:
        write_copy_with_noise(options)
        return
    if options.dictionary is not None:
        write_dictionary_of(options)
        return
    config = load_config(options.config, options.set)  # its mistakes, before a sample is written
    if options.leakcheck:
        leakcheck(config, Path(options.output) if options.output else None)
        return
    if options.sample is not None:
        write_sample_corpus(options)
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
    check_replaceable(config.processed_folder, FILES, "data.processed")
    started = time.perf_counter()
    problems = Problems()
    documents, parts, categories = read_documents(config, problems)
    vocabulary = _vocabulary(config, documents, parts)
    lattices, lexicon = _lattices(config, documents, parts, vocabulary, problems)
    segments, lost = _segments(config, documents, problems)
    vectors, covered = _vectors(config, lexicon, vocabulary, problems)
    groups = _groups(documents, parts, config.data.duplicate_share)
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
        raise UserError(
            f"{data.train.path}: no labelled span in the training corpus ({why_unlabelled(data.train, problems)})"
        )
    documents: list[Document] = []
    parts: list[Part] = []
    for part, corpus in named_corpora(config):
        read = train if part == "train" else read_corpus(corpus, problems, labelled=part != "unlabelled")
        kept = check_categories(read, categories, problems, corpus.path)
        if part == "train" and not category_counts(kept):
            raise UserError(f"{corpus.path}: no span of data.categories {', '.join(categories)}; check the names")
        documents += kept
        parts += [part] * len(kept)
    return documents, parts, categories


def _groups(documents: list[Document], parts: list[Part], share: float) -> np.ndarray:
    """Near-duplicates among what is trained on or held out, (documents,); every other document is a group of its own.

    Additional and unlabelled texts could link two of these, and with them another dev part would be drawn than without.
    """
    groups = np.arange(len(documents))
    own = np.flatnonzero(np.isin(parts, ("train", "dev")))
    groups[own] = own[group_near_duplicates([documents[number].text for number in own], share)]
    return groups


def _segments(config: Config, documents: list[Document], problems: Problems) -> tuple[np.ndarray, int]:
    """Segments of all documents, (S, 3), and how many spans no segment holds."""
    rows, lost = [], 0
    for number, document in enumerate(tqdm(documents, desc="segments", unit="doc", delay=1)):
        bounds = segment_bounds(document.text, document.spans, config.data.max_len)
        rows += [(number, begin, end) for begin, end in bounds]
        for span in cut_spans(document.spans, bounds) if len(bounds) > 1 else []:
            lost += 1
            place = f"{span.category} {span.begin} to {span.end}"
            problems.add(LONG_SPAN, f"document {document.id}", place)
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
    if config.lexicon.vectors == "none":
        return lattices, lexicon
    # A random vector that no training text moves is noise, so such words are not matched at all.
    useful = ("train", "additional") if config.lexicon.vectors == "random" else ("train", "additional", "unlabelled")
    seen = np.repeat(np.isin(parts, useful), np.diff(lattices.word_offsets))
    return _compact(lattices, lexicon, np.unique(lattices.words[seen]))


def _all_words(config: Config, problems: Problems) -> list[str]:
    if config.lexicon.match == "none":
        return []
    if config.lexicon.source == "vectors":
        return list(usable_words(read_vocabulary(Path(config.lexicon.path), problems), config.lexicon.shortest))
    return jieba_words(config.lexicon.shortest)


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
    """Vectors of the lexicon's words and the share of words that have one; None where they are random or none."""
    if config.lexicon.vectors in ("random", "none") or not lexicon.words:
        return None, None
    if config.lexicon.vectors == "encoder":
        # Here, because only this needs PyTorch.
        import torch

        from model.layers.encoder import build_encoder
        from model.word_states import word_states
        from utils.device import choose_device, set_up_processor

        set_up_processor(config)
        encoder = build_encoder(config.encoder, len(vocabulary), config.data.max_len + 2, vocabulary.pad)
        return word_states(encoder, lexicon.words, vocabulary, torch.device(choose_device(config))), 1.0
    read = read_vectors(Path(config.lexicon.path), lexicon.words, problems)
    if not read.words:
        raise UserError(
            f"{config.lexicon.path}: has a vector for none of the {len(lexicon.words)} words that the corpora have; "
            "name another file with lexicon.path, or set lexicon.vectors to random"
        )
    spread = float(read.matrix.std()) or 1.0
    vectors = np.random.default_rng(FILL_SEED).normal(0, spread, (len(lexicon.words), read.matrix.shape[1]))
    rows = {word: row for row, word in enumerate(lexicon.words)}
    vectors[[rows[word] for word in read.words]] = read.matrix
    return vectors.astype(np.float32), len(read.words) / len(lexicon.words)


# ------------------------------------------------------------------------------------------------------- command line


def _refuse_flags_of_other_commands(options: argparse.Namespace) -> None:
    """A flag that would change nothing is a mistake. Of several commands the first one here is the one meant."""
    rates = " ".join(f"noise_{kind}" for kind in KINDS)
    takes = {
        "leakcheck": "config set output",
        "noise": f"labels format output seed noise_rate {rates}",
        "dictionary": "labels format output seed share",
        "sample": f"config set force sample_folder seed {rates}",
        "config": "set force",
    }
    given = [flag for flag, value in vars(options).items() if value is not None and value is not False]
    command = next((command for command in takes if command in given), None)
    if command is None:
        raise UserError(
            "nothing to do; give --config configs/X.yaml, --config and --leakcheck, --noise CORPUS, --dictionary "
            "CORPUS, or --sample N"
        )
    for flag in given:
        if flag != command and flag not in takes[command].split():
            of = " and ".join(f"--{other}" for other, flags in takes.items() if flag in flags.split())
            remedy = f", but to {of}" if of else "; give one of them"
            raise UserError(f"--{flag.replace('_', '-')} does not belong to --{command}{remedy}")


def _parser() -> Parser:
    parser = Parser(description="Raw corpora to segments with lattices, on disk.")
    parser.add_argument("--config", action="append", metavar="FILE", help="settings; may be given more than once")
    parser.add_argument("--set", action="append", metavar="KEY=VALUE", help="one setting, e.g. data.max_len=200")
    parser.add_argument("--force", action="store_true", help="rebuild even if nothing has changed")
    parser.add_argument("--sample", type=int, metavar="N", help="write a made-up corpus of N training documents")
    parser.add_argument("--sample-folder", metavar="FOLDER", help="where to write it; default: data/origin/sample")
    parser.add_argument("--leakcheck", action="store_true", help="say how much of each corpus stands in each other")
    parser.add_argument("--noise", metavar="CORPUS", help="copy a labelled corpus of any format with wrong labels")
    parser.add_argument("--dictionary", metavar="CORPUS", help="write a dictionary of the surface forms of its labels")
    parser.add_argument("--share", type=float, metavar="PART", help="dictionary: of the documents, drawn; default: 1")
    parser.add_argument("--labels", metavar="PATH", help="noise, dictionary: folder or zip of N.csv of the corpus")
    parser.add_argument("--format", choices=get_args(CorpusFormat),
                        help="noise, dictionary: of the corpus; default: auto")  # fmt: skip
    parser.add_argument("--output", metavar="PATH", help="leakcheck: write all of it to this JSON file; "
                        "noise: the folder of the copy; dictionary: the file, and as .documents beside it those it "
                        "was taken from")  # fmt: skip
    parser.add_argument("--seed", type=int, help="sample, noise, dictionary: what to draw; default: 42")
    for kind in KINDS:
        parser.add_argument(f"--noise-{kind}", type=float, metavar="RATE",
                            help=f"sample, noise: {kind} labels, per label (type, boundary: that remains)")  # fmt: skip
    parser.add_argument("--noise-rate", action="extend", nargs="+", metavar="CATEGORY:KIND=RATE",
                        help="noise: the rate of one category, as in name:missing=0.5")  # fmt: skip
    return parser


if __name__ == "__main__":
    sys.exit(main())
