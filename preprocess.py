"""Command line: raw corpora to a processed folder of documents, lattices, segments and word vectors.

    python preprocess.py --config configs/demo.yaml
    python preprocess.py --sample 600                                 write the made-up sample corpus
    python preprocess.py --convert CORPUS --to bio --output F         a corpus in another format
    python preprocess.py --leakcheck --config configs/demo.yaml       how much text corpora share
    python preprocess.py --noise CORPUS --output F --noise-type 0.2   a copy with wrong labels, the truth beside it
    python preprocess.py --quality LABELS --gold GOLD                 how good labels are, measured on gold labels
    python preprocess.py --dictionary CORPUS --output F --share 0.5   a dictionary from its labels

Exit status 0, or 2 with a line for each mistake on standard error, or 130 after Ctrl-C.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import get_args

from config import Config, CorpusConfig, CorpusFormat, RunConfig, load_config
from data.corpus.formats import writers
from data.corpus.size_limit import files_up_to
from data.noise.label_errors import ERROR_KINDS
from data.noise.noise import NoiseRates
from experiments.corpus_commands import (
    convert_corpus,
    label_quality,
    leakcheck,
    write_copy_with_noise,
    write_dictionary_of,
    write_sample_corpus,
)
from model.prepare import prepare
from utils.command_line import Command, Parser, add_settings_flags, run_chosen, run_command
from utils.errors import UserError
from utils.files import private_files


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    given = sys.argv[1:] if arguments is None else arguments
    return run_command("preprocess.py", lambda: _run(given), "nothing was written")


# ------------------------------------------------------------------------------------------------------- command line


def _config_flags(parser: Parser) -> None:
    add_settings_flags(parser, "data.max_len=200")


def _processing_flags(parser: Parser) -> None:
    _config_flags(parser)
    parser.add_argument("--force", action="store_true", help="rebuild even if nothing has changed")


def _leakcheck_flags(parser: Parser) -> None:
    parser.add_argument("--leakcheck", action="store_true", required=True)
    _config_flags(parser)
    parser.add_argument("--output", metavar="FILE", help="write all of it to this JSON file")


def _sample_flags(parser: Parser) -> None:
    parser.add_argument("--sample", type=int, metavar="N", help="number of training documents")
    parser.add_argument("--sample-folder", default="data/origin/sample", metavar="FOLDER",
                        help="where to write; default: data/origin/sample")  # fmt: skip
    _seed_flag(parser)
    _noise_flags(parser)
    _processing_flags(parser)


def _copy_flags(parser: Parser) -> None:
    parser.add_argument("--noise", metavar="CORPUS", help="labelled corpus of any format")
    _corpus_flags(parser)
    parser.add_argument("--output", metavar="FOLDER", help="folder of the copy")
    _seed_flag(parser)
    _noise_flags(parser)
    parser.add_argument("--noise-rate", action="extend", nargs="+", default=[], metavar="CATEGORY:KIND=RATE",
                        help="rate of one category, as in name:missing=0.5")  # fmt: skip
    parser.add_argument("--noise-like", metavar="FILE", help="rates that --quality has measured and written")


def _quality_flags(parser: Parser) -> None:
    parser.add_argument("--quality", metavar="LABELS", help="labelled corpus of any format, or predictions of a run")
    _corpus_flags(parser)
    parser.add_argument("--gold", metavar="FILE", help="gold labels: JSON lines with id, sha256 and entities")
    parser.add_argument("--output", metavar="FOLDER", help="for all errors as a table, and rates for --noise-like")
    parser.add_argument("--examples", type=int, default=0, metavar="N", help="print N errors of each kind; default: 0")


def _convert_flags(parser: Parser) -> None:
    parser.add_argument("--convert", metavar="CORPUS", help="corpus of any format, labelled or not")
    _corpus_flags(parser)
    formats = "; ".join(f"{name}: {writer.files}" for name, writer in writers().items())
    parser.add_argument("--to", metavar="FORMAT", help=f"format to write. {formats}")
    parser.add_argument("--output", metavar="PATH", help="file or folder to write")


def _dictionary_flags(parser: Parser) -> None:
    parser.add_argument("--dictionary", metavar="CORPUS", help="labelled corpus of any format")
    _corpus_flags(parser)
    ids = "file of the dictionary; the ids of its documents go beside it with the suffix .documents"
    parser.add_argument("--output", metavar="FILE", help=ids)
    parser.add_argument("--share", type=float, default=1.0, metavar="PART",
                        help="use a random part of the documents; default: 1")  # fmt: skip
    _seed_flag(parser)


def _corpus_flags(parser: Parser) -> None:
    parser.add_argument(
        "--labels", default="", metavar="PATH", help="folder or zip of N.csv with the labels of the corpus"
    )
    parser.add_argument(
        "--format", choices=get_args(CorpusFormat), default="auto", help="format of the corpus; default: auto"
    )
    parser.add_argument("--text-key", default="", metavar="KEY", help="key of the text in JSON; default: text")


def _seed_flag(parser: Parser) -> None:
    parser.add_argument("--seed", type=seed, default=42, metavar="N", help="random seed; default: 42")


def seed(text: str) -> int:
    """A random seed, as run.seed. The name stands in the message about a wrong one."""
    return RunConfig(seed=int(text)).seed


def _noise_flags(parser: Parser) -> None:
    for kind in ERROR_KINDS:
        per = "per remaining label" if kind in ("type", "boundary") else "per label"
        parser.add_argument(f"--noise-{kind}", type=float, default=0.0, metavar="RATE", help=f"{kind} labels, {per}")


def _leakcheck(options: argparse.Namespace) -> None:
    config = load_config(options.config, options.set)
    leakcheck(config.data, config.folds, Path(options.output) if options.output else None)


def _copy(options: argparse.Namespace) -> None:
    if options.output is None:
        raise UserError("--noise needs --output FOLDER, where the copy with wrong labels is written")
    corpus, folder = _named_corpus(options.noise, options), Path(options.output)
    like = Path(options.noise_like) if options.noise_like else None
    write_copy_with_noise(corpus, folder, _noise_rates(options), options.noise_rate, options.seed, like)


def _convert(options: argparse.Namespace) -> None:
    if not options.to or not options.output:
        raise UserError("--convert needs --to FORMAT and --output PATH; --convert --help lists the formats")
    convert_corpus(_named_corpus(options.convert, options), options.to, Path(options.output))


def _quality(options: argparse.Namespace) -> None:
    if not options.gold:
        raise UserError("--quality needs --gold FILE, the gold labels to measure on")
    output = Path(options.output) if options.output else None
    label_quality(_named_corpus(options.quality, options), Path(options.gold), output, max(options.examples, 0))


def _dictionary(options: argparse.Namespace) -> None:
    if not options.output:
        raise UserError("--dictionary needs --output FILE, where the dictionary is written")
    corpus = _named_corpus(options.dictionary, options)
    write_dictionary_of(corpus, Path(options.output), options.share, options.seed)


def _sample(options: argparse.Namespace) -> None:
    load_config(options.config, options.set)  # its mistakes come first, before anything is written
    write_sample_corpus(Path(options.sample_folder), options.sample, _noise_rates(options), options.seed)
    if options.config:
        _process(options)


def _process(options: argparse.Namespace) -> None:
    prepare(load_config(options.config, options.set), force=options.force)


def _named_corpus(path: str, options: argparse.Namespace) -> CorpusConfig:
    return CorpusConfig(path=path, labels=options.labels, format=options.format, text_key=options.text_key)


def _noise_rates(options: argparse.Namespace) -> NoiseRates:
    return NoiseRates(**{kind: getattr(options, f"noise_{kind}") for kind in ERROR_KINDS})


# If flags of several commands are given, the first command in this order is chosen.
COMMANDS = {
    "--leakcheck": Command("measure how much of each corpus occurs in each other", _leakcheck, _leakcheck_flags),
    "--convert": Command("write a corpus in another format", _convert, _convert_flags),
    "--noise": Command("copy a labelled corpus with label errors", _copy, _copy_flags),
    "--quality": Command("measure labels, or predictions, on gold labels", _quality, _quality_flags),
    "--dictionary": Command("write a dictionary from a corpus's labels", _dictionary, _dictionary_flags),
    "--sample": Command("write the made-up sample corpus; with --config, process it", _sample, _sample_flags),
    "--config": Command("process the corpora of a configuration", _process, _processing_flags),
}


def _run(arguments: Sequence[str]) -> None:
    given = {argument.partition("=")[0] for argument in arguments}
    chosen = next((words for words in COMMANDS if words in given), None)
    about = "Raw corpora to segments with lattices, on disk."
    commands = {words: command._replace(run=partial(_run_with_limits, command)) for words, command in COMMANDS.items()}
    run_chosen("preprocess.py", about, commands, chosen, arguments)


def _run_with_limits(command: Command, options: argparse.Namespace) -> None:
    """Run a command. One without settings has the defaults: its files are private, and large ones are not read."""
    config = load_config(options.config, options.set) if "config" in options else Config()
    with private_files(config.run.shared), files_up_to(config.data.largest_file):
        command.run(options)


if __name__ == "__main__":
    sys.exit(main())
