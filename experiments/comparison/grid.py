"""The systems of a comparison, and their cells: one for each seed.

A grid file is YAML: the name of each system, and the settings that it changes. The first system is the baseline.

    plain: {}
    fgm: {adversarial.method: fgm}
    fgm+swa: {adversarial.method: fgm, averaging.method: swa, averaging.start_epoch: 2}
    pretrained: {encoder.name: "runs/{run.name}_encoder", data.processed: "data/processed/{run.name}_pretrained"}

`{run.name}` is replaced by the run name of the configuration, so that one grid serves several configurations.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from config import Config, load_config, shape_digest
from utils.errors import UserError, looked_in, shown
from utils.yaml_files import Typed, read_yaml


class SystemSettings(NamedTuple):
    """Files as for --config, and key=value pairs as for --set."""

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
    """The systems of a grid file: each is one configuration with the changes of the system.

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
    """A system for each configuration file.

    Systems with equal shaping settings share a folder of processed data, also where a file names one for all.

    Args:
        paths: the file of each system; its stem is the system's name.
        configs, overrides: what all systems have in common. Overrides win over the files.
        folder: of the comparison.

    Raises:
        UserError: a file is refused, or two have the same name.
    """
    systems: dict[str, SystemSettings] = {}
    for path in paths:
        files, name = (*configs, path), Path(path).stem
        if name in systems:
            raise UserError(f"--configs: two files are called {name}, which names their systems; rename one of them")
        processed = folder / "processed" / shape_digest(load_config(list(files), list(overrides)))
        systems[name] = SystemSettings(files, (*overrides, *as_overrides([("data.processed", str(processed))])))
    return systems


def read_grid(path: Path) -> dict[str, tuple[str, ...]]:
    """The systems of a grid file, each with its overrides.

    Raises:
        UserError: the file is missing or no YAML mapping of names to settings, or a name cannot be that of a folder.
    """
    loaded = read_yaml(path, f"no such grid file{looked_in(path)}; some are shipped in configs/grids/")
    if not isinstance(loaded, dict) or not loaded:
        raise UserError(f"{path}: expected `name: {{section.key: value}}` lines, found {shown(loaded)}")
    systems = {}
    for name, changes in loaded.items():
        if not re.fullmatch(r"[\w.+-]*[\w+-]", name):
            raise UserError(f"{path}: {shown(name)} also names a folder; use letters, digits, and . + - _")
        if not isinstance(changes or {}, dict):
            raise UserError(f"{path}: {name} must hold settings such as train.epochs: 5, found {shown(changes)}")
        pairs = _flat(changes or {})
        if whole := [key for key, _ in pairs if "." not in key]:
            raise UserError(f"{path}: {name}: {whole[0]} is no section.key, so this is no grid of changes; give a "
                            "configuration with --config")  # fmt: skip
        systems[name] = as_overrides(pairs)
    return systems


def as_overrides(settings: Iterable[tuple[str, Any]]) -> tuple[str, ...]:
    """Settings as for --set. What a file has without quotes stays as typed, and the rest is JSON."""
    return tuple(f"{key}={value.typed if isinstance(value, Typed) else _written(value)}" for key, value in settings)


def _written(value: Any) -> str:
    """A value as YAML in one line. In a list or mapping, typed characters that could end a value get quotes."""
    if isinstance(value, Typed):
        return value.typed if re.fullmatch(r"[\w.+-]+", value.typed) else json.dumps(value.typed, ensure_ascii=False)
    if isinstance(value, dict):
        pairs = (f"{json.dumps(str(key), ensure_ascii=False)}: {_written(one)}" for key, one in value.items())
        return f"{{{', '.join(pairs)}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_written, value))}]"
    return json.dumps(value, ensure_ascii=False)


def _flat(changes: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Nested settings with dotted names. A value that is a mapping itself, as a corpus is, stays in one piece."""
    pairs = []
    for key, value in changes.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict) and "." not in name:
            pairs += _flat(value, f"{name}.")
        else:
            pairs.append((name, value))
    return pairs


def make_cells(systems: dict[str, SystemSettings], seeds: int, folder: Path) -> list[tuple[Cell, Config]]:
    """Every system with every seed, seed by seed, so that a stopped comparison has all systems for the first seeds.

    Raises:
        UserError: a system's settings are refused. The message names the system.
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
