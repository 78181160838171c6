"""The runs of denoising: the settings of each, made from the user's, and the processes that train them."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from config import Config, CorpusConfig, DenoiseConfig, FoldsConfig, save_config, to_dict
from data.lattice.encoder_files import encoder_files
from data.processed import input_files, load_processed
from experiments.commands import run_script
from experiments.denoising.files import DenoiseFiles
from model.run_folder import dynamics_files, fold_folder, fold_folders, weights_path
from model.run_settings import CHANGEABLE_SETTINGS, READING_SECTIONS, refuse_other_run
from utils.errors import UserError


class VotingRun(NamedTuple):
    """A run whose folds vote: of the user's system, or of one in `denoise.voters`; `repeat` counts from 1."""

    repeat: int
    system: str
    name: str

    @property
    def short(self) -> str:
        """`1` for repeat1, `forms_1` for forms_repeat1."""
        return self.name.replace("repeat", "")


class DenoiseRuns:
    """The runs below `config.denoise_folder`.

    Args:
        config: the user's settings.
        categories: of the whole corpus. Every run predicts all of them, also where its part lacks one.
        dev: the corpus with the untouched labels, or None where there is no dev part.
    """

    def __init__(self, config: Config, categories: list[str], dev: Path | None) -> None:
        self.files = DenoiseFiles(config.denoise_folder)
        self.config = config
        self.categories = categories
        self.dev = dev
        # Texts of the dev and test parts. Folds train on no additional document that shares text with them.
        held_out = dev or config.data.test.path
        self.unseen = self.files.unseen if config.data.additional and held_out else None

    @property
    def watches(self) -> bool:
        """Whether no folds vote, because the first run is watched while it learns."""
        return self.config.denoise.finder == "dynamics"

    def dynamics(self) -> list[Path]:
        """What the first run writes if it is watched."""
        return (
            dynamics_files(fold_folder(self.files.folder / "first", 0), self.config.train.epochs)
            if self.watches
            else []
        )

    def voting_runs(self) -> list[VotingRun]:
        """The runs whose folds vote."""
        repeats = range(1, self.config.folds.repeats + 1)
        own = [VotingRun(repeat, self.config.model.name, f"repeat{repeat}") for repeat in repeats]
        return own + [VotingRun(repeat, system, f"{system}_repeat{repeat}")
                      for system in self.config.denoise.voters for repeat in repeats]  # fmt: skip

    def voters(self) -> list[tuple[VotingRun, int]]:
        """The run and the fold (from 0) of every model that votes."""
        return [(run, fold) for run in self.voting_runs() for fold in range(self.config.folds.count)]

    def without_folds(self) -> Config:
        """The user's settings for one network."""
        config = copy.deepcopy(self.config)
        config.data.categories = list(self.categories)
        config.folds = FoldsConfig()
        if self.config.denoise.pretrain:
            config.encoder.name = str(self.files.encoder)
        config.denoise = DenoiseConfig()  # a run of one network decides nothing
        if self.dev is None and config.train.select == "best":
            config.train.select, config.train.patience = "last", 0
        return config

    def single(self, name: str, labels: Path, additional: Path | None = None, system: str = "") -> Config:
        """A run on these labels, scored on the dev part; of the user's system, or of one in `denoise.voters`."""
        config = self.without_folds()
        config.model.name = system or config.model.name
        config.run.folder, config.run.name = str(self.files.folder), name
        config.data.processed = str(self.files.folder / "processed" / name)
        config.data.train = _corpus(labels)
        config.data.allow_unlabelled = True  # cleaning may leave a small part without a label
        config.data.dev = _corpus(self.dev)
        config.data.dev_share = 0.0
        if additional:
            config.data.additional = [*config.data.additional, _corpus(additional)]
        if name == "first" and self.watches:
            config.train.dynamics, config.train.patience = True, 0
        return config

    def folds(self, folder: Path, run: VotingRun, labels: Path) -> Config:
        """Folds over these labels. They choose no epoch by the held-out documents, which they are to vote on."""
        config = self.without_folds()
        config.model.name = run.system
        config.folds.count, config.folds.disjoint = self.config.folds.count, self.config.folds.disjoint
        if config.train.select == "best":
            config.train.select = "last"
        config.train.patience = 0
        config.run.folder, config.run.name = str(folder), run.name
        config.run.seed = self.config.run.seed + 100 * (run.repeat - 1)
        config.data.split_seed = self.config.data.split_seed + run.repeat - 1
        config.data.processed = str(folder / "processed")
        config.data.train = _corpus(labels)
        config.data.allow_unlabelled = True  # cleaning may leave a small part without a label
        config.data.dev = CorpusConfig()
        config.data.test = _corpus(self.unseen)
        config.data.gold = ""  # these labels have no gold document
        return config

    def pretraining(self) -> Config:
        """The pretraining of the encoder on the texts of the training part and of `data.unlabelled`."""
        config = self.single("pretrain", self.files.train)
        config.encoder.name = self.config.encoder.name
        return config

    def other_inputs(self, pretraining: bool = False) -> list[Path]:
        """What a training or the pretraining reads beside labels: other texts, a test part, gold, vectors, encoder."""
        config = copy.deepcopy(self.config)
        config.data.train = config.data.dev = CorpusConfig()
        begins_with_ours = config.denoise.pretrain and not pretraining
        encoder = ([self.files.encoder / "model.safetensors"] if begins_with_ours
                   else encoder_files(config.encoder.name, weights=True))  # fmt: skip
        gold = [Path(config.data.gold)] if config.data.gold else []
        return input_files(config) + encoder + gold + ([self.unseen] if self.unseen else [])

    def reading_runs(self, network: str) -> list[str]:
        """Names of the runs that decide together: `network`, clean or final, and a clean one of each further voter.

        How they decide is chosen on gold labels. Without these it is the network alone.
        """
        others = self.config.denoise.voters if self.config.data.gold else []
        return [network, *(f"clean_{system}" for system in others)]

    # ---------------------------------------------------------------------------------------------------- processes

    def fit(self, config: Config) -> None:
        """Preprocess and train; a stopped training with the same settings and data is resumed.

        Raises:
            UserError: a command failed; the message is the last line that it printed.
        """
        self.call(config, "preprocess.py")
        self.call(config, "main.py", "--mode", "train", "--resume" if _goes_on(config) else "--overwrite")

    def pretrain(self) -> None:
        """Continue the encoder's pretraining; a stopped one is resumed.

        Raises:
            UserError: as `fit`.
        """
        config = self.pretraining()
        self.call(config, "preprocess.py")
        self.call(config, "main.py", "--mode", "pretrain", "--resume")

    def call(self, config: Config, script: str, *arguments: str) -> None:
        """Run a command with these settings, which are kept in `configs/`; its output goes to `logs/`.

        Raises:
            UserError: as `fit`.
        """
        name = f"{Path(config.run.folder).name}_{config.run.name}"
        settings = self.files.folder / "configs" / f"{name}.yaml"
        settings.parent.mkdir(parents=True, exist_ok=True)
        save_config(config, settings)
        self._run(name, script, *arguments, f"--config={settings}")

    def read_together(self, names: Sequence[str], mode: str, *arguments: str) -> None:
        """Run a command of main.py on several finished runs; its output goes to `logs/`.

        Raises:
            UserError: as `fit`.
        """
        folders = [str(self.files.folder / name) for name in names]
        self._run(f"mixture_{mode}", "main.py", "--mode", mode, "--runs", *folders, *arguments)

    def _run(self, name: str, script: str, *arguments: str) -> None:
        log = self.files.folder / "logs" / f"{name}.log"
        if failure := run_script(log, script, *arguments):
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


def _corpus(path: Path | None) -> CorpusConfig:
    return CorpusConfig(path=str(path), format="jsonl") if path else CorpusConfig()


def _goes_on(config: Config) -> bool:
    """Whether the run's folder holds a training with these settings on this data, finished or not.

    A finished fold without weights does not count: a noise study removes them in the end.
    """
    try:
        refuse_other_run(config.run_folder, config, load_processed(config).digest)
    except UserError:
        return False
    finished = [fold for fold in fold_folders(config.run_folder).values() if (fold / "metrics.json").exists()]
    return all(weights_path(fold, config.train.select).exists() for fold in finished)
