"""Reads YAML. Values mean what was typed, and nothing in a file can run, hang or be lost without a word.

| in the file              | becomes                                                                      |
|--------------------------|------------------------------------------------------------------------------|
| `3`, `010`, `1:30`, `no` | `Typed`: the characters, and a value if YAML and JSON read the same one      |
| `"3"`, `|` and `>` text  | text                                                                         |
| `null`, `~`, nothing     | None                                                                         |
| `&a` and `*a`            | the same value again, as long as all of it together stays small              |
| a repeated key           | refused, because the first value would be lost                               |
| `!!python/...`, any `!`  | refused                                                                      |
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from utils.errors import UserError

MOST_VALUES = 100_000  # with everything that aliases repeat
NULL = ("", "~", "null", "Null", "NULL")
BOOLS = {word: value for value, words in ((True, "true yes on"), (False, "false no off")) for word in words.split()}
NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,300})(\.[0-9]{1,300})?([eE][-+]?[0-9]{1,3})?")


@dataclass(frozen=True)
class Typed:
    """A value without quotes, as typed. The type of its setting decides what it means."""

    typed: str
    value: Any  # a number or a bool if the characters are one, else the characters

    def __repr__(self) -> str:
        return repr(self.value)


def read_yaml(path: Path, missing: str) -> Any:
    """The contents of a YAML file.

    Raises:
        UserError: the file is missing, which `missing` says, or cannot be read, or is not valid YAML.
    """
    try:
        return parse_yaml(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise UserError(f"{path}: {missing}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read as a UTF-8 text file ({error})") from None
    except YamlError as error:
        raise UserError(f"{path}{error.place}: not valid YAML ({error.reason})") from None


class YamlError(ValueError):
    """Text that is not valid YAML, or not accepted: where and why."""

    def __init__(self, reason: str, line: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.place = "" if line is None else f", line {line}"


def parse_yaml(text: str) -> Any:
    """What one YAML document holds.

    Raises:
        YamlError: it is not valid, or it is refused; see the table above.
    """
    loader = None
    try:
        loader = yaml.SafeLoader(text)  # raises for characters that YAML does not allow
        node = loader.get_single_node()
        return None if node is None else _Builder().build(node)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        reason = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise YamlError(reason, mark.line + 1 if mark else None) from None
    except RecursionError:
        raise YamlError("its blocks are nested too deep") from None
    finally:
        if loader:
            loader.dispose()


class _Builder:
    """Values of nodes. An alias gives its node again, so the same value is built once and counted each time."""

    def __init__(self) -> None:
        self._built: dict[int, tuple[Any, int]] = {}
        self._open: set[int] = set()

    def build(self, node: yaml.Node) -> Any:
        return self._of(node)[0]

    def _of(self, node: yaml.Node) -> tuple[Any, int]:
        """The value, and how many values it holds."""
        key, line = id(node), node.start_mark.line + 1
        if key in self._open:
            raise YamlError("a value contains itself", line)
        if key not in self._built:
            self._open.add(key)
            self._built[key] = built = self._new(node, line)
            self._open.remove(key)
            if built[1] > MOST_VALUES:
                raise YamlError(f"more than {MOST_VALUES} values with those that aliases repeat", line)
        return self._built[key]

    def _new(self, node: yaml.Node, line: int) -> tuple[Any, int]:
        if node.tag not in KNOWN_TAGS:
            raise YamlError(f"tag {node.tag[:60]} is not accepted; put the value in quotes", line)
        if isinstance(node, yaml.ScalarNode):
            return (_plain(node.value) if node.style is None and node.tag in KNOWN_TAGS else node.value), 1
        if isinstance(node, yaml.SequenceNode):
            parts = [self._of(one) for one in node.value]
            return [value for value, _ in parts], 1 + sum(size for _, size in parts)
        found: dict[str, Any] = {}
        total = 1
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise YamlError("a key must be a word", key_node.start_mark.line + 1)
            if key_node.value in found:
                raise YamlError(f"repeated key {key_node.value[:60]}", key_node.start_mark.line + 1)
            found[key_node.value], size = self._of(value_node)
            total += 1 + size
        return found, total


# What the parser gives untagged values. Explicit tags of these kinds change nothing, because the setting decides.
KNOWN_TAGS = {f"tag:yaml.org,2002:{kind}" for kind in
              ("bool", "float", "int", "map", "merge", "null", "seq", "str", "timestamp", "value")}  # fmt: skip


def plain(text: str) -> Any:
    """The value of characters without quotes: None, or `Typed`."""
    return _plain(text.strip())


def _plain(text: str) -> Any:
    if text in NULL:
        return None
    if text.lower() in BOOLS and (text.islower() or text.istitle() or text.isupper()):
        return Typed(text, BOOLS[text.lower()])
    return Typed(text, json.loads(text) if NUMBER.fullmatch(text) else text)
