"""Cells of a CSV that a spreadsheet shows as they are.

A spreadsheet would compute a cell that begins like a formula. Such a cell, and one that begins with an apostrophe, gets
an apostrophe in front, which is removed again when the table is read.
"""

from __future__ import annotations

FORMULA = tuple("=+-@＝＋－＠\t\r'")  # what a guarded cell begins with; spreadsheets take full-width signs, too


def guarded(cell: str | int) -> str | int:
    """The cell as it is written."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) else cell


def unguarded(cell: str) -> str:
    """The cell as it was before `guarded`. A cell that a person has typed needs no apostrophe."""
    return cell.removeprefix("'")
