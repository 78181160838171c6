"""Messages on invalid settings: what pydantic finds wrong, in the words of our messages."""

from __future__ import annotations

import difflib
import types
import typing
from collections.abc import Iterable
from typing import Annotated, Any, Literal, NamedTuple, TypeGuard

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from utils.errors import shown

Keys = tuple[str | int, ...]  # from the top of a configuration down to a value


class Setting(NamedTuple):
    """A setting as its declaration has it; `hint` is None if there is no such setting."""

    name: str  # as messages write it
    hint: Any
    bounds: list[Any]
    parent: type[BaseModel]


def find_setting(model: type[BaseModel], path: Keys) -> Setting:
    """The declaration at a path, or as far down as it goes: pydantic adds the options of a union."""
    found = Setting("", model, [], model)
    for part in path:
        name, hint, _, parent = found
        if is_section(hint):
            name, parent = f"{name}.{part}".lstrip("."), hint
            if part not in hint.model_fields:
                return Setting(name, None, [], parent)
            field = hint.model_fields[part]
            found = Setting(name, field.annotation, field.metadata, parent)
        elif typing.get_origin(hint) in (list, dict):
            name += f"[{part}]" if isinstance(part, int) else f".{part}"
            found = Setting(name, *without_annotations(typing.get_args(hint)[-1]), parent)
        else:
            break
    return found


def explain(model: type[BaseModel], setting: Setting, error: ErrorDetails) -> str:
    """What is wrong with one value."""
    if setting.hint is None:
        return f"unknown setting {setting.name}{_nearest(setting, model)}"
    value, kind = error["input"], error["type"]
    if kind == "value_error":  # of a section's own check
        wanted = str(error["ctx"]["error"])
    elif kind == "too_short":
        wanted = "must not be empty"
    elif kind in ("greater_than", "greater_than_equal", "less_than", "less_than_equal"):
        wanted = f"must be {describe_bounds(setting.bounds)}"
    else:
        wanted = f"must be {describe(setting.hint, setting.bounds)}"
    return f"{setting.name} ({shown(value)}) {wanted}"


def _nearest(setting: Setting, root: type[BaseModel]) -> str:
    """The same key in other sections, else the nearest known one, in this section first, then anywhere."""
    prefix, _, key = setting.name.rpartition(".")
    prefix += "." if prefix else ""
    known = setting.parent.model_fields
    everywhere: dict[str, list[str]] = {}
    for section, field in root.model_fields.items():
        for option in field.annotation.model_fields if is_section(field.annotation) else ():
            everywhere.setdefault(option, []).append(f"{section}.{option}")
    if key in everywhere:
        return f"; did you mean {' or '.join(everywhere[key])}?"
    if close := difflib.get_close_matches(key, known, n=1, cutoff=0.5):
        return f"; did you mean {prefix}{close[0]}?"
    if close := difflib.get_close_matches(key, everywhere, n=1, cutoff=0.8):
        return f"; did you mean {' or '.join(everywhere[close[0]])}?"
    return f"; known here: {', '.join(known)}"


def describe(hint: Any, bounds: Iterable[Any] = ()) -> str:
    """What a setting of this type takes, in words."""
    hint, more = without_annotations(hint)
    bounds = [*bounds, *more]
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        return f"one of {', '.join(map(str, arguments))}" if len(arguments) > 1 else str(arguments[0])
    if origin in (typing.Union, types.UnionType):
        return " or ".join(describe(one) for one in arguments)
    if is_section(hint):
        bare = getattr(hint, "bare", "")
        return "a section with settings of its own" + (f", or its {bare}" if bare else "")
    if origin is list:
        return f"a list, each {describe(arguments[0])}"
    if origin is dict:
        return f"a mapping from names to {describe(arguments[1])}"
    words = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}.get(hint, str(hint))
    limits = describe_bounds(bounds)
    return f"{words} of {limits}" if limits.startswith("at") else f"{words} {limits}".rstrip()


def describe_bounds(bounds: Iterable[Any]) -> str:
    """The bounds of a number, in words; empty if it has none."""
    words = {"ge": "at least", "gt": "greater than", "le": "at most", "lt": "less than"}
    limits = [f"{word} {getattr(bound, name):g}" for bound in bounds for name, word in words.items()
              if getattr(bound, name, None) is not None]  # fmt: skip
    return " and ".join(limits)


def is_section(hint: Any) -> TypeGuard[type[BaseModel]]:
    return isinstance(hint, type) and issubclass(hint, BaseModel)


def without_annotations(hint: Any) -> tuple[Any, list[Any]]:
    """The type within an `Annotated` one, and its bounds."""
    if typing.get_origin(hint) is not Annotated:
        return hint, []
    hint, *annotations = typing.get_args(hint)
    return hint, [bound for one in annotations for bound in (one.metadata if isinstance(one, FieldInfo) else [one])]
