"""How much label noise costs and how much cleaning wins back: a corpus with noise added on purpose, seed by seed.

    FOLDER/settings.json            of the study; another study is refused
    FOLDER/clean_SEED/              a run on the gold labels
    FOLDER/NOISE_SEED/              train.jsonl (noisy labels), truth.jsonl, dev.jsonl (gold labels)
    FOLDER/NOISE_SEED/run_denoise/  folds, votes, and the run on cleaned labels of the last remedy
    FOLDER/NOISE_SEED/REMEDY.json   scores of each remedy

All runs share the dev part with its gold labels. Nothing is chosen on it.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from config import Config, CorpusConfig, load_config
from data.corpus.document import Document
from data.metrics import Score
from data.noise.noise import NoiseRates, add_noise
from data.problems import Problems
from data.processed import load_processed
from data.split import make_splits
from experiments.denoising.decision_table import read_decisions
from experiments.denoising.decisions import Decision, decide
from experiments.denoising.files import read_documents, write_documents
from experiments.denoising.plan import Denoise
from experiments.denoising.runs import DenoiseRuns, learning_settings
from experiments.denoising.votes import count_votes
from experiments.stages import Plan
from model.run_settings import reading_settings
from utils.errors import UserError
from utils.files import read_json, write_json

Remedies = dict[str, tuple[str, ...]]  # the settings that each changes, by its name
AGAIN = "remove it and run the benchmark again"


class Detections(NamedTuple):
    """Scores of the decisions, all and by kind, as finders of wrong labels."""

    both: Score
    doubtful: Score
    missing: Score


class NoiseStudy:
    """The study of one corpus. Finished runs are kept and not repeated.

    Args:
        configs, overrides: its settings, as on the command line; folds.count must be set.
        remedies: the settings of the section denoise that each changes.
        documents: training documents to draw at random; 0 for all.
        folder: of the study.

    Raises:
        UserError: there are no folds to vote. Every method raises it if the folder holds something else than a study
            with these settings.
    """

    def __init__(
        self, configs: Sequence[str], overrides: Sequence[str], remedies: Remedies, documents: int, folder: Path
    ) -> None:
        self.configs, self.overrides = configs, overrides
        self.remedies = remedies
        self.documents = documents
        self.folder = folder
        self.given = load_config(configs, overrides)
        if self.given.folds.count < 2:
            raise UserError("votes need folds: set folds.count to 2 or more, e.g. --set folds.count=5")

    def clean(self, seed: int) -> dict[str, Any]:
        """Dev scores of a run on the gold labels."""
        self._refuse_other_settings()
        folder = self.folder / f"clean_{seed}"
        truth, dev = self._truth()
        write_documents(folder / "train.jsonl", truth)
        write_documents(folder / "dev.jsonl", dev)
        config = self._config(folder, seed)
        done = config.run_folder / "eval" / "dev.json"
        if not done.exists():
            config.folds.count = 0
            runs = DenoiseRuns(config, config.data.categories, folder / "dev.jsonl")
            runs.fit(config)
            runs.call(config, "main.py", "--mode", "eval")
        return read_json(done, AGAIN)["micro"]

    def noisy(self, name: str, rates: NoiseRates, seed: int) -> dict[str, dict[str, Any]]:
        """Dev scores of a run on noisy labels, as `noisy`, and of each remedy, with the scores of its decisions."""
        self._refuse_other_settings()
        folder = self.folder / f"{name}_{seed}"
        truth, dev = self._truth()
        write_documents(folder / "truth.jsonl", truth)
        write_documents(folder / "train.jsonl", add_noise(truth, rates, seed))
        write_documents(folder / "dev.jsonl", dev)
        results = {}
        for remedy, changes in self.remedies.items():
            done = folder / f"{remedy}.json"
            if not done.exists():
                write_json(done, self._remedy(folder, seed, changes))
            results[remedy] = read_json(done, AGAIN)
        for weights in folder.rglob("*.safetensors"):  # gigabytes that nothing needs once all remedies are scored
            weights.unlink()
        results["noisy"] = results[next(iter(self.remedies))]["noisy"]
        return results

    def detection_at(self, name: str, seed: int, thresholds: Sequence[float]) -> list[Detections]:
        """Scores of the decisions for each value of denoise.missing_from, on the votes of a finished run."""
        self._refuse_other_settings()
        folder = self.folder / f"{name}_{seed}"
        runs = Denoise(self._config(folder, seed)).runs
        last = runs.files.round(self.given.denoise.rounds)
        ballots = count_votes([last.votes(run.name, fold) for run, fold in runs.voters()])
        noisy, truth = (read_documents(folder / file) for file in ("train.jsonl", "truth.jsonl"))
        found = []
        for threshold in thresholds:
            settings = self.given.denoise.model_copy(update={"missing_from": threshold})
            decisions = decide(noisy, ballots, runs.categories, settings)
            doubtful, missing = ([one for one in decisions if one.kind == kind] for kind in ("doubtful", "missing"))
            found.append(Detections(*(detect(truth, noisy, own) for own in (decisions, doubtful, missing))))
        return found

    def _refuse_other_settings(self) -> None:
        """Refuse a folder of another study, because finished runs are kept. New remedies may be added to a study."""
        settings = {
            **learning_settings(self.given),
            **reading_settings(self.given),
            "denoise": self.given.denoise.model_dump(),
            "documents": self.documents,
            "processed": load_processed(self.given).digest,
        }
        settings = json.loads(json.dumps(settings))
        remedies = {name: list(changes) for name, changes in self.remedies.items()}
        path = self.folder / "settings.json"
        begun = self.folder.exists() and any(self.folder.iterdir())
        kept = read_json(path, AGAIN) if path.exists() else {}
        known = kept.pop("remedies", {})
        if begun and kept != settings:
            raise UserError(f"{self.folder} holds a study of another corpus or with other settings (settings.json); "
                            "name another folder with --output")  # fmt: skip
        if changed := [name for name in remedies if known.get(name, remedies[name]) != remedies[name]]:
            raise UserError(f"{self.folder} holds results of a remedy {changed[0]} that changed other settings; rename "
                            "the new one")  # fmt: skip
        write_json(path, settings | {"remedies": known | remedies})

    def _remedy(self, folder: Path, seed: int, changes: tuple[str, ...]) -> dict[str, Any]:
        config = self._config(folder, seed, changes)
        DenoiseRuns(config, config.data.categories, None).call(config, "preprocess.py")
        work = Denoise(config)
        Plan(work.folder, work.denoise()).run()
        first, clean = (
            read_json(work.folder / name / "eval" / "dev.json", AGAIN)["micro"] for name in ("first", "clean")
        )
        noisy = read_documents(folder / "train.jsonl")
        decisions = read_decisions(work.files.round(config.denoise.rounds).decisions, noisy, Problems())
        found = detect(read_documents(folder / "truth.jsonl"), noisy, decisions)
        return {**clean, "noisy": first, "detection": asdict(found)}

    def _truth(self) -> tuple[list[Document], list[Document]]:
        """Training and dev documents with their gold labels."""
        processed = load_processed(self.given)
        single = load_config(self.configs, [*self.overrides, "folds.count=0"])
        (split,) = make_splits(processed, single.data, single.folds)
        # Additional documents train as they are, without added noise.
        train = [number for number in split.train if processed.parts[number] == "train"]
        if 0 < self.documents < len(train):
            train = sorted(random.Random(0).sample(train, self.documents))
        return [processed.documents[number] for number in train], [processed.documents[number] for number in split.dev]

    def _config(self, folder: Path, seed: int, changes: Sequence[str] = ()) -> Config:
        config = load_config(self.configs, [*self.overrides, *changes])
        config.run.name, config.run.folder, config.run.seed = "run", str(folder), seed
        config.data.split_seed = seed
        config.data.categories = load_processed(self.given).categories
        config.data.processed = str(folder / "processed")
        config.data.train = CorpusConfig(path=str(folder / "train.jsonl"), format="jsonl")
        config.data.dev = CorpusConfig(path=str(folder / "dev.jsonl"), format="jsonl")
        return config


def detect(truth: Iterable[Document], noisy: Sequence[Document], decisions: Iterable[Decision]) -> Score:
    """The score of decisions on documents with noisy labels, against the gold labels.

    A doubtful label is right if it is no gold label. A missing span is right if it is one. To be found are the noisy
    labels that are no gold labels, and the gold labels that the noisy ones lack.
    """
    true = {document.id: set(document.spans) for document in truth}
    wrong = {(document.id, span) for document in noisy for span in true[document.id] ^ set(document.spans)}
    decided = {(decision.document, decision.span) for decision in decisions}
    return Score(right=len(decided & wrong), predicted=len(decided), labelled=len(wrong))
