"""Decisions as a table that a person can check and correct, read back again, and as a page to look at.

To correct the CSV, change the `action` of a row (decisions.py lists the actions), change its `category`, `pos_b` and
`pos_e`, or remove or add rows. The file has a byte-order mark, so that spreadsheets show its Chinese.
Cells that a spreadsheet would compute are guarded (utils/spreadsheet.py).
"""

from __future__ import annotations

import csv
import io
import itertools
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import get_args

from data.corpus.document import Document
from data.corpus.label_check import check_label
from data.problems import Problems
from data.spans import Span, clash
from experiments.denoising.decision_page import page
from experiments.denoising.decisions import ACTIONS, Decision, DecisionKind, apply_decisions
from experiments.denoising.votes import Tally
from utils.errors import UserError
from utils.files import CSV_ENCODING, atomic_file, csv_row, digest_file, write_text
from utils.spreadsheet import guarded, unguarded

COLUMNS = ("id", "kind", "category", "pos_b", "pos_e", "privacy", "action", "share", "votes", "voters", "probability",
           "before", "after", "label")  # fmt: skip
NEEDED = ("id", "kind", "category", "pos_b", "pos_e", "action")
NUMBERS = ("votes", "voters", "probability", "share")
SHARES = ("probability", "share")
MOST_VOTERS = 1e6
LONGEST_CELL = 2**17  # characters; an unclosed quote makes one cell of the rest of the file
CONTEXT = 20  # characters shown on either side


def write_report(decisions: Sequence[Decision], documents: Sequence[Document], folder: Path, title: str) -> None:
    """Write decisions.csv and decisions.html to a folder."""
    texts = {document.id: document.text for document in documents}
    rows = [_row(decision, texts) for decision in decisions]
    table = csv_row(COLUMNS) + "".join(csv_row(guarded(row[name]) for name in COLUMNS) for row in rows)
    with atomic_file(folder / "decisions.csv") as path:
        path.write_bytes(table.encode(CSV_ENCODING))
    write_text(folder / "decisions.html", page(rows, title, digest_file(folder / "decisions.csv")))


def keep_corrections(folder: Path) -> Path | None:
    """Rename decisions.csv if a person has changed it; returns the new path, or None.

    decisions.html holds the digest of the table as it was written. Without that page the table is renamed, too.
    """
    table, page = folder / "decisions.csv", folder / "decisions.html"
    if not table.exists() or (page.exists() and digest_file(table).encode() in page.read_bytes()):
        return None
    names = (folder / f"decisions_corrected_{number}.csv" for number in itertools.count(1))
    return table.rename(next(name for name in names if not name.exists()))


def read_decisions(path: Path, documents: Sequence[Document], problems: Problems) -> list[Decision]:
    """The decisions of a table that a person may have corrected.

    A row that fits no text or label is dropped with a line in `problems`. The column `label` names the label that a
    doubtful row is about, even if its bounds or category were changed. If it is empty, the row is about the label at
    its own bounds.

    Raises:
        UserError: the file is missing or not such a table, or it has an unknown kind or action, or text in a column of
            numbers.
    """
    try:
        text = path.read_bytes().decode(CSV_ENCODING)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error}); name a decisions.csv") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: not UTF-8; save it from the spreadsheet as CSV UTF-8") from None
    reader = csv.DictReader(io.StringIO(text, newline=""))
    csv.field_size_limit(LONGEST_CELL)  # of this process, and another reader may have raised it
    try:
        columns, rows = reader.fieldnames or (), [_unguarded(row) for row in reader]
    except csv.Error as error:  # after an unclosed quote, the rest of the file is one field
        line = f"{path}, line {reader.line_num}"
        raise UserError(f"{line}: not CSV ({error}); look for a stray quote before it") from None
    if missing := [name for name in NEEDED if name not in columns]:
        raise UserError(f"{path}: no column {', '.join(missing)}; a table of decisions has {', '.join(NEEDED)}")
    of_id = {document.id: document for document in documents}
    # Rows are counted as a spreadsheet counts them. A row may span several lines.
    found = [_decision(row, of_id, f"{path}, row {number}", problems) for number, row in enumerate(rows, start=2)]
    decisions = [decision for decision in found if decision]
    _refuse_clashes(path, documents, decisions, {decision: row for row, decision in enumerate(found, 2) if decision})
    return decisions


