"""The mark of encoders that this program has written, and may therefore replace: a key in their config.json."""

from __future__ import annotations

from pathlib import Path

from utils.errors import UserError
from utils.files import read_json, write_json

KEY, VALUE = "written_by", "chinese-ner-on-noisy-labels"


def mark_as_written(folder: Path) -> None:
    """Mark the encoder in a folder."""
    path = folder / "config.json"
    write_json(path, read_json(path, "fetch the encoder again") | {KEY: VALUE})


def is_written_here(folder: Path) -> bool:
    """Whether the encoder in a folder was written by `--mode pretrain` or `--mode convert-encoder`."""
    try:
        found = read_json(folder / "config.json", "")
    except UserError:
        return False
    return isinstance(found, dict) and found.get(KEY) == VALUE
