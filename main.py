"""Command line: train a tagger, score it, read texts with it.

    python main.py --mode train    --config configs/demo.yaml
    python main.py --mode eval     --config configs/demo.yaml
    python main.py --mode predict  --config configs/demo.yaml --input texts --output out
    python main.py --mode pretrain --config configs/ccf_small.yaml
    python main.py --mode ablate   --config configs/demo.yaml --grid configs/grids/demo.yaml --seeds 3
    python main.py --mode compare  --config configs/demo.yaml --configs configs/systems/{encoder_crf,flat}.yaml
    python main.py --mode denoise  --config configs/demo.yaml --set folds.count=5
    python main.py --mode pipeline --config configs/ccf_small.yaml --set folds.count=5 --dry-run
    python main.py --mode dictionary --config configs/dictionary_demo.yaml

Exit status 0, or 2 with one line on standard error, or 130 after Ctrl-C.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from config import Config, CorpusConfig, CorpusFormat, load_config
from data.corpus.document import Problems
from utils.command_line import Parser, run_command
from utils.errors import UserError

if TYPE_CHECKING:
    from experiments.comparison.grid import SystemSettings
    from model.run_folder import RunParts


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    return run_command("main.py", lambda: _run(arguments), "--mode train goes on with --resume")


def _run(arguments: list[str] | None) -> None:
    options = _parser().parse_args(arguments)
    _refuse_flags_of_other_modes(options)
    config = load_config(options.config, options.set)
    modes = {"train": train, "eval": evaluate, "predict": predict, "pretrain": pretrain, "ablate": ablate,
             "compare": compare, "denoise": denoise, "pipeline": denoise,
             "dictionary": learn_from_dictionary}  # fmt: skip
    modes[options.mode](config, options)


def train(config: Config, options: argparse.Namespace) -> None:
    """`--mode train`."""
    from data.processed import load_processed
    from model.run_folder import selected_epoch
    from model.training.folds import train as train_folds

    metrics = train_folds(config, load_processed(config), options.fold, options.resume)
    if like := max(fold["train_documents_like_dev"] for fold in metrics):
        print(f"{like} training texts are near-duplicates of dev texts; the dev score flatters by so much")
    for fold in metrics:
        shown = selected_epoch(fold)
        score = f"dev P {shown['precision']:.4f} R {shown['recall']:.4f} F1 {shown['f1']:.4f}" if "f1" in shown else ""
        print(f"fold {fold['fold']}: {len(fold['history'])} epochs in {fold['train_seconds']:.0f} s; "
              f"{fold['selected']} epoch {shown['epoch']}: {score or 'no dev part'}")  # fmt: skip
    print(f"run: {config.run_folder}")


def evaluate(config: Config, options: argparse.Namespace) -> None:
    """`--mode eval`."""
    from model.reading.evaluation import score_corpus, score_split
    from model.run_folder import reading_settings
    from utils.files import check_writable, write_json

    problems = Problems()
    runs = _open_runs(config, options)
    folder = Path(options.output) if options.output else runs[0].folder / "eval"
    check_writable(folder)
    only = None if options.fold is None else [options.fold]
    if options.input:
        corpus = CorpusConfig(options.input, options.labels or "", options.format or "auto")
        name, result = f"corpus-{Path(options.input).stem}", score_corpus(runs, corpus, problems, only)
    else:
        name = options.split or "dev"
        result = score_split(runs, name, only)
    print(result.scores.table())
    if result.note:
        print(result.note)
    of = {"corpus": options.input or name, "documents": len(result.documents), "digest": result.digest,
          "note": result.note, "settings": reading_settings(runs[0].config)}  # fmt: skip
    # Right, predicted and labelled spans of each document, for comparisons of systems.
    counts = [[one.right, one.predicted, one.labelled] for one in result.by_document]
    write_json(folder / f"{name}.json", of | result.scores.to_dict() | {"by_document": counts})
    print(f"scores: {folder / name}.json")
    if problems.found:
        print(problems.report())


def predict(config: Config, options: argparse.Namespace) -> None:
    """`--mode predict`."""
    from tqdm import tqdm

    from data.corpus.formats import read_texts
    from model.reading.mixture import mixture_of
    from model.reading.vote import PredictionWriter
    from utils.files import atomic_file, check_writable
    from utils.memory import peak_memory_mib

    problems = Problems()
    source = None if options.input in (None, "-") else Path(options.input)
    if source is None and sys.stdin is None:
        raise UserError("no --input, and standard input is closed; give a folder or zip of .txt, a .txt or a .jsonl")
    texts = read_texts(source, None if source else sys.stdin, problems)
    runs = _open_runs(config, options)
    folder = Path(options.output) if options.output else runs[0].folder / "predictions"
    check_writable(folder)
    reader = mixture_of(runs, None if options.fold is None else [options.fold])
    if source is None and sys.stdin.isatty():
        print("reading a text from each line that you type; end with Ctrl-D, or give --input")
    started = time.perf_counter()
    documents = characters = spans = 0
    with (
        atomic_file(folder / "predict.jsonl") as lines_path,
        atomic_file(folder / "predict.csv") as table_path,
        lines_path.open("w", encoding="utf-8", newline="\n") as lines,
        table_path.open("w", encoding="utf-8", newline="") as table,
    ):
        writer = PredictionWriter(lines, table)
        for document, found in tqdm(reader.predict_documents(texts), "predict", unit="doc", delay=1):
            writer.write(document, found)
            documents, characters, spans = documents + 1, characters + len(document.text), spans + len(found)
        if not documents and problems.counts:
            raise UserError(f"{source}: no line with a text in it ({problems.summary()}); give JSON lines with text")
    seconds = time.perf_counter() - started
    memory = peak_memory_mib()
    print(f"{documents} documents, {characters} characters, {spans} spans in {seconds:.1f} s"
          + (f", {memory:.0f} MiB" if memory else ""))  # fmt: skip
    print(f"predictions: {folder / 'predict.jsonl'} and {folder / 'predict.csv'}")
    if problems.found:
        print(problems.report())


def pretrain(config: Config, options: argparse.Namespace) -> None:
    """`--mode pretrain`."""
    from data.processed import load_processed
    from model.training.pretraining import pretrain as pretrain_encoder

    done = pretrain_encoder(config, load_processed(config))
    print(f"{config.pretrain.epochs} epochs over {done.characters} characters in {done.seconds:.0f} s; loss per hidden "
          f"character of unseen segments {done.before:.3f} before, {done.after:.3f} after")  # fmt: skip
    print(f"encoder: {config.pretrained_folder}; use it with --set encoder.name={config.pretrained_folder}")


def ablate(config: Config, options: argparse.Namespace) -> None:
    """`--mode ablate`."""
    from experiments.comparison.grid import systems_of_grid

    if options.grid is None:
        raise UserError("--mode ablate needs --grid FILE, the systems to compare; some are shipped in configs/grids/")
    grid, folder = Path(options.grid), _comparison_folder(config, options, "ablation")
    systems = systems_of_grid(grid, options.config or [], options.set or [])
    _compare(systems, folder, f"{grid.stem}, {folder.name}", options)


def compare(config: Config, options: argparse.Namespace) -> None:
    """`--mode compare`."""
    from experiments.comparison.comparison import system_costs
    from experiments.comparison.grid import systems_of_configs

    if not options.configs:
        raise UserError("--mode compare needs --configs FILE ..., one for each system; some are in configs/systems/")
    folder = _comparison_folder(config, options, "comparison")
    systems = systems_of_configs(options.configs, options.config or [], options.set or [], folder)
    _compare(systems, folder, folder.name, options, costs=system_costs)


def _comparison_folder(config: Config, options: argparse.Namespace, kind: str) -> Path:
    return Path(options.output) if options.output else Path(config.run.folder) / f"{config.run.name}_{kind}"


def _compare(
    systems: dict[str, SystemSettings], folder: Path, title: str, options: argparse.Namespace, **more: Any
) -> None:
    """Train and score systems, and show the table."""
    from experiments.comparison.comparison import Comparison

    seeds, jobs = (default if given is None else given for given, default in ((options.seeds, 3), (options.jobs, 1)))
    if jobs < 1:
        raise UserError(f"--jobs {jobs}: at least one cell has to run at a time")
    print(Comparison(systems, seeds, folder, title, **more).run(jobs))
    print(f"table: {folder / 'table.md'}, .csv and .png")


def denoise(config: Config, options: argparse.Namespace) -> None:
    """`--mode denoise` and `--mode pipeline`."""
    from experiments.denoising.plan import Denoise
    from experiments.stages import Plan
    from utils.files import check_writable

    work = Denoise(config)
    plan = Plan(work.folder, work.pipeline() if options.mode == "pipeline" else work.denoise())
    if options.dry_run:
        print("\n".join(plan.describe()))
        return
    check_writable(work.folder)
    plan.run()
    print(work.scores(plan.stages))
    decisions = work.folder / f"round{config.denoise.rounds}" / "decisions.csv"
    print(f"decisions: {decisions} and .html; correct the CSV and give the same command again to train on what you say")


def learn_from_dictionary(config: Config, options: argparse.Namespace) -> None:
    """`--mode dictionary`."""
    from experiments.dictionary.command import learn

    problems = Problems()
    print(learn(config, problems))
    print(f"results: {config.dictionary_folder}")
    if problems.found:
        print(problems.report())


def _open_runs(config: Config, options: argparse.Namespace) -> list[RunParts]:
    """The trained run, or those of --runs, with their own settings but for what the command line may change of them."""
    from model.run_folder import open_run

    opened = []
    for path in map(Path, options.runs or [config.run_folder]):
        if path.name in ("", ".."):  # as --runs . has it, and a run goes by its name
            path = Path(os.path.abspath(path))
        run, without_effect = open_run(path, options.config, options.set, among_others=bool(options.runs))
        if without_effect:
            print(f"{path} keeps the settings it was trained with, whatever the files now say of "
                  + ", ".join(without_effect))  # fmt: skip
        _say_what_is_not_trained(run, options.fold)
        opened.append(run)
    return opened


def _say_what_is_not_trained(run: RunParts, fold: int | None) -> None:
    """The best weights so far are there after the first epoch, and the first folds before the last."""
    from model.reading.tagger import files_of_folds
    from model.run_folder import fold_folder
    from model.training.callbacks.checkpoint import epochs_done

    trained, wanted = files_of_folds(run, None if fold is None else [fold]), max(run.config.folds.count, 1)
    for folder in (fold_folder(run.folder, one) for one in trained):
        if not (folder / "metrics.json").exists():
            print(f"{folder}: training was not finished: epoch {epochs_done(folder)} of {run.config.train.epochs}")
    if fold is None and len(trained) < wanted:
        print(f"{run.folder}: of {wanted} folds there is only fold {', '.join(map(str, trained))}")


def _refuse_flags_of_other_modes(options: argparse.Namespace) -> None:
    """A flag that would change nothing is a mistake."""
    modes = {"fold": "train eval predict", "resume": "train", "split": "eval", "input": "eval predict",
             "runs": "eval predict", "labels": "eval", "format": "eval", "output": "eval predict ablate compare",
             "grid": "ablate", "configs": "compare", "seeds": "ablate compare", "jobs": "ablate compare",
             "dry_run": "denoise pipeline"}  # fmt: skip
    for flag, of in modes.items():
        value = getattr(options, flag)
        given = value is not None and value is not False  # 0 is given, and equals False
        if given and options.mode not in of.split():
            name = flag.replace("_", "-")
            raise UserError(f"--{name} does not belong to --mode {options.mode}, but to {' and '.join(of.split())}")
    if options.input is None and (options.labels or options.format):
        raise UserError("--labels and --format describe --input, which is not given")
    if options.runs and not options.output:
        raise UserError("--runs: the result belongs to no run alone, so say with --output FOLDER where to write it")
    if options.input is not None and options.split:
        raise UserError("--split scores a part of the run's own data and --input another corpus; give one of them")


def _parser() -> Parser:
    parser = Parser(description="Train, score and use a tagger for Chinese entities.")
    modes = ["train", "eval", "predict", "pretrain", "ablate", "compare", "denoise", "pipeline", "dictionary"]
    parser.add_argument("--mode", required=True, choices=modes)
    parser.add_argument("--config", action="append", metavar="FILE", help="settings; may be given more than once")
    parser.add_argument("--set", action="append", metavar="KEY=VALUE", help="one setting, e.g. train.epochs=5")
    parser.add_argument("--fold", type=int, help="this fold alone")
    parser.add_argument("--resume", action="store_true", help="train: go on where a stopped run was")
    parser.add_argument("--split", choices=["dev", "test"], help="eval: which part; default: dev")
    parser.add_argument("--input", metavar="PATH", help="predict: folder or zip of .txt, a .txt, a .jsonl, or - for "
                        "lines on standard input; eval: any labelled corpus")  # fmt: skip
    parser.add_argument("--labels", metavar="PATH", help="eval: folder or zip of N.csv that belongs to --input")
    parser.add_argument("--format", choices=get_args(CorpusFormat),
                        help="eval: of --input; default: auto")  # fmt: skip
    parser.add_argument("--runs", nargs="+", metavar="FOLDER",
                        help="eval, predict: trained runs that vote (settings mix.*)")  # fmt: skip
    parser.add_argument("--output", metavar="FOLDER", help="predict, eval: where to write; default: the run's "
                        "predictions/ or eval/; ablate, compare: cells and tables; default: the run's folder "
                        "with _ablation or _comparison")  # fmt: skip
    parser.add_argument("--grid", metavar="FILE", help="ablate: systems and what each changes")
    parser.add_argument("--configs", nargs="+", metavar="FILE", help="compare: a file for each system, whose settings "
                        "are read after those of --config")  # fmt: skip
    parser.add_argument("--seeds", type=int, metavar="N", help="ablate, compare: seeds 1 to N; default: 3")
    parser.add_argument("--dry-run", action="store_true", help="denoise, pipeline: say what would be done, and stop")
    parser.add_argument("--jobs", type=int, metavar="N", help="ablate, compare: so many cells at a time; default: 1")
    return parser


if __name__ == "__main__":
    sys.exit(main())
