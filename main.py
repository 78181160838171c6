"""Command line: train a tagger, score it, read texts with it.

    python main.py --mode train   --config configs/demo.yaml
    python main.py --mode eval    --config configs/demo.yaml
    python main.py --mode predict --config configs/demo.yaml --input texts --output out

Exit status 0, or 2 with one line on standard error.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

from config import Config, CorpusConfig, UserError, load_config
from utils.preprocess.document import Problems


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        config = load_config(options.config, options.set)
        {"train": train, "eval": evaluate, "predict": predict}[options.mode](config, options)
    except UserError as error:
        print(f"main.py: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("main.py: stopped; --mode train goes on with --resume", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of standard output has gone, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return 0


def train(config: Config, options: argparse.Namespace) -> None:
    """`--mode train`."""
    from model.training import train as train_folds
    from utils.preprocess.processed import load_processed

    metrics = train_folds(config, load_processed(config), options.fold, options.resume)
    if like := max(fold["train_documents_like_dev"] for fold in metrics):
        print(f"{like} training texts are near-duplicates of dev texts; the dev score flatters by so much")
    for fold in metrics:
        epochs = fold["history"]
        shown = epochs[fold["best_epoch"] - 1] if fold["selected"] == "best" else epochs[-1]
        score = f"dev P {shown['precision']:.4f} R {shown['recall']:.4f} F1 {shown['f1']:.4f}" if "f1" in shown else ""
        print(f"fold {fold['fold']}: {len(epochs)} epochs in {fold['train_seconds']:.0f} s; "
              f"{fold['selected']} epoch {shown['epoch']}: {score or 'no dev part'}")  # fmt: skip
    print(f"run: {config.run_folder}")


def evaluate(config: Config, options: argparse.Namespace) -> None:
    """`--mode eval`."""
    from model.evaluation import score_corpus, score_split
    from utils.tools import write_json

    problems = Problems()
    if options.input:
        corpus = CorpusConfig(options.input, options.labels or "", options.format)
        name, result = Path(options.input).stem, score_corpus(config.run_folder, corpus, problems)
    else:
        name, result = options.split, score_split(config, options.split)
    print(result.scores.table())
    if result.note:
        print(result.note)
    path = config.run_folder / "eval" / f"{name}.json"
    write_json(path, {"documents": result.documents, "note": result.note, **result.scores.to_dict()})
    print(f"scores: {path}")
    if problems.counts:
        _show(problems)


def predict(config: Config, options: argparse.Namespace) -> None:
    """`--mode predict`."""
    from tqdm import tqdm

    from model import load_tagger
    from utils.postprocess.process import PredictionWriter
    from utils.preprocess.formats import read_texts
    from utils.tools import atomic_file, peak_memory_mib

    problems = Problems()
    source = None if options.input in (None, "-") else Path(options.input)
    texts = read_texts(source, None if source else sys.stdin, problems)
    folder = Path(options.output) if options.output else config.run_folder / "predictions"
    tagger = load_tagger(config.run_folder, folds=None if options.fold is None else [options.fold])
    _apply_prediction_settings(tagger.config, config, options)
    started = time.perf_counter()
    documents = characters = spans = 0
    with (
        atomic_file(folder / "predict.jsonl") as lines_path,
        atomic_file(folder / "predict.csv") as table_path,
        lines_path.open("w", encoding="utf-8", newline="\n") as lines,
        table_path.open("w", encoding="utf-8", newline="") as table,
    ):
        writer = PredictionWriter(lines, table)
        for document, found in tqdm(tagger.predict_documents(texts), "predict", unit="doc", delay=1):
            writer.write(document, found)
            documents, characters, spans = documents + 1, characters + len(document.text), spans + len(found)
    seconds = time.perf_counter() - started
    memory = peak_memory_mib()
    print(f"{documents} documents, {characters} characters, {spans} spans in {seconds:.1f} s"
          + (f", {memory:.0f} MiB" if memory else ""))  # fmt: skip
    print(f"predictions: {folder / 'predict.jsonl'} and {folder / 'predict.csv'}")
    if problems.counts:
        _show(problems)


def _apply_prediction_settings(own: Config, given: Config, options: argparse.Namespace) -> None:
    """A run predicts with the settings it was trained with; only what the command line sets is changed."""
    for override in options.set or []:
        section, _, name = override.partition("=")[0].partition(".")
        if section == "predict":
            setattr(own.predict, name, getattr(given.predict, name))


def _show(problems: Problems) -> None:
    for message in problems.messages[:20]:
        print(f"  {message}")
    print(problems.summary())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Train, score and use a tagger for Chinese entities.")
    parser.add_argument("--mode", required=True, choices=["train", "eval", "predict"])
    parser.add_argument("--config", action="append", metavar="FILE", help="settings; may be given more than once")
    parser.add_argument("--set", action="append", metavar="KEY=VALUE", help="one setting, e.g. train.epochs=5")
    parser.add_argument("--fold", type=int, help="train: this fold alone; predict: with this fold alone")
    parser.add_argument("--resume", action="store_true", help="train: go on where a stopped run was")
    parser.add_argument("--split", choices=["dev", "test"], default="dev", help="eval: which part")
    parser.add_argument("--input", metavar="PATH", help="predict: folder or zip of .txt, a .txt, a .jsonl, or - for "
                        "lines on standard input; eval: any labelled corpus")  # fmt: skip
    parser.add_argument("--labels", metavar="PATH", help="eval: folder or zip of N.csv that belongs to --input")
    parser.add_argument("--format", default="auto", choices=["auto", "ccf", "cluener", "bmes", "jsonl"])
    parser.add_argument("--output", metavar="FOLDER", help="predict: where to write; default: the run's predictions/")
    return parser


if __name__ == "__main__":
    sys.exit(main())
