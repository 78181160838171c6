"""A copy of a trained run to give away: what predicts, without texts, paths and host names. `--mode package-run`.

docs/security.md lists what of the training texts remains in it.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from config import TRADITIONAL, Config, CorpusConfig, from_dict, to_dict
from model.reading.tagger import files_of_folds
from model.run_folder import RunParts, fold_folder, load_parts, recorded_files, save_parts
from utils.errors import UserError
from utils.files import atomic_folder, check_writable

REMOVED = "removed"  # stands for the path of a corpus
VERBATIM = {
    "feature_crf": "model.crfsuite holds short pieces of the training texts, names among them, as they are",
    "forms": "forms.json holds every surface form that the training texts label, names among them",
}


class Package(NamedTuple):
    """What was copied: the folds, the bytes, and what a person should know before giving it away."""

    folds: list[int]
    size: int
    warnings: list[str]


def package_run(run: Path, output: Path) -> Package:
    """Copy what a run needs to predict.

    Args:
        run: the run's folder.
        output: the new folder, which must not exist.

    Raises:
        UserError: there is no such run, a file of it has changed, it is not trained, or `output` is there or cannot be
            written.
    """
    parts = load_parts(run)
    check_writable(output.parent)  # first, because it clears what a killed process has left beside a finished copy
    if output.exists():
        raise UserError(f"--output {output}: is there already; name a new folder")
    weights = files_of_folds(parts)
    with atomic_folder(output) as new:
        save_parts(replace(parts, folder=output, config=_without_places(parts.config, output.name)), new)
        for fold, path in weights.items():
            for source in (path, fold_folder(run, fold) / "metrics.json"):
                if source.exists():
                    recorded_files(run).check(source)
                    with recorded_files(new).write(new / source.relative_to(run)) as temporary:
                        shutil.copyfile(source, temporary)
        size = sum(path.stat().st_size for path in new.rglob("*") if path.is_file())
    return Package(list(weights), size, _warnings(parts))


def _warnings(parts: RunParts) -> list[str]:
    found = [f"lexicon.txt holds {len(parts.lexicon.words)} words of the corpora"] if parts.lexicon.words else []
    if parts.config.encoder.name == "scratch":
        found.append(f"vocabulary.txt holds {len(parts.vocabulary)} characters of the corpora")
    if told := VERBATIM.get(parts.config.model.name):
        found.append(told)
    return found


def _without_places(config: Config, name: str) -> Config:
    """The settings without paths of corpora, and with the last part only of other paths."""
    own = config.model_copy(deep=True)
    own.run.name, own.run.folder = name, Config().run.folder
    data = own.data
    data.train, data.dev, data.test, data.unlabelled = map(_removed, (data.train, data.dev, data.test, data.unlabelled))
    data.additional = [_removed(corpus) for corpus in data.additional]
    data.processed = own.train.start_from = ""
    own.lexicon.path = Path(own.lexicon.path).name
    if own.model.name not in TRADITIONAL and own.encoder.name != "scratch":
        own.encoder.name = Path(own.encoder.name).name
    dictionary = own.dictionary
    dictionary.path, dictionary.taken_from, dictionary.negatives = (
        Path(path).name for path in (dictionary.path, dictionary.taken_from, dictionary.negatives)
    )
    return from_dict(to_dict(own), str(name))


def _removed(corpus: CorpusConfig) -> CorpusConfig:
    return CorpusConfig(path=REMOVED if corpus.path else "")
