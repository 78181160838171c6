"""`--mode tune`: choose on gold labels how several runs decide together, and write it as settings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import yaml

from config import CorpusConfig
from data.corpus.document import Document
from data.corpus.formats import read_corpus
from data.gold_parts import with_gold_labels
from data.metrics import Score
from data.problems import Problems
from data.processed import load_processed
from model.reading.mix_fit import Judged, Mix, cross_validate, fit
from model.reading.tagger import Tagger
from model.run_folder import RunParts
from utils.errors import UserError
from utils.files import write_text


def tune(runs: Sequence[RunParts], output: Path, corpus: CorpusConfig, problems: Problems) -> str:
    """Fit the mix of some runs and write its settings, a file for `--config`.

    Args:
        runs: that decide together, or one alone.
        output: the file to write.
        corpus: labelled documents to choose on, which no run has trained on. Without a path, `gold_a` of the runs is
            taken, and `gold_b` is scored with what was chosen.
        problems: collects what is dropped from the corpus.

    Returns:
        What was chosen and its scores, for the user.

    Raises:
        UserError: there are no labels to choose on, or the runs do not have the same gold labels or not the same names.
    """
    names = [run.folder.name for run in runs]
    if len(set(names)) < len(names):
        raise UserError("--runs: two of them have the same name, by which settings tell them apart; rename a folder")
    choose_on, report_on = _documents(runs, corpus, problems)
    taggers = [Tagger(run) for run in runs]
    categories = [frozenset(tagger.categories) for tagger in taggers]
    judged = _judge(taggers, choose_on)
    mix = fit(judged, categories)
    write_text(output, settings_of(mix, names, len(choose_on)))
    own = bool(mix.threshold_of)
    scores = {"chosen on": mix.score(judged, categories),
              "the same, cross-validated": cross_validate(judged, categories, own)}  # fmt: skip
    if report_on:
        scores["gold_b"] = mix.score(_judge(taggers, report_on), categories)
    return _report(mix, names, scores)


def settings_of(mix: Mix, names: Sequence[str], documents: int) -> str:
    """The settings of a mix as YAML."""
    settings = {
        "mix": {"by": "logistic", "weights": dict(zip(names, mix.weights, strict=True)), "bias": mix.bias},
        "predict": {"min_probability": mix.threshold, "min_probability_of": mix.threshold_of},
    }
    return f"# Chosen by --mode tune on {documents} documents.\n" + yaml.safe_dump(settings, allow_unicode=True)


def _documents(
    runs: Sequence[RunParts], corpus: CorpusConfig, problems: Problems
) -> tuple[list[Document], list[Document]]:
    """The documents to choose on, and those to report on, of which there may be none."""
    if corpus.path:
        documents = read_corpus(corpus, problems)
        if not any(document.spans for document in documents):
            raise UserError(f"{corpus.path}: no labels in it, so there is nothing to choose by")
        return documents, []
    if not all(run.config.data.gold for run in runs):
        raise UserError("--mode tune chooses on gold labels: train the runs with data.gold, or give labelled documents "
                        "that no run has trained on with --input")  # fmt: skip
    halves: list[list[Document]] = []
    for half in ("gold_a", "gold_b"):
        of_runs = [with_gold_labels(load_processed(run.config), run.config.data, half) for run in runs]
        if any(documents != of_runs[0] for documents in of_runs):
            raise UserError("the runs do not have the same gold labels; train them with the same data.gold and corpus")
        halves.append(of_runs[0])
    return halves[0], halves[1]


def _judge(taggers: Sequence[Tagger], documents: Sequence[Document]) -> list[Judged]:
    of_runs = [[spans for _, spans in tagger.judge(documents)] for tagger in taggers]
    return [Judged(candidates, document.spans) for document, *candidates in zip(documents, *of_runs, strict=True)]


def _report(mix: Mix, names: Sequence[str], scores: dict[str, Score]) -> str:
    lines = [f"{'':<28}{'precision':>10}{'recall':>10}{'F1':>10}"]
    lines += [f"{name:<28}{one.precision:>10.4f}{one.recall:>10.4f}{one.f1:>10.4f}" for name, one in scores.items()]
    lines.append("weights: " + ", ".join(f"{name} {weight:g}" for name, weight in zip(names, mix.weights, strict=True)))
    own = ", ".join(f"{category} {least:g}" for category, least in mix.threshold_of.items())
    lines.append(f"threshold: {mix.threshold:g}" + (f"; {own}" if own else ", the same for all categories"))
    return "\n".join(lines)
