"""Command line: train a tagger, score it, read texts with it.

    python main.py --mode train    --config configs/demo.yaml
    python main.py --mode eval     --config configs/demo.yaml
    python main.py --mode predict  --config configs/demo.yaml --input texts --output out
    python main.py --mode tune     --runs runs/flat runs/forms --output mix.yaml
    python main.py --mode pretrain --config configs/ccf_small.yaml
    python main.py --mode convert-encoder --input hfl/rbt3 --output data/encoders/rbt3
    python main.py --mode package-run --config configs/demo.yaml --output demo_to_give
    python main.py --mode ablate   --config configs/demo.yaml --grid configs/grids/demo.yaml --seeds 3
    python main.py --mode compare  --config configs/demo.yaml --configs configs/systems/{encoder_crf,flat}.yaml
    python main.py --mode denoise  --config configs/demo.yaml --set folds.count=5
    python main.py --mode pipeline --config configs/ccf_small.yaml --set folds.count=5 --dry-run
    python main.py --mode dictionary --config configs/dictionary_demo.yaml

Exit status 0, or 2 with a line for each mistake on standard error, or 130 after Ctrl-C.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from config import Config, CorpusConfig, CorpusFormat, load_config
from data.corpus.size_limit import files_up_to
from data.problems import Problems
from utils.command_line import Command, Parser, add_settings_flags, run_chosen, run_command
from utils.errors import UserError, nearest
from utils.files import check_writable, private_files, write_json

if TYPE_CHECKING:
    from experiments.comparison.grid import SystemSettings
    from model.reading.evaluation import Evaluation
    from model.run_folder import RunParts


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    given = sys.argv[1:] if arguments is None else arguments
    return run_command("main.py", lambda: _run(given), "--mode train goes on with --resume")


def train(config: Config, options: argparse.Namespace) -> None:
    """`--mode train`."""
    from model.prepare import load_or_make, print_unheld
    from model.run_folder import selected_epoch
    from model.start_from import open_start
    from model.training.folds import train as train_folds
    from model.training.replacement import refuse_to_lose

    if options.resume and options.overwrite:
        raise UserError("--resume keeps what is trained and --overwrite replaces it; give one of them")
    check_writable(config.run_folder)  # before the processed data is made
    if not (options.resume or options.overwrite):
        refuse_to_lose(config.run_folder, None if options.fold is None else [options.fold])
    if config.train.start_from and not options.resume:
        open_start(config)  # its mistakes come before the work, too
    processed = load_or_make(config)
    print_unheld(config, processed)
    metrics = train_folds(config, processed, options.fold, options.resume, options.overwrite, report=print)
    if like := max(fold["train_documents_like_dev"] for fold in metrics):
        print(f"{like} training texts nearly duplicate dev texts, so the dev score is optimistic")
    for fold in metrics:
        shown = selected_epoch(fold)
        scores = [f"{part} P {shown[f'{of}precision']:.4f} R {shown[f'{of}recall']:.4f} F1 {shown[f'{of}f1']:.4f}"
                  for part, of in (("dev", ""), ("gold_a", "gold_a_"), ("gold_b", "gold_b_"))
                  if f"{of}f1" in shown]  # fmt: skip
        epochs = f"{len(fold['history'])} epoch{'s' * (len(fold['history']) != 1)}"
        print(f"fold {fold['fold']}: {epochs} in {fold['train_seconds']:.0f} s; "
              f"{fold['selected']} epoch {shown['epoch']}: {'; '.join(scores) or 'no dev part'}")  # fmt: skip
    print(f"run: {config.run_folder}")


def evaluate(config: Config, options: argparse.Namespace) -> None:
    """`--mode eval`."""
    from model.reading.evaluation import score_corpus, score_gold, score_split

    problems = Problems()
    runs = _open_runs(config, options)
    folder = Path(options.output) if options.output else runs[0].folder / "eval"
    check_writable(folder)
    only = None if options.fold is None else [options.fold]
    if options.input:
        corpus = CorpusConfig(path=options.input, labels=options.labels or "", format=options.format or "auto",
                              text_key=options.text_key or "")  # fmt: skip
        name, result = f"corpus-{Path(options.input).stem}", score_corpus(runs, corpus, problems, only)
    else:
        name = options.split or "dev"
        result = score_split(runs, name, only)
    _write_scores(folder, name, options.input or name, result, runs[0].config)
    if not options.input and name == "dev" and runs[0].config.data.gold:
        for half in ("gold_a", "gold_b"):
            _write_scores(folder, half, half, score_gold(runs, half, only), runs[0].config)
    if problems.found:
        print(problems.report())


def _write_scores(folder: Path, name: str, corpus: str, result: Evaluation, config: Config) -> None:
    """Print scores, and write them with what comparisons need: right, predicted and labelled spans of each document."""
    from model.run_settings import reading_settings

    print(result.scores.table(name))
    if result.note:
        print(result.note)
    of = {"corpus": corpus, "documents": len(result.documents), "digest": result.digest, "note": result.note,
          "settings": reading_settings(config)}  # fmt: skip
    counts = [[one.right, one.predicted, one.labelled] for one in result.by_document]
    write_json(folder / f"{name}.json", of | result.scores.to_dict() | {"by_document": counts})
    print(f"scores: {folder / name}.json")


def tune(config: Config, options: argparse.Namespace) -> None:
    """`--mode tune`."""
    from experiments.tune import tune as tune_mix

    if options.output is None:
        raise UserError("--mode tune needs --output FILE, the settings to write, such as mix.yaml")
    output = Path(options.output)
    check_writable(output.parent)
    problems = Problems()
    corpus = CorpusConfig(path=options.input or "", labels=options.labels or "", format=options.format or "auto",
                          text_key=options.text_key or "")  # fmt: skip
    print(tune_mix(_open_runs(config, options), output, corpus, problems))
    print(f"settings: {output}; give them to eval and predict with --config")
    if problems.found:
        print(problems.report())


def predict(config: Config, options: argparse.Namespace) -> None:
    """`--mode predict`."""
    from tqdm import tqdm

    from data.corpus.input_texts import read_texts
    from model.reading.mixture import mixture_of
    from model.reading.prediction_files import prediction_files
    from utils.memory import peak_memory_mib

    problems = Problems()
    source = None if options.input in (None, "-") else Path(options.input)
    if source is None and sys.stdin is None:
        raise UserError("no --input, and standard input is closed; give a folder or zip of .txt, a .txt or a .jsonl")
    texts = read_texts(source, None if source else sys.stdin, problems, options.text_key or "")
    runs = _open_runs(config, options)
    folder = Path(options.output or f"{runs[0].folder}_predictions")  # a run's folder may be given away
    check_writable(folder)
    reader = mixture_of(runs, None if options.fold is None else [options.fold])
    if source is None and sys.stdin.isatty():
        print("each line that you type is read as one text; end with Ctrl-D, or give --input")
    started = time.perf_counter()
    documents = characters = spans = 0
    model = "+".join(run.folder.name for run in runs)
    with prediction_files(folder, model, options.format) as files:
        for document, found in tqdm(reader.predict_documents(texts), "predict", unit="doc", delay=1):
            files.write(document, found)
            documents, characters, spans = documents + 1, characters + len(document.text), spans + len(found)
        if not documents and problems.counts:
            first = f"; first {problems.messages[0]}" if problems.messages else ""
            raise UserError(f"{source}: no text in it ({problems.summary()}{first}); name its key with --text-key")
    seconds = time.perf_counter() - started
    memory = peak_memory_mib()
    print(f"{documents} documents, {characters} characters, {spans} spans in {seconds:.1f} s"
          + (f", {memory:.0f} MiB" if memory else ""))  # fmt: skip
    print(f"predictions: {' and '.join(map(str, files.paths))}")
    if problems.found:
        print(problems.report())


def pretrain(config: Config, options: argparse.Namespace) -> None:
    """`--mode pretrain`."""
    from model.training.pretraining import pretrain as pretrain_encoder

    done = pretrain_encoder(config, go_on=options.resume)
    print(f"{config.pretrain.epochs} epochs over {done.characters} characters in {done.seconds:.0f} s; loss per hidden "
          f"character of unseen segments {done.before:.3f} before, {done.after:.3f} after")  # fmt: skip
    print(f"encoder: {config.pretrained_folder}; use it with --set encoder.name={config.pretrained_folder}")


def convert_encoder(config: Config, options: argparse.Namespace) -> None:
    """`--mode convert-encoder`."""
    from model.encoder_conversion import convert_encoder as convert

    if options.input is None:
        raise UserError("--mode convert-encoder needs --input, the folder or hub id of an encoder")
    done = convert(options.input, Path(options.output) if options.output else None)
    print(f"encoder: {done.folder}, {done.tensors} tensors, {done.size / 2**20:.1f} MiB; "
          f"use it with --set encoder.name={done.folder}")  # fmt: skip


def package_run(config: Config, options: argparse.Namespace) -> None:
    """`--mode package-run`."""
    from model.package_run import package_run as package

    if options.output is None:
        raise UserError("--mode package-run needs --output FOLDER, the copy to make")
    done = package(config.run_folder, Path(options.output))
    folds = f"fold {', '.join(map(str, done.folds))}"
    print(f"package: {options.output}, {folds}, {done.size / 2**20:.1f} MiB; no predictions, logs, events or paths")
    for warning in done.warnings:
        print(f"  {warning}")


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

    if options.jobs < 1:
        raise UserError(f"--jobs must be at least 1, not {options.jobs}")
    print(Comparison(systems, options.seeds, folder, title, **more).run(options.jobs))
    print(f"table: {folder / 'table.md'}, .csv and .png")


def denoise(config: Config, options: argparse.Namespace) -> None:
    """`--mode denoise` and `--mode pipeline`."""
    from data.processed import load_processed
    from experiments.denoising.plan import Denoise
    from experiments.stages import Plan

    work = Denoise(config, load_processed) if options.dry_run else Denoise(config)  # a dry run makes nothing
    plan = Plan(work.folder, work.pipeline() if options.mode == "pipeline" else work.denoise())
    if options.dry_run:
        print("\n".join(plan.describe()))
        return
    check_writable(work.folder)
    plan.run()
    print(work.scores(plan.stages))
    decisions = work.folder / f"round{config.denoise.rounds}" / "decisions.csv"
    print(f"decisions: {decisions} and .html; correct the CSV and run the command again to train on your decisions")


def learn_from_dictionary(config: Config, options: argparse.Namespace) -> None:
    """`--mode dictionary`."""
    from experiments.dictionary.command import learn

    problems = Problems()
    print(learn(config, problems))
    print(f"results: {config.dictionary_folder}")
    if problems.found:
        print(problems.report())


def _open_runs(config: Config, options: argparse.Namespace) -> list[RunParts]:
    """The trained run, or those of --runs. They keep their settings, except those that the command line may change."""
    from model.run_settings import open_run

    opened = []
    for path in map(Path, options.runs or [config.run_folder]):
        if path.name in ("", ".."):  # the name of a run is needed, which "." does not have
            path = Path(os.path.abspath(path))
        run, without_effect = open_run(path, options.config, options.set, among_others=bool(options.runs))
        if without_effect:
            print(f"{path} keeps the settings it was trained with; the files have no effect on "
                  + ", ".join(without_effect))  # fmt: skip
        _report_unfinished_training(run, getattr(options, "fold", None))
        opened.append(run)
    return opened


def _report_unfinished_training(run: RunParts, fold: int | None) -> None:
    """Say which folds are missing or have not reached their last epoch. A run can be read after its first epoch."""
    from model.reading.tagger import files_of_folds
    from model.run_folder import fold_folder
    from model.training.callbacks.checkpoint import epochs_done

    trained, wanted = files_of_folds(run, None if fold is None else [fold]), max(run.config.folds.count, 1)
    for folder in (fold_folder(run.folder, one) for one in trained):
        if not (folder / "metrics.json").exists():
            print(f"{folder}: training was not finished: epoch {epochs_done(folder)} of {run.config.train.epochs}")
    if fold is None and len(trained) < wanted:
        print(f"{run.folder}: not all {wanted} folds are trained, only fold {', '.join(map(str, trained))}")


# ------------------------------------------------------------------------------------------------------- command line


def _no_flags(parser: Parser) -> None:
    """For modes that take only settings."""


def _train_flags(parser: Parser) -> None:
    parser.add_argument("--fold", type=int, metavar="N", help="train this fold only")
    parser.add_argument("--resume", action="store_true", help="continue a stopped training")
    parser.add_argument("--overwrite", action="store_true", help="replace a finished training")


def _pretrain_flags(parser: Parser) -> None:
    parser.add_argument("--resume", action="store_true", help="continue a stopped pretraining")


def _reading_flags(parser: Parser) -> None:
    parser.add_argument("--fold", type=int, metavar="N", help="read with this fold only")
    _runs_flag(parser)


def _runs_flag(parser: Parser) -> None:
    parser.add_argument("--runs", nargs="+", metavar="FOLDER", help="trained runs that decide together; see mix.*")


def _labelled_flags(parser: Parser) -> None:
    parser.add_argument("--labels", metavar="PATH", help="folder or zip of N.csv with the labels of --input")
    parser.add_argument("--format", choices=get_args(CorpusFormat), help="format of --input; default: auto")
    parser.add_argument("--text-key", metavar="KEY", help="key of the text in --input; default: text")


def _eval_flags(parser: Parser) -> None:
    _reading_flags(parser)
    parser.add_argument("--split", choices=["dev", "test"], help="part of the run's own data; default: dev")
    parser.add_argument("--input", metavar="PATH", help="score on this labelled corpus instead of a split")
    _labelled_flags(parser)
    parser.add_argument("--output", metavar="FOLDER", help="for the scores; default: eval/ in the run's folder")


def _tune_flags(parser: Parser) -> None:
    _runs_flag(parser)
    parser.add_argument("--input", metavar="PATH", help="choose on this labelled corpus; default: gold_a of the runs")
    _labelled_flags(parser)
    parser.add_argument("--output", metavar="FILE", help="the settings to write, for --config of eval and predict")


def _predict_flags(parser: Parser) -> None:
    _reading_flags(parser)
    inputs = "folder or zip of .txt, a .txt, .jsonl, .json, .csv or .tsv, or - for standard input; default: -"
    parser.add_argument("--input", metavar="PATH", help=inputs)
    parser.add_argument("--text-key", metavar="KEY", help="key or column of the text in --input; default: text")
    parser.add_argument("--output", metavar="FOLDER", help="default: the run's folder with _predictions")
    tools = "also write a file that the annotation tool imports, to correct the predictions there"
    parser.add_argument("--format", choices=["doccano", "labelstudio"], help=tools)


def _conversion_flags(parser: Parser) -> None:
    parser.add_argument("--input", metavar="PATH", help="folder or model-hub id with pytorch_model.bin")
    folder = "the new folder; default: the input's with _safetensors, or data/encoders/ID for a hub id"
    parser.add_argument("--output", metavar="FOLDER", help=folder)


def _package_flags(parser: Parser) -> None:
    parser.add_argument("--output", metavar="FOLDER", help="the copy to make")


def _comparison_flags(parser: Parser) -> None:
    parser.add_argument("--seeds", type=int, default=3, metavar="N", help="train with seeds 1 to N; default: 3")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="train this many at a time; default: 1")
    folder = "for runs and tables; default: the run's folder with _ablation or _comparison"
    parser.add_argument("--output", metavar="FOLDER", help=folder)


def _ablate_flags(parser: Parser) -> None:
    parser.add_argument("--grid", metavar="FILE", help="names of systems and the settings each changes")
    _comparison_flags(parser)


def _compare_flags(parser: Parser) -> None:
    parser.add_argument("--configs", nargs="+", metavar="FILE", help="one file per system, read after --config")
    _comparison_flags(parser)


def _denoise_flags(parser: Parser) -> None:
    parser.add_argument("--dry-run", action="store_true", help="print what would be done, and stop")


MODES: dict[str, tuple[str, Callable[[Config, argparse.Namespace], None], Callable[[Parser], None]]] = {
    "train": ("train a run: one network, or one for each fold", train, _train_flags),
    "eval": ("score a trained run on its dev or test part, or on another corpus", evaluate, _eval_flags),
    "tune": ("choose on gold labels how runs decide together: weights and thresholds", tune, _tune_flags),
    "predict": ("find spans in texts with a trained run", predict, _predict_flags),
    "pretrain": ("continue the pretraining of an encoder on the corpora's raw text", pretrain, _pretrain_flags),
    "convert-encoder": ("convert an encoder's pickled weights to safetensors", convert_encoder, _conversion_flags),
    "package-run": ("copy a trained run without predictions, logs and paths", package_run, _package_flags),
    "ablate": ("train variants of one configuration with several seeds and compare them", ablate, _ablate_flags),
    "compare": ("train several systems with several seeds and compare them", compare, _compare_flags),
    "denoise": ("find wrong labels by cross-validation and train on the cleaned ones", denoise, _denoise_flags),
    "pipeline": ("denoise, label the unlabelled texts, train on both and predict", denoise, _denoise_flags),
    "dictionary": ("learn from a dictionary and raw text instead of labels", learn_from_dictionary, _no_flags),
}


def _command(mode: str) -> Command:
    about, work, add_flags = MODES[mode]

    def add_all_flags(parser: Parser) -> None:
        parser.add_argument("--mode", choices=[mode], help=argparse.SUPPRESS)
        add_settings_flags(parser, "train.epochs=5")
        add_flags(parser)

    def run(options: argparse.Namespace) -> None:
        _refuse_flags_without_effect(options)
        config = load_config(options.config, options.set)
        with private_files(config.run.shared), files_up_to(config.data.largest_file):
            work(config, options)

    return Command(about, run, add_all_flags)


def _run(arguments: Sequence[str]) -> None:
    chooser = Parser(add_help=False)
    chooser.add_argument("--mode")
    mode = chooser.parse_known_args(arguments)[0].mode
    if mode is not None and mode not in MODES:
        raise UserError(f"--mode {mode}: no such mode{nearest(mode, MODES)}")
    commands = {f"--mode {name}": _command(name) for name in MODES}
    about = "Train, score and use a tagger for Chinese entities."
    chosen = None if mode is None else f"--mode {mode}"
    run_chosen("main.py", about, commands, chosen, arguments)


def _refuse_flags_without_effect(options: argparse.Namespace) -> None:
    given = vars(options)
    of_input = ("labels", "text_key") if options.mode == "predict" else ("labels", "format", "text_key")
    if given.get("input") is None and any(map(given.get, of_input)):
        raise UserError("--labels, --format and --text-key describe --input, which is not given")
    if given.get("runs") and not given.get("output"):
        raise UserError("--runs: the result belongs to no single run; name a place for it with --output")
    if given.get("input") is not None and given.get("split"):
        raise UserError("--split scores a part of the run's own data and --input another corpus; give one of them")


if __name__ == "__main__":
    sys.exit(main())
