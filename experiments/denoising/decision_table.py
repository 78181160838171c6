"""Decisions as a table that a person can check, correct and give back, and as a page to read.

The CSV has a byte-order mark, so that spreadsheets read its Chinese. To correct it, change `action` (utils/postprocess/
decisions.py lists what it may be), change `category`, `pos_b` and `pos_e` of a row, or remove or add rows.
"""

from __future__ import annotations

import csv
import html
import io
import itertools
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from data.corpus.document import Document
from data.corpus.label_check import check_label
from data.problems import Problems
from data.spans import Span
from experiments.denoising.decisions import ACTIONS, Decision
from experiments.denoising.votes import Tally
from utils.errors import UserError
from utils.files import atomic_file, csv_row, digest_file, write_text

COLUMNS = ("id", "kind", "category", "pos_b", "pos_e", "privacy", "action", "share", "votes", "voters", "probability",
           "before", "after", "label")  # fmt: skip
NEEDED = ("id", "kind", "category", "pos_b", "pos_e", "action")
CONTEXT = 20  # characters shown on either side


def write_report(decisions: Sequence[Decision], documents: Sequence[Document], folder: Path, title: str) -> None:
    """decisions.csv and decisions.html in a folder."""
    texts = {document.id: document.text for document in documents}
    rows = [_row(decision, texts) for decision in decisions]
    table = csv_row(COLUMNS) + "".join(csv_row(row[name] for name in COLUMNS) for row in rows)
    with atomic_file(folder / "decisions.csv") as path:
        path.write_bytes(table.encode("utf-8-sig"))
    write_text(folder / "decisions.html", _page(rows, title, digest_file(folder / "decisions.csv")))


def keep_corrections(folder: Path) -> Path | None:
    """Give decisions.csv another name if it is not as it was written; the new name, or None.

    The page beside it knows its digest. A table of which that is not known is kept, too.
    """
    table, page = folder / "decisions.csv", folder / "decisions.html"
    if not table.exists() or (page.exists() and digest_file(table).encode() in page.read_bytes()):
        return None
    names = (folder / f"decisions_corrected_{number}.csv" for number in itertools.count(1))
    return table.rename(next(name for name in names if not name.exists()))


def read_decisions(path: Path, documents: Sequence[Document], problems: Problems) -> list[Decision]:
    """Decisions as a person left them; a row that fits no text or label is dropped with a line in `problems`.

    The column `label` tells which label a doubtful row is of, whatever has become of its bounds and category; a row
    without one is of the label that stands there.

    Raises:
        UserError: the file is missing, is no such table, or holds a kind or an action that does not exist, or a number
            that is none.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error}); give a decisions.csv") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: not UTF-8; save it from the spreadsheet as CSV UTF-8") from None
    reader = csv.DictReader(io.StringIO(text, newline=""))
    try:
        columns, rows = reader.fieldnames or (), list(reader)
    except csv.Error as error:  # a quote that nothing closes makes one field of all that follows
        line = f"{path}, line {reader.line_num}"
        raise UserError(f"{line}: not CSV ({error}); look for a stray quote before it") from None
    if missing := [name for name in NEEDED if name not in columns]:
        raise UserError(f"{path}: no column {', '.join(missing)}; a table of decisions has {', '.join(NEEDED)}")
    texts = {document.id: document.text for document in documents}
    labels = {document.id: {_named(span): span for span in document.spans} for document in documents}
    decisions = []
    for number, row in enumerate(rows, start=2):
        where = f"{path}, row {number}"  # as a spreadsheet counts; a row may run over several lines
        allowed = ACTIONS.get(row["kind"])
        if allowed is None:
            raise UserError(f"{where}: kind {row['kind']!r}; it is {' or '.join(ACTIONS)}")
        if row["action"] not in allowed:
            raise UserError(f"{where}: action {row['action']!r}; of a {row['kind']} span it is {', '.join(allowed)}")
        if row["id"] not in texts:
            problems.add("no document of this id", where, repr(row["id"]))
            continue
        # The text in the row may belong to other bounds that the person has corrected, so it is not compared.
        span = check_label(texts[row["id"]], row["category"], row["pos_b"], row["pos_e"], None, where, problems)
        if not span:
            continue
        corrected = None
        if row["kind"] == "doubtful":
            named = row.get("label") or _named(span)
            label = labels[row["id"]].get(named)
            if label is None:
                problems.add("no such label to doubt", where, named)
                continue
            corrected = None if label == span else label
        number = {name: _number(row, name, where) for name in ("votes", "voters", "probability", "share")}
        tally = Tally(int(number["votes"]), int(number["voters"]), number["probability"])
        decisions.append(Decision(row["id"], row["kind"], span, tally, number["share"], row["action"], corrected))
    return decisions


def _number(row: Mapping[str, str], name: str, where: str) -> float:
    """Of a column that a person may have left empty."""
    written = (row.get(name) or "").strip()
    try:
        number = float(written or 0)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise UserError(f"{where}: {name} {written!r}; it is a number, or empty")
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


# --------------------------------------------------------------------------------------------------------------- page

STYLE = """body { font: 15px/1.6 sans-serif; margin: 2em; } table { border-collapse: collapse; }
td, th { border-bottom: 1px solid #ddd; padding: .2em .6em; text-align: left; vertical-align: top; }
.doubtful mark { background: #fcc; } .missing mark { background: #cec; } td.text { white-space: pre-wrap; }"""


def _page(rows: Sequence[Mapping[str, str | int]], title: str, digest: str) -> str:
    """A page that stands alone: a line for each decision with its text in context. `digest` is that of the table."""
    counts: dict[tuple[str, str], int] = {}
    for row in rows:
        key = str(row["category"]), str(row["kind"])
        counts[key] = counts.get(key, 0) + 1
    summary = "".join(
        f"<tr><td>{_escaped(category)}</td><td>{counts.get((category, 'doubtful'), 0)}</td>"
        f"<td>{counts.get((category, 'missing'), 0)}</td></tr>\n"
        for category in sorted({category for category, _ in counts})
    )
    lines = "".join(
        f'<tr class="{row["kind"]}"><td>{_escaped(row["id"])}</td><td>{row["kind"]}</td>'
        f"<td>{_escaped(row['category'])}</td><td>{row['pos_b']}-{row['pos_e']}</td>"
        f'<td class="text">{_escaped(row["before"])}<mark>{_escaped(row["privacy"])}</mark>'
        f"{_escaped(row['after'])}</td>"
        f"<td>{row['votes']}/{row['voters']}</td><td>{row['probability']}</td><td>{row['action']}</td></tr>\n"
        for row in rows
    )
    return (
        f'<!doctype html>\n<html lang="zh"><head><meta charset="utf-8"><title>{_escaped(title)}</title>\n'
        f'<meta name="decisions.csv" content="{digest}">\n'
        f"<style>{STYLE}</style></head><body>\n<h1>{_escaped(title)}</h1>\n"
        f"<table><tr><th>category</th><th>doubtful</th><th>missing</th></tr>\n{summary}</table>\n"
        "<p>Most certain first. Red: a label that is doubtful; green: a span that no label has.</p>\n"
        "<table><tr><th>id</th><th>kind</th><th>category</th><th>place</th><th>text</th><th>votes</th>"
        f"<th>probability</th><th>action</th></tr>\n{lines}</table>\n</body></html>\n"
    )


def _escaped(value: str | int) -> str:
    return html.escape(str(value))
