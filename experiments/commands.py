"""Commands of this program in processes of their own, so that each has its own memory and its own failures."""

from __future__ import annotations

import sys
from pathlib import Path

from utils.lifeline import run_child

ROOT = Path(__file__).parents[1]


def run_script(log: Path, script: str, *arguments: str) -> str:
    """Run preprocess.py or main.py and append what it prints to a log. It ends with this process.

    Returns:
        The last line that a failed command printed, or an empty string if it succeeded.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        status = run_child([sys.executable, str(ROOT / script), *arguments], output)
    if status == 0:
        return ""
    lines = log.read_text(encoding="utf-8", errors="replace").replace("\r", "\n").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), f"exit status {status}")
