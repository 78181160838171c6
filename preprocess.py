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
from pathlib import Path
from typing import get_args

from config import CorpusConfig, CorpusFormat, load_config
from data.noise.label_errors import KINDS
from data.noise.noise import NoiseRates
from experiments.corpus_commands import leakcheck, write_copy_with_noise, write_dictionary_of, write_sample_corpus
from model.prepare import prepare
from utils.command_line import Parser, run_command
from utils.errors import UserError


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    return run_command("preprocess.py", lambda: _run(arguments), "nothing was written")


def _run(arguments: list[str] | None) -> None:
    options = _parser().parse_args(arguments)
    _refuse_flags_of_other_commands(options)
    seed = 42 if options.seed is None else options.seed
    rates = NoiseRates(**{kind: getattr(options, f"noise_{kind}") or 0.0 for kind in KINDS})
    if options.noise is not None:
        if options.output is None:
            raise UserError("--noise needs --output FOLDER, where the copy with wrong labels is written")
        corpus = _labelled_corpus(options.noise, options)
        write_copy_with_noise(corpus, Path(options.output), rates, options.noise_rate or [], seed)
        return
    if options.dictionary is not None:
        if not options.output:
            raise UserError("--dictionary needs --output FILE, where the dictionary is written")
        share = 1.0 if options.share is None else options.share
        write_dictionary_of(_labelled_corpus(options.dictionary, options), Path(options.output), share, seed)
        return
    config = load_config(options.config, options.set)  # its mistakes, before a sample is written
    if options.leakcheck:
        leakcheck(config, Path(options.output) if options.output else None)
        return
    if options.sample is not None:
        write_sample_corpus(Path(options.sample_folder or "data/origin/sample"), options.sample, rates, seed)
    if options.config:
        prepare(config, force=options.force)


def _labelled_corpus(path: str, options: argparse.Namespace) -> CorpusConfig:
    return CorpusConfig(path=path, labels=options.labels or "", format=options.format or "auto")


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
