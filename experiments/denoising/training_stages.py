"""Stages around the votes: divide the corpus, train a run on some labels, score it, choose how runs decide together."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from data.corpus.document import Document
from data.processed import load_processed
from data.split import make_splits
from experiments.denoising.files import write_documents
from experiments.denoising.runs import DenoiseRuns, learning_settings
from experiments.stages import Stage
from model.run_folder import fold_folder
from model.run_settings import reading_settings


def divide_stage(runs: DenoiseRuns) -> Stage:
    """Set the dev part aside and write the training part."""
    files = runs.files
    config = runs.without_folds()

    def work() -> None:
        processed = load_processed(runs.config)
        (split,) = make_splits(processed, config.data, config.folds)
        own = set(processed.of_part("train"))
        write_documents(files.train, [processed.documents[number] for number in split.train if number in own])
        if runs.dev:
            write_documents(runs.dev, [processed.documents[number] for number in split.dev])
        if runs.unseen:
            held_out = (("dev", split.dev), ("test", processed.of_part("test")))
            texts = [Document(f"{part}-{processed.documents[number].id}", processed.documents[number].text)
                     for part, numbers in held_out for number in numbers]  # fmt: skip
            write_documents(runs.unseen, texts)

    about = "set the dev part aside, whose labels stay untouched" if runs.dev else "write the training part"
    inputs = [runs.config.processed_folder / "documents.jsonl"]
    outputs = [path for path in (files.train, runs.dev, runs.unseen) if path]
    return Stage("divide", about, work, inputs, outputs, learning_settings(config))


def pretrain_stage(runs: DenoiseRuns) -> Stage:
    """Continue the pretraining of the encoder with which all networks begin."""
    return Stage(
        "pretrain",
        "continue the encoder's pretraining on the texts, without the dev part",
        runs.pretrain,
        [runs.files.train, *runs.other_inputs(pretraining=True)],
        [runs.files.encoder / "model.safetensors"],
        learning_settings(runs.pretraining()),
    )


def training_stages(
    runs: DenoiseRuns, name: str, about: str, labels: Path, pseudo: Path | None = None, system: str = ""
) -> Iterator[Stage]:
    """Train a run on these labels, and score it where there is a dev part.

    Scoring is a stage of its own, because scores depend on more settings than training does.

    Args:
        runs: make the run's settings and train it.
        name: of the run.
        about: what is trained, for a person.
        labels: the training corpus.
        pseudo: an additional corpus. It is left out if it is empty.
        system: that is trained, if it is not the user's.
    """
    config = runs.single(name, labels, pseudo, system)
    trained = fold_folder(config.run_folder, 0) / "metrics.json"
    corpora = [path for path in (labels, runs.dev, pseudo) if path]
    inputs = [*corpora, *runs.other_inputs()]

    def work() -> None:
        empty = pseudo is not None and not pseudo.stat().st_size  # where no span was certain
        runs.fit(runs.single(name, labels, None, system) if empty else config)

    outputs = [trained, *(runs.dynamics() if name == "first" else [])]
    yield Stage(name, about, work, inputs, outputs, learning_settings(config))
    if runs.dev:
        yield Stage(
            f"{name}, score",
            "score this run on the dev part",
            lambda: runs.call(config, "main.py", "--mode", "eval"),
            [trained, runs.dev],
            [config.run_folder / "eval" / "dev.json"],
            reading_settings(config),
        )


def mixture_stages(runs: DenoiseRuns, network: str) -> Iterator[Stage]:
    """Choose on gold_a how the runs on the cleaned labels decide together, and score that. One run has no such stage.

    Args:
        runs: with the systems and the gold labels.
        network: `clean` or `final`, the user's system among them.
    """
    names, files = runs.reading_runs(network), runs.files
    if len(names) == 1:
        return
    assert runs.dev, "documents with gold labels are in the dev part"
    trained = [fold_folder(files.folder / name, 0) / "metrics.json" for name in names]
    inputs = [*trained, runs.dev, Path(runs.config.data.gold)]
    yield Stage(
        "mixture",
        f"choose on gold_a how {len(names)} runs decide together",
        lambda: runs.read_together(names, "tune", f"--output={files.mixture}"),
        inputs,
        [files.mixture],
    )
    scores = files.folder / "mixture" / "eval"
    yield Stage(
        "mixture, score",
        "score the runs together",
        lambda: runs.read_together(names, "eval", f"--config={files.mixture}", f"--output={scores}"),
        [*inputs, files.mixture],
        [scores / "dev.json"],
    )
