"""Typed settings: fills dataclasses from YAML files and `section.key=value` pairs, and refuses what does not fit.

Which settings there are is not known here.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import types
import typing
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from utils.errors import UserError, looked_in


@dataclass(frozen=True)
class _Given:
    """One value of the command line: as it was typed, and as YAML reads it. Its setting's type says which is meant."""

    typed: str
    value: Any

    @property
    def text(self) -> Any:
        """For a text: 007, 1:30 and `a #b` are what was typed, and quotes, null and true what they are in YAML."""
        quoted = self.typed.lstrip()[:1] in ("'", '"')
        return self.value if quoted or self.value is None or isinstance(self.value, bool) else self.typed.strip()


class _Dotted(dict):
    """What `section.key=value` says, nested: of a setting that is a mapping it gives one key and leaves the others."""


def read_layers(paths: list[str | Path] | None, overrides: list[str] | None) -> Iterator[tuple[str, dict[str, Any]]]:
    """What each YAML file and each `section.key=value` says, as nested dictionaries, and how messages name it.

    Raises:
        UserError: a file that is missing or is not YAML, or an override without a value.
    """
    for path in paths or []:
        yield str(path), _read_yaml(Path(path))
    for override in overrides or []:
        yield f"--set {override}", _read_override(override)


def _read_override(override: str) -> dict[str, Any]:
    key, equals, text = override.partition("=")
    if not equals:
        raise UserError(f"--set {override}: expected section.key=value")
    try:
        value = yaml.safe_load(text) if text else ""
    except (yaml.YAMLError, ValueError, RecursionError):  # ValueError: what looks like a date and is none
        value = text
    if not isinstance(value, (dict, list)):
        value = _Given(text, value)
    for name in reversed(key.strip().split(".")):
        value = _Dotted({name: value})
    return value


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: no such configuration file{looked_in(path)}; some are shipped in configs/") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read as a UTF-8 text file ({error})") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        raise UserError(f"{path}{line}: not valid YAML ({getattr(error, 'problem', None) or error})") from None
    except (ValueError, RecursionError) as error:  # what looks like a date and is none; blocks within blocks
        raise UserError(f"{path}: not valid YAML ({error}); put text that looks like a date in quotes") from None
    if loaded is None:
        return {}
    if not isinstance(loaded, dict):
        raise UserError(f"{path}: expected `section:` blocks at the top level, found {loaded!r}")
    return loaded


def merge(target: Any, values: Any, where: str) -> None:
    """Set fields of the dataclass `target`, and of those in it, from nested dictionaries.

    Each value is converted by its field's type. A dataclass with a class method `from_text` takes a bare string too,
    and None, as YAML has it where everything in a section is commented out, changes nothing in one. A mapping replaces
    the one that was there, but for a single key of `section.setting.key=value`.

    Raises:
        UserError: an unknown key (the nearest known one is named), or a value of the wrong type.
    """
    _merge(target, values, where, "", type(target))


def _merge(target: Any, values: Any, where: str, prefix: str, root: type) -> None:
    if values is None:
        return
    if isinstance(values, _Given):
        values = values.text if isinstance(values.value, str) else values.value
    if isinstance(values, str) and hasattr(target, "from_text"):
        values = dataclasses.asdict(target.from_text(values))
    if not isinstance(values, dict):
        name = prefix.rstrip(".") or "a configuration"
        raise UserError(f"{where}: {name} holds settings of its own, found {values!r}")
    hints = typing.get_type_hints(type(target))
    for key, value in values.items():
        name = f"{prefix}{key}"
        if key not in hints:
            raise UserError(f"{where}: unknown setting {name}{_nearest(key, hints, prefix, root)}")
        current = getattr(target, key)
        if dataclasses.is_dataclass(current):
            _merge(current, value, where, f"{name}.", root)
        else:
            converted = _convert(value, hints[key], name, where)
            setattr(target, key, {**current, **converted} if isinstance(value, _Dotted) else converted)


def _nearest(key: str, known: Iterable[str], prefix: str, root: type) -> str:
    """The same key in other sections, else the nearest known one, in this section first, then anywhere."""
    everywhere: dict[str, list[str]] = {}
    for section in dataclasses.fields(root):
        if dataclasses.is_dataclass(section.default_factory):
            for option in dataclasses.fields(section.default_factory):
                everywhere.setdefault(option.name, []).append(f"{section.name}.{option.name}")
    if key in everywhere:
        return f"; did you mean {' or '.join(everywhere[key])}?"
    if close := difflib.get_close_matches(str(key), list(known), n=1, cutoff=0.5):
        return f"; did you mean {prefix}{close[0]}?"
    if close := difflib.get_close_matches(str(key), list(everywhere), n=1, cutoff=0.8):
        return f"; did you mean {' or '.join(everywhere[close[0]])}?"
    return f"; known here: {', '.join(known)}"


def _convert(value: Any, hint: Any, name: str, where: str) -> Any:
    """`value` as the type `hint`, or a UserError that names the setting. YAML reads 1e-5 as text; we do not."""
    if isinstance(value, _Given):
        value = value.text if hint is str else value.value
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        for option in arguments:
            try:
                return _convert(value, option, name, where)
            except UserError:
                continue
        raise UserError(f"{where}: {name} cannot be {value!r}; it takes {_describe(hint)}")
    if origin is Literal:
        if value in arguments and not isinstance(value, bool):
            return value
        raise UserError(f"{where}: {name} cannot be {value!r}; it takes {_describe(hint)}")
    if origin is list and isinstance(value, list):
        return [_convert(item, arguments[0], f"{name}[{index}]", where) for index, item in enumerate(value)]
    if origin is dict and isinstance(value, dict) and arguments[1] is not str:
        return {str(key): _convert(item, arguments[1], f"{name}.{key}", where) for key, item in value.items()}
    if origin is dict and isinstance(value, dict):
        empty = "" if arguments[1] is str else None
        items = {str(key): empty if item is None else item for key, item in value.items()}
        return {key: _convert(item, arguments[1], f"{name}.{key}", where) for key, item in items.items()}
    if dataclasses.is_dataclass(hint):
        built = hint()
        _merge(built, value, where, f"{name}.", hint)
        return built
    if hint is bool and isinstance(value, bool):
        return value
    if hint is str and isinstance(value, (str, int, float)) and not isinstance(value, bool):
        return str(value)
    if hint in (int, float) and not isinstance(value, bool):
        try:
            number = float(value)
            if math.isfinite(number) and (hint is float or number == int(number)):
                return hint(value) if isinstance(value, int) else hint(number)
        except (TypeError, ValueError, OverflowError):
            pass
    raise UserError(f"{where}: {name} cannot be {value!r}; it takes {_describe(hint)}")


def _describe(hint: Any) -> str:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        return ", ".join(map(str, arguments))
    if origin in (typing.Union, types.UnionType):
        return " or ".join(map(_describe, arguments))
    if origin in (list, dict):
        return {list: "a list", dict: "a mapping"}[origin]
    return {int: "a whole number", float: "a number", bool: "true or false", str: "text"}.get(hint, str(hint))
