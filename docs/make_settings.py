"""Writes what is made from config.py: `configs/schema.json`, for editors, and `docs/settings.md`, for readers.

python docs/make_settings.py
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from config import Config, CorpusConfig, systems  # noqa: E402 -- only now can it be found
from utils.setting_messages import describe, is_section  # noqa: E402
from utils.settings import Settings  # noqa: E402

INTRODUCTION = """# Settings

This page lists every setting: its type and bounds, its default and its meaning. It is made from `config.py` by
`bash set_env.sh settings`.

Give settings in YAML files with `--config`, a block for each section, or one at a time with `--set section.key=value`.
Later files win over earlier ones, and `--set` wins over files. A mapping in a later file replaces the earlier one.
To change one entry of a mapping, give its name as well: `--set mix.weights.A=2`. All mistakes are reported together,
before anything is read.

Each shipped config begins with a `yaml-language-server` line, so that editors with a YAML language server complete and
check it against `configs/schema.json`.
"""


def schema() -> str:
    """The JSON schema of a configuration file, in which everything is optional."""
    made = {"$schema": "https://json-schema.org/draft/2020-12/schema", **_without_titles(Config.model_json_schema())}
    return json.dumps(made, ensure_ascii=False, indent=2) + "\n"


def _without_titles(schema: Any) -> Any:
    """Titles only repeat the names."""
    if isinstance(schema, list):
        return [_without_titles(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {key: one for key, one in schema.items() if key != "title" or not isinstance(one, str)}
    return {key: _without_titles(one) for key, one in kept.items()}


def page() -> str:
    """The tables of all settings, as Markdown."""
    tables = [_table(f"`{name}`", field.annotation) for name, field in Config.model_fields.items()]
    place = list(Config.model_fields).index("data") + 1
    tables.insert(place, _table("A corpus", CorpusConfig))
    return "\n".join([INTRODUCTION, *tables])


def _table(title: str, section: Any) -> str:
    assert issubclass(section, Settings)
    lines = [f"## {title}", "", _one_line(section.__doc__ or ""), ""]
    lines += ["| setting | values | default | meaning |", "|---|---|---|---|"]
    for name, field in section.model_fields.items():
        default = field.get_default(call_default_factory=True)
        shown = "" if isinstance(default, Settings) else f"`{json.dumps(default, ensure_ascii=False)}`"
        values = _values(name, section, field.annotation, field.metadata)
        lines.append(f"| `{name}` | {values} | {shown} | {_one_line(field.description or '')} |")
    return "\n".join(lines) + "\n"


def _values(name: str, section: type[Settings], hint: Any, bounds: list[Any]) -> str:
    if section.__name__ == "ModelConfig" and name == "name":
        return f"one of {', '.join(systems())}"
    if is_section(hint):
        return "[a corpus](#a-corpus)"
    if hint == list[CorpusConfig]:
        return "a list of [corpora](#a-corpus)"
    return describe(hint, bounds)


def _one_line(text: str) -> str:
    return " ".join(text.split())


def main() -> None:
    (ROOT / "configs" / "schema.json").write_text(schema(), encoding="utf-8")
    (ROOT / "docs" / "settings.md").write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
