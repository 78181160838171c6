"""Reads settings from YAML files and `section.key=value` pairs into pydantic models, and words what is wrong.

Nothing here knows which settings exist. A configuration is a `Settings` model whose fields are sections, each of which
is a `Settings` model too.
"""

from __future__ import annotations

import json
import math
import re
import types
import typing
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Self, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    GetJsonSchemaHandler,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from utils.errors import UserError, looked_in, shown
from utils.setting_messages import Keys, explain, find_setting, is_section, without_annotations
from utils.yaml_files import Typed, YamlError, parse_yaml, read_yaml

Layer = tuple[str, dict[str, Any]]  # how messages name a file or a --set pair, and the nested values that it gives
Origins = dict[Keys, str]  # which layer gave a value


# ------------------------------------------------------------------------------------------------------------- models


class Settings(BaseModel):
    """A section of settings, or a section within a section.

    Types are strict: `true` is not a number. There are three exceptions, because YAML reads `1e-5` as text and `007` as
    a number. Text that is a number can be one, 1.0 can be a whole number, and a number can be text.
    """

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True)

    bare: ClassVar[str] = ""  # the field that a bare string gives in place of the whole section, if there is one

    def mistakes(self) -> Iterator[str]:
        """A message for each contradiction in this section.

        A message must name each setting that it judges as `section.key`. It is left out where one of these is invalid.
        """
        return iter(())

    @model_validator(mode="before")
    @classmethod
    def _from_bare_string(cls, values: Any) -> Any:
        return {cls.bare: values} if cls.bare and isinstance(values, str) else values

    @field_validator("*", mode="before")
    @classmethod
    def _as_typed(cls, value: Any, info: ValidationInfo) -> Any:
        return _typed(value, cls.model_fields[str(info.field_name)].annotation)

    @field_validator("*", mode="after")
    @classmethod
    def _within_reach(cls, value: Any) -> Any:
        """Refuse what no computation or file name can take: numbers of too many digits, NUL, half surrogate pairs."""
        if isinstance(value, int) and abs(value) > LARGEST_NUMBER:
            raise ValueError(f"must be at most {LARGEST_NUMBER}")
        texts = value if isinstance(value, (list, dict)) else [value]
        if any(isinstance(text, str) and UNWRITABLE.search(text) for text in texts):
            raise ValueError("must not hold a NUL character or half a surrogate pair")
        return value

    @model_validator(mode="after")
    def _judge(self, info: ValidationInfo) -> Self:
        found = list(self.mistakes())
        if info.context is not None:  # `build` collects them
            info.context.extend(found)
        elif found:
            raise ValueError("; ".join(found))
        return self

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        schema = handler(core_schema)
        own = handler.resolve_ref_schema(schema)
        own["type"] = ["object", "string", "null"] if cls.bare else ["object", "null"]
        for setting in own["properties"].values():
            if setting.get("additionalProperties") == {"type": "string"}:
                setting["additionalProperties"] = {"type": ["string", "null"]}
        return schema


LARGEST_NUMBER = 2**31 - 1
UNWRITABLE = re.compile("[\x00\ud800-\udfff]")

Model = TypeVar("Model", bound=Settings)


class Follows(NamedTuple):
    """The value of a setting that exists no longer and that follows from other settings now."""

    rule: str  # completes "it is always ..."
    accepted: Callable[[Any], Collection[Any]]  # takes the configuration


# ------------------------------------------------------------------------------------------------------------- layers


class _Dotted(dict):
    """The nested form of `section.key=value`. For a setting that is a mapping it gives one key and keeps the others."""


def read_layers(paths: Iterable[str | Path] | None, overrides: Iterable[str] | None) -> Iterator[Layer]:
    """The values of each YAML file and each `section.key=value`, as nested dictionaries, and how messages name it.

    Raises:
        UserError: a file is missing or is not YAML, or an override has no value.
    """
    for path in paths or []:
        yield str(path), _read_yaml(Path(path))
    for override in overrides or []:
        yield f"--set {override}", _read_override(override)


