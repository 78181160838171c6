"""The runs that cleaning labels needs: the settings of each, made from those of the user, and how they are trained."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

from config import Config, CorpusConfig, FoldsConfig, save_config, to_dict
from data.lattice.tokenizer import encoder_files
from data.processed import input_files, load_processed
from experiments.commands import run_script
from model.run_folder import fold_folders, weights_path
from model.run_settings import CHANGEABLE_SETTINGS, READING_SECTIONS, refuse_other_run
from utils.errors import UserError


class DenoiseRuns:
    """Runs below one folder.

    Args:
        config: the user's settings.
        categories: of the whole corpus, whatever is left of them in a part.
        dev: the corpus with the untouched labels, or None where there is no dev part.
    """

    def __init__(self, config: Config, categories: list[str], dev: Path | None) -> None:
        self.folder = config.denoise_folder
        self.config = config
        self.categories = categories
        self.dev = dev
        # Texts of the dev and test parts, which no additional document may share with where folds train.
        held_out = dev or config.data.test.path
        self.unseen = self.folder / "data" / "unseen.jsonl" if config.data.additional and held_out else None

    def without_folds(self) -> Config:
        """The user's settings for one network."""
        config = copy.deepcopy(self.config)
        config.data.categories = list(self.categories)
        config.folds = FoldsConfig()
        if self.dev is None and config.train.select == "best":
            config.train.select, config.train.patience = "last", 0
        return config

    def single(self, name: str, labels: Path, additional: Path | None = None) -> Config:
        """A network on these labels, scored on the dev part."""
        config = self.without_folds()
        config.run.folder, config.run.name = str(self.folder), name
        config.data.processed = str(self.folder / "processed" / name)
        config.data.train = CorpusConfig(path=str(labels), format="jsonl")
        config.data.dev = CorpusConfig(path=str(self.dev), format="jsonl") if self.dev else CorpusConfig()
        config.data.dev_share = 0.0
        if additional:
            config.data.additional = [*config.data.additional, CorpusConfig(path=str(additional), format="jsonl")]
        return config

    def folds(self, folder: Path, repeat: int, labels: Path) -> Config:
        """Folds over these labels. Nothing may be chosen on held-out documents: they are to be voted on."""
        config = self.without_folds()
        config.folds.count, config.folds.disjoint = self.config.folds.count, self.config.folds.disjoint
        if config.train.select == "best":
            config.train.select = "last"
        config.train.patience = 0
        config.run.folder, config.run.name = str(folder), f"repeat{repeat}"
        config.run.seed = self.config.run.seed + 100 * (repeat - 1)
        config.data.split_seed = self.config.data.split_seed + repeat - 1
        config.data.processed = str(folder / "processed")
        config.data.train = CorpusConfig(path=str(labels), format="jsonl")
        config.data.dev = CorpusConfig()
        config.data.test = CorpusConfig(path=str(self.unseen), format="jsonl") if self.unseen else CorpusConfig()
        return config

    def other_inputs(self) -> list[Path]:
        """What trainings read beside the labels: unlabelled and additional texts, a test part, vectors, encoder."""
        config = copy.deepcopy(self.config)
        config.data.train = config.data.dev = CorpusConfig()
        encoder = encoder_files(config.encoder.name, weights=True)
        return input_files(config) + encoder + ([self.unseen] if self.unseen else [])

    # ---------------------------------------------------------------------------------------------------- processes

    def fit(self, config: Config) -> None:
        """Preprocess and train; a training of the same settings and data that was stopped goes on.

        Raises:
            UserError: a command failed; the message is its own.
        """
        self.call(config, "preprocess.py")
        self.call(config, "main.py", "--mode", "train", *(["--resume"] if _goes_on(config) else []))

    def call(self, config: Config, script: str, *arguments: str) -> None:
        """A command with these settings, which are left in `configs/`, and what it prints in `logs/`."""
        name = f"{Path(config.run.folder).name}_{config.run.name}"
        settings, log = self.folder / "configs" / f"{name}.yaml", self.folder / "logs" / f"{name}.log"
        settings.parent.mkdir(parents=True, exist_ok=True)
        save_config(config, settings)
        if failure := run_script(log, script, *arguments, f"--config={settings}"):
            raise UserError(f"{failure} (log: {log})")


def learning_settings(config: Config) -> dict[str, Any]:
    """The settings that change what is learned."""
    values = to_dict(config)
    for name in CHANGEABLE_SETTINGS:
        section, key = name.split(".")
        del values[section][key]
    for section in ("denoise", "pseudo", *READING_SECTIONS):
        del values[section]
    return values


def _goes_on(config: Config) -> bool:
    """Whether the run's folder holds nothing but a training with these settings on this data, or its beginning.

    A finished fold needs its weights, which a noise study removes in the end.
    """
    try:
        refuse_other_run(config.run_folder, config, load_processed(config).digest)
    except UserError:
        return False
    finished = [fold for fold in fold_folders(config.run_folder).values() if (fold / "metrics.json").exists()]
    return all(weights_path(fold, config.train.select).exists() for fold in finished)
