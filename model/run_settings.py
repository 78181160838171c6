"""The settings of a trained run: which may change after training, and whether two trainings are the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from config import Config, from_dict, to_dict
from model.run_folder import RunParts, encoder_digest, load_parts
from utils.errors import UserError
from utils.settings import merge, read_layers, read_setting

# Where files are and which hardware is used: these settings do not change what a training learns.
CHANGEABLE_SETTINGS = {
    "run.name", "run.folder", "run.device", "run.threads", "run.workers", "run.shared", "data.processed",
    "data.allow_unlabelled", "data.largest_file",
}  # fmt: skip
READING_SECTIONS = ("mix", "predict")  # how a trained run reads texts; training does not depend on them


def reading_settings(config: Config) -> dict[str, Any]:
    """The sections that a run's scores depend on and its training does not."""
    values = to_dict(config)
    return {section: values[section] for section in READING_SECTIONS}


def open_run(
    folder: Path, files: list[str | Path] | None, overrides: list[str] | None, among_others: bool = False
) -> tuple[RunParts, list[str]]:
    """Load a trained run and apply those settings of the command line that may change after training.

    A run keeps the settings it was trained with, except `CHANGEABLE_SETTINGS` and `READING_SECTIONS`.

    Args:
        folder: the run's folder.
        files, overrides: from the command line. Both must have passed `load_config`.
        among_others: several runs are opened. A file's `data.processed` names one folder, so it is then ignored.

    Returns:
        The run, and the settings of `files` that were ignored because the run was trained with other values.

    Raises:
        UserError: there is no such run, or an override would change a setting of training.
    """
    parts = load_parts(folder)
    own, layers = parts.config, list(read_layers(files, overrides))
    given_in = {(section, name): where for where, values in layers for section in values
                for name in values[section] or () if hasattr(getattr(own, section, None), name)}  # fmt: skip
    values, _ = merge(own, layers)
    ignored = []
    for (section, name), where in given_in.items():
        dotted, from_file = f"{section}.{name}", not where.startswith("--set")
        changeable = dotted in CHANGEABLE_SETTINGS and not (among_others and from_file and dotted == "data.processed")
        settings = getattr(own, section)
        before, now = getattr(settings, name), read_setting(type(settings), name, values[section][name])
        if section in READING_SECTIONS or changeable:
            setattr(settings, name, now)
        elif now != before and from_file:
            ignored.append(dotted)
        elif now != before:
            raise UserError(
                f"{where}: {folder} was trained with {dotted} {before}; "
                f"without training again only mix.*, predict.*, {', '.join(sorted(CHANGEABLE_SETTINGS))} can be set"
            )
    own.run.name, own.run.folder = folder.name, str(folder.parent)
    parts.config = from_dict(to_dict(own), str(folder))
    return parts, ignored


def refuse_other_run(run: Path, config: Config, data: str) -> None:
    """Check that a run folder, if it holds a run, belongs to these settings and this data.

    Args:
        run: the run's folder.
        config: the settings to train with.
        data: digest of the processed data to train on.

    Raises:
        UserError: the run was started with other settings, on other data or from other encoder weights.
    """
    if not (run / "manifest.json").exists():
        return
    parts = load_parts(run)
    remedy = "start without --resume, or give the run another name with --set run.name=NAME"
    if parts.data != data:
        raise UserError(f"{run}: was trained on other processed data; {remedy}")
    if parts.pretrained and parts.pretrained != encoder_digest(config.encoder.name):
        raise UserError(f"{run}: began with other weights than {config.encoder.name} holds now; {remedy}")
    began, now = to_dict(parts.config), to_dict(config)
    for section, values in now.items():
        if section in READING_SECTIONS:
            continue
        for name, value in values.items():
            if f"{section}.{name}" not in CHANGEABLE_SETTINGS and began[section][name] != value:
                raise UserError(f"{run}: began with {section}.{name} {began[section][name]}, not {value}; {remedy}")
