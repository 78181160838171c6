"""A grid of changes to a configuration, as YAML: the name of each cell and what it sets. The first is the baseline.

    plain: {}
    fgm: {adversarial.method: fgm}
    fgm+swa: {adversarial.method: fgm, averaging.method: swa, averaging.start_epoch: 2}
    pretrained: {encoder.name: "runs/{run.name}_encoder", data.processed: "data/processed/{run.name}_pretrained"}

`{run.name}` stands for the run name of the configuration, so that one grid serves several.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from config import Config, UserError, load_config
from typed_settings import looked_in


@dataclass(frozen=True)
class Cell:
    """One system of a comparison, trained with one seed.

    `overrides` are key=value pairs, as for --set.
    """

    system: str
    seed: int
    overrides: tuple[str, ...]

    @property
    def run_name(self) -> str:
        return f"{self.system}_{self.seed}"


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
        systems[name] = tuple(f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in _flat(changes or {}))
    return systems


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


def make_cells(
    systems: dict[str, tuple[str, ...]], seeds: int, configs: list[str], overrides: list[str], folder: Path
) -> list[tuple[Cell, Config]]:
    """Every system with every seed, the seeds one after the other, so that a stopped grid has whole rounds.

    Raises:
        UserError: a system's settings are refused; the message names it.
    """
    name = load_config(configs, overrides).run.name
    cells = []
    for seed in range(1, seeds + 1):
        for system, changes in systems.items():
            places = (f"run.seed={seed}", f"run.name={system}_{seed}", f"run.folder={folder}")
            cell = Cell(system, seed, (*(change.replace("{run.name}", name) for change in changes), *places))
            try:
                config = load_config(configs, [*overrides, *cell.overrides])
            except UserError as error:
                raise UserError(f"{system}: {error}") from None
            cells.append((cell, config))
    return cells