def _read_override(override: str) -> dict[str, Any]:
    key, equals, text = override.partition("=")
    if not equals:
        raise UserError(f"--set {override}: expected section.key=value")
    *outer, last = key.strip().split(".")
    nested = _Dotted({last: _read_value(text)})
    for name in reversed(outer):
        nested = _Dotted({name: nested})
    return nested


def _read_value(text: str) -> Any:
    """A value of the command line. A text setting gets all of it, `#` and the like too."""
    typed = text.strip()
    try:
        value = parse_yaml(text) if text else Typed("", "")
    except YamlError:
        return Typed(typed, typed)
    return Typed(typed, value.value) if isinstance(value, Typed) else value


def _read_yaml(path: Path) -> dict[str, Any]:
    loaded = read_yaml(path, f"no such configuration file{looked_in(path)}; some are shipped in configs/")
    if loaded is None:
        return {}
    if not isinstance(loaded, dict):
        raise UserError(f"{path}: expected `section:` blocks at the top level, found {shown(loaded)}")
    return loaded


def build(base: Model, layers: Iterable[Layer], retired: Mapping[str, Any] | None = None) -> Model:
    """`base` with the values of each layer in turn; later layers win.

    A mapping replaces the earlier one, but `section.setting.key=value` gives one key. None, as YAML has it where
    everything in a section is commented out, changes nothing in a section.

    Args:
        base: what the layers change; it stays as it is.
        layers: as `read_layers` gives them.
        retired: settings that exist no longer, as `section.key`, and the value or `Follows` that they always have now.

    Raises:
        UserError: with a line for each mistake: unknown keys, wrong types, values out of bounds, contradictions between
            valid values, and retired settings with another value. An unknown key comes with the nearest known one.
    """
    values, origins = merge(base, layers)
    gone = _take_retired(values, retired or {})
    settings, lines = _validate(type(base), values, origins)
    for name, value in gone.items():
        constant = (retired or {})[name]
        accepted = constant.accepted(settings) if isinstance(constant, Follows) else (constant,)
        if not any(_typed(value, type(one)) == one for one in accepted):
            rule = constant.rule if isinstance(constant, Follows) else json.dumps(constant)
            where = _origin(tuple(name.split(".")), origins)
            lines.append(f"{where}{name} is no longer a setting; it is always {rule}")
    if lines:
        raise UserError(*lines)
    return settings


def read_setting(section: type[Settings], key: str, value: Any) -> Any:
    """The value of one setting by itself, as its section has it, from a valid plain value."""
    hint: Any = section.model_fields[key].annotation
    return TypeAdapter(hint).validate_python(_typed(value, hint))


def merge(base: Settings, layers: Iterable[Layer]) -> tuple[dict[str, Any], Origins]:
    """The plain values of `base` and the layers together, not validated, and which layer gave each value."""
    values, origins = base.model_dump(), Origins()
    for where, layer in layers:
        _merge(type(base), values, layer, where, (), origins)
    return values, origins


def _merge(
    model: type[Settings], into: dict[str, Any], layer: dict[str, Any], where: str, path: Keys, origins: Origins
) -> None:
    for key, value in ((str(key), value) for key, value in layer.items()):
        hint: Any = model.model_fields[key].annotation if key in model.model_fields else None
        here, plain, section = (*path, key), _plain(value, hint), is_section(hint)
        if section and plain is None:
            continue
        if section and isinstance(plain, dict):
            if not isinstance(into.get(key), dict):
                into[key] = {}
            _merge(hint, into[key], value, where, here, origins)
        elif isinstance(value, _Dotted) and isinstance(into.get(key), dict):
            into[key] = into[key] | plain
            origins.update({(*here, one): where for one in plain})
        else:
            into[key] = {hint.bare: plain} if section and hint.bare and isinstance(plain, str) else plain
            for deeper in [one for one in origins if one[: len(here)] == here]:
                del origins[deeper]
            origins[here] = where


