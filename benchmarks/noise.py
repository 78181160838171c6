"""Measures how much F1 wrong labels cost, and how much of it each remedy recovers.

    python benchmarks/noise.py --config configs/resume_small.yaml --set folds.count=4 --noise missing=0.3 \
        --noise type=0.15 --seeds 3 --output runs/noise_resume

Run preprocess.py with the same settings first. This trains on the true labels, on labels with errors, and on these with
each remedy. The scores are F1 on the dev part, which has no errors, with mean and spread over seeds. Finished trainings
are kept, so each corpus needs its own --output. With --thresholds a second table shows what other values of
denoise.missing_from would find in the same votes.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from data.metrics import Score
from data.noise.noise import NoiseRates
from experiments.comparison.grid import read_grid
from experiments.noise_study import NoiseStudy
from utils.command_line import Parser, run_command
from utils.errors import UserError


def main(arguments: list[str] | None = None) -> int:
    """Train what is not trained yet, and print the tables; returns the exit status."""
    return run_command("noise.py", lambda: _run(_parser().parse_args(arguments)), "the same command goes on")


def _run(options: argparse.Namespace) -> None:
    study = NoiseStudy(options.config or [], options.set or [], read_grid(Path(options.remedies)), options.documents,
                       Path(options.output))  # fmt: skip
    seeds = range(1, options.seeds + 1)
    noises = {text.replace(" ", "_"): rates_of(text) for text in options.noise}
    rows: dict[tuple[str, str], list[dict]] = {}
    for seed in seeds:
        rows.setdefault(("", "clean"), []).append(study.clean(seed))
        for name, rates in noises.items():
            for system, result in study.noisy(name, rates, seed).items():
                rows.setdefault((name, system), []).append(result)
        print(table(rows, list(noises)), flush=True)
    if options.thresholds:
        print(threshold_table(study, list(noises), seeds, options.thresholds))


def rates_of(text: str) -> NoiseRates:
    """The rates of a text like `missing=0.3 type=0.1`.

    Raises:
        UserError: the text has another form, or a rate is out of bounds.
    """
    try:
        return NoiseRates(**{kind: float(rate) for kind, rate in (pair.split("=") for pair in text.split())})
    except (ValueError, TypeError):
        raise UserError(f"--noise {text!r}: expected kinds and rates like 'missing=0.3 type=0.1'") from None


def table(rows: dict[tuple[str, str], list[dict]], noises: list[str]) -> str:
    """A Markdown table: F1 of every system, the share of the loss it recovers, and how well it finds wrong labels."""
    clean = rows["", "clean"]
    lines = ["| noise | system | seeds | P | R | F1 | won back | detection P | detection R |",
             "|---|---|---|---|---|---|---|---|---|",
             f"| none | clean | {len(clean)} | {_scores(clean)} | | | |"]  # fmt: skip
    for noise in noises:
        noisy = rows.get((noise, "noisy"), [])
        systems = [system for name, system in rows if name == noise and system != "noisy"]
        if noisy:
            lines.append(f"| {noise} | noisy | {len(noisy)} | {_scores(noisy)} | | | |")
        for system in systems:
            own = rows[noise, system]
            back, found = won_back(clean, noisy, own), _detection([Score(**one["detection"]) for one in own])
            lines.append(f"| {noise} | {system} | {len(own)} | {_scores(own)} | {back} | {found} |")
    return "\n".join(lines) + "\n"


def threshold_table(study: NoiseStudy, noises: list[str], seeds: Sequence[int], thresholds: list[float]) -> str:
    """A Markdown table by denoise.missing_from: precision and recall of the decisions, and how many are right.

    The last two columns count over all seeds.
    """
    lines = ["| noise | missing from | detection P | detection R | doubtful | missing |", "|---|---|---|---|---|---|"]
    for noise in noises:
        of_seeds = [study.detection_at(noise, seed, thresholds) for seed in seeds]
        for threshold, *found in zip(thresholds, *of_seeds, strict=True):
            kinds = " | ".join(_right([getattr(one, kind) for one in found]) for kind in ("doubtful", "missing"))
            lines.append(f"| {noise} | {threshold:g} | {_detection([one.both for one in found])} | {kinds} |")
    return "\n".join(lines) + "\n"


def won_back(clean: list[dict], noisy: list[dict], own: list[dict]) -> str:
    """The share of the loss in mean F1 that a system recovers, or a note that nothing was lost."""
    mean_clean, mean_noisy, mean_own = (statistics.mean(one["f1"] for one in runs) for runs in (clean, noisy, own))
    if mean_clean <= mean_noisy:
        return "nothing was lost"
    return f"{(mean_own - mean_noisy) / (mean_clean - mean_noisy):.0%}"


def _scores(runs: list[dict]) -> str:
    return " | ".join(_spread([100 * run[score] for run in runs]) for score in ("precision", "recall", "f1"))


def _detection(found: list[Score]) -> str:
    return f"{_spread([one.precision for one in found])} | {_spread([one.recall for one in found])}"


def _right(found: list[Score]) -> str:
    return f"{sum(one.right for one in found)} of {sum(one.predicted for one in found)} right"


def _spread(values: list[float]) -> str:
    return f"{statistics.mean(values):.2f}" + (f" ± {statistics.stdev(values):.2f}" if len(values) > 1 else "")


def _parser() -> Parser:
    parser = Parser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", action="append", metavar="FILE", help="settings; may be given more than once")
    parser.add_argument("--set", action="append", metavar="KEY=VALUE", help="one setting")
    parser.add_argument("--noise", action="append", required=True, metavar="KIND=RATE", help="'missing=0.3 type=0.1'")
    parser.add_argument("--remedies", default="configs/grids/remedies.yaml", metavar="FILE")
    parser.add_argument("--seeds", type=int, default=3, metavar="N")
    parser.add_argument("--documents", type=int, default=0, metavar="N", help="training documents at most")
    parser.add_argument("--thresholds", type=float, nargs="+", metavar="T", help="values of denoise.missing_from")
    parser.add_argument("--output", default="runs/noise", metavar="FOLDER")
    return parser


if __name__ == "__main__":
    sys.exit(main())
