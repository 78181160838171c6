"""Systems to compare, and their cells: one for each seed.

A grid of changes to a configuration is YAML, the name of each system and what it sets. The first is the baseline.

    plain: {}
    fgm: {adversarial.method: fgm}
    fgm+swa: {adversarial.method: fgm, averaging.method: swa, averaging.start_epoch: 2}
    pretrained: {encoder.name: "runs/{run.name}_encoder", data.processed: "data/processed/{run.name}_pretrained"}

`{run.name}` stands for the run name of the configuration, so that one grid serves several.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from config import Config, load_config, shape_digest
from utils.errors import UserError, looked_in


class SystemSettings(NamedTuple):
    """Files and key=value pairs, as for --config and --set."""

    configs: tuple[str, ...] = ()
    overrides: tuple[str, ...] = ()


@dataclass(frozen=True)
class Cell:
    """One system of a comparison, trained with one seed."""

    system: str
    seed: int
    configs: tuple[str, ...]
    overrides: tuple[str, ...]

    @property
    def run_name(self) -> str:
        return f"{self.system}_{self.seed}"


def systems_of_grid(path: Path, configs: Sequence[str], overrides: Sequence[str]) -> dict[str, SystemSettings]:
    """Every system of a grid file as a change to one configuration.

    Raises:
        UserError: the grid or the configuration is refused.
    """
    name = load_config(list(configs), list(overrides)).run.name
    return {
        system: SystemSettings(
            tuple(configs), (*overrides, *(change.replace("{run.name}", name) for change in changes))
        )
        for system, changes in read_grid(path).items()
    }


def systems_of_configs(
    paths: Sequence[str], configs: Sequence[str], overrides: Sequence[str], folder: Path
) -> dict[str, SystemSettings]:
    """A system for each configuration file, on top of what all have in common.

    Systems with the same words and vocabulary share a folder of processed data, those with others have their own.

    Raises:
        UserError: a file is refused, or two have the same name.
    """
    systems: dict[str, SystemSettings] = {}
    for path in paths:
        files, name = (*configs, path), Path(path).stem
        if name in systems:
            raise UserError(f"--configs: two files are called {name}; a system goes by the name of its file")
        processed = folder / "processed" / shape_digest(load_config(list(files), list(overrides)))
        systems[name] = SystemSettings(files, (*overrides, *as_overrides([("data.processed", str(processed))])))
    return systems


def read_grid(path: Path) -> dict[str, tuple[str, ...]]:
    """The systems of a grid file, each with its overrides.

    Raises:
        UserError: the file is missing, is no YAML mapping of names to settings, or a name is unfit for a folder.
    """
    try:
        loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: no such grid file{looked_in(path)}; some are shipped in configs/grids/") from None
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise UserError(f"{path}: not a grid file in YAML ({str(error).splitlines()[0]})") from None
    if not isinstance(loaded, dict) or not loaded:
        raise UserError(f"{path}: expected `name: {{section.key: value}}` lines, found {loaded!r}")
    systems = {}
    for name, changes in loaded.items():
        name = str(name)
        if not re.fullmatch(r"[\w.+-]*[\w+-]", name):
            raise UserError(f"{path}: {name!r} names a folder too; use letters, digits, and . + - _")
        if not isinstance(changes or {}, dict):
            raise UserError(f"{path}: {name} should hold settings such as train.epochs: 5, found {changes!r}")
        pairs = _flat(changes or {})
        if whole := [key for key, _ in pairs if "." not in key]:
            raise UserError(f"{path}: {name}: {whole[0]} is no section.key, so this is no grid of changes; give a "
                            "configuration with --config")  # fmt: skip
        systems[name] = as_overrides(pairs)
    return systems


def as_overrides(settings: Iterable[tuple[str, Any]]) -> tuple[str, ...]:
    """As for --set. JSON is YAML in which a text cannot be taken for anything else."""
    return tuple(f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in settings)


def _flat(changes: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Nested settings with dotted names. A corpus, which is a mapping itself, stays in one piece."""
    pairs = []
    for key, value in changes.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict) and "." not in name:
            pairs += _flat(value, f"{name}.")
        else:
            pairs.append((name, value))
    return pairs


def make_cells(systems: dict[str, SystemSettings], seeds: int, folder: Path) -> list[tuple[Cell, Config]]:
    """Every system with every seed, the seeds one after the other, so that a stopped grid has whole rounds.

    Raises:
        UserError: a system's settings are refused; the message names it.
    """
    cells = []
    for seed in range(1, seeds + 1):
        for system, (configs, overrides) in systems.items():
            places = {"run.seed": seed, "run.name": f"{system}_{seed}", "run.folder": str(folder)}
            cell = Cell(system, seed, configs, (*overrides, *as_overrides(places.items())))
            try:
                config = load_config(list(configs), list(cell.overrides))
            except UserError as error:
                raise UserError(*(f"{system}: {line}" for line in error.lines)) from None
            cells.append((cell, config))
    return cells