def _plain(value: Any, hint: Any) -> Any:
    """A value of a layer, in which characters without quotes are what a setting of this type takes them for."""
    hint, _ = without_annotations(hint)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if isinstance(value, Typed):
        text = hint is str and value.typed.lower() not in ("true", "false")  # these are no names
        return value.typed if text or (is_section(hint) and isinstance(value.value, str)) else value.value
    if isinstance(value, dict):
        inner = arguments[1] if origin is dict else None
        return {str(key): _plain(one, inner) for key, one in value.items()}
    if isinstance(value, list):
        return [_plain(one, arguments[0] if origin is list else None) for one in value]
    return value


def _take_retired(values: dict[str, Any], retired: Mapping[str, Any]) -> dict[str, Any]:
    """The values of retired settings, which are removed, and so are the sections that held nothing else."""
    gone = {}
    for section, key in (name.split(".") for name in retired):
        own = values.get(section)
        if isinstance(own, dict) and key in own:
            gone[f"{section}.{key}"] = own.pop(key)
    for section in {name.split(".")[0] for name in retired}:
        if section in values and not values[section]:
            del values[section]
    return gone


# ---------------------------------------------------------------------------------------------------------- validation


def _typed(value: Any, hint: Any) -> Any:
    """`value` as the type `hint`, where only the way it is written differs; else unchanged, for pydantic to refuse."""
    hint, _ = without_annotations(hint)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        for option in arguments:
            value = _typed(value, option)
    elif origin is list and isinstance(value, list):
        return [_typed(one, arguments[0]) for one in value]
    elif origin is dict and isinstance(value, dict):
        empty = "" if arguments[1] is str else None
        return {str(key): _typed(empty if one is None else one, arguments[1]) for key, one in value.items()}
    elif hint is str and isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    elif hint in (int, float) and isinstance(value, (int, float, str)) and not isinstance(value, bool):
        try:
            number = float(value)
        except (ValueError, OverflowError):
            return value
        if math.isfinite(number) and hint is float:
            return number
        if math.isfinite(number) and number == int(number):
            return value if isinstance(value, int) else int(number)
    return value


def _validate(model: type[Model], values: dict[str, Any], origins: Origins) -> tuple[Model, list[str]]:
    """The settings, with defaults in place of invalid values, and a line for each mistake."""
    contradictions: list[str] = []
    try:
        return model.model_validate(values, context=contradictions), contradictions
    except ValidationError as error:
        mistakes: dict[str, str] = {}
        for detail in error.errors(include_url=False):
            setting = find_setting(model, detail["loc"])
            mistakes.setdefault(setting.name, _origin(detail["loc"], origins) + explain(model, setting, detail))
            _remove(values, detail["loc"])
        invalid = {".".join(map(str, detail["loc"][:2])) for detail in error.errors(include_url=False)}
    contradictions = []
    settings = model.model_validate(values, context=contradictions)
    judged = [one for one in contradictions if not any(_names(one, setting) for setting in invalid)]
    return settings, [*mistakes.values(), *judged]


def _remove(values: dict[str, Any], path: Keys) -> None:
    """Remove the setting of this path, so that its default takes its place."""
    section = values.get(str(path[0]))
    if len(path) == 1:
        values.pop(str(path[0]), None)
    elif isinstance(section, dict):
        section.pop(str(path[1]), None)


def _names(message: str, setting: str) -> bool:
    return re.search(rf"(?<![\w.]){re.escape(setting)}(?!\w)", message) is not None


def _origin(path: Keys, origins: Origins) -> str:
    """How a message begins: the layer that gave the value, if one did."""
    for length in range(len(path), 0, -1):
        if path[:length] in origins:
            return f"{origins[path[:length]]}: "
    return ""