def _unguarded(row: Mapping[str, str]) -> dict[str, str]:
    return {name: unguarded(cell) if isinstance(cell, str) else cell for name, cell in row.items()}


def _refuse_clashes(
    path: Path, documents: Sequence[Document], decisions: Sequence[Decision], rows: Mapping[Decision, int]
) -> None:
    """Raise UserError if a row makes a label that overlaps another one of its category, which no tags could hold."""
    of_document = {document.id: document for document in documents}
    touched = {decision.document for decision in decisions}
    cleaned = apply_decisions([of_document[identity] for identity in touched], decisions)
    for document in cleaned:
        new = set(document.spans) - set(of_document[document.id].spans)
        for span in sorted(new, key=lambda span: span.begin):
            if other := next((one for one in document.spans if one != span and clash(one, span)), None):
                row = next(rows[one] for one in decisions if (one.document, one.span) == (document.id, span))
                raise UserError(f"{path}, row {row}: {_named(span)} overlaps {_named(other)}, another label of its "
                                "category; correct or remove one of them")  # fmt: skip


def _decision(
    row: Mapping[str, str], documents: Mapping[str, Document], where: str, problems: Problems
) -> Decision | None:
    """The decision of a row, or None with a line in `problems` where the row fits no text or label."""
    kind = _kind(row["kind"], where)
    if row["action"] not in ACTIONS[kind]:
        raise UserError(f"{where}: action {row['action']!r}; of a {kind} span it is {', '.join(ACTIONS[kind])}")
    document = documents.get(row["id"])
    if document is None:
        problems.add("no document of this id", where, repr(row["id"]))
        return None
    # The row's text is not compared: it belongs to the bounds from before a correction.
    span = check_label(document.text, row["category"], row["pos_b"], row["pos_e"], None, where, problems)
    if not span:
        return None
    corrected = None
    if kind == "doubtful":
        named = row.get("label") or _named(span)
        label = next((one for one in document.spans if _named(one) == named), None)
        if label is None:
            problems.add("no such label to doubt", where, named)
            return None
        corrected = None if label == span else label
    votes, voters, probability, share = (_number(row, name, where) for name in NUMBERS)
    tally = Tally(int(votes), int(voters), probability)
    return Decision(document.id, kind, span, tally, share, row["action"], corrected)


def _kind(written: str, where: str) -> DecisionKind:
    for kind in get_args(DecisionKind):
        if written == kind:
            return kind
    raise UserError(f"{where}: kind {written!r}; it is {' or '.join(get_args(DecisionKind))}")


def _number(row: Mapping[str, str], name: str, where: str) -> float:
    """The number in a column; 0 where a person has left it empty."""
    written = (row.get(name) or "").strip()
    try:
        number = float(written or 0)
    except ValueError:
        number = math.nan
    if not math.isfinite(number) or number < 0 or (name in SHARES and number > 1) or number > MOST_VOTERS:
        wanted = "a number from 0 to 1" if name in SHARES else "a number of votes"
        raise UserError(f"{where}: {name} {written!r:.40}; it is {wanted}, or empty")
    return number


def _named(span: Span) -> str:
    return f"{span.category} {span.begin} {span.end}"


def _row(decision: Decision, texts: Mapping[str, str]) -> dict[str, str | int]:
    text, span, tally = texts[decision.document], decision.span, decision.tally
    return {
        "id": decision.document,
        "kind": decision.kind,
        "category": span.category,
        "pos_b": span.begin,
        "pos_e": span.end,
        "privacy": text[span.begin : span.end + 1],
        "action": decision.action,
        "share": f"{decision.share:.4f}",
        "votes": tally.votes,
        "voters": tally.voters,
        "probability": f"{tally.probability:.4f}",
        "before": text[max(span.begin - CONTEXT, 0) : span.begin],
        "after": text[span.end + 1 : span.end + 1 + CONTEXT],
        "label": _named(decision.corrected or span) if decision.kind == "doubtful" else "",
    }
