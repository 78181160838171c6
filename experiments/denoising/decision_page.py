"""The page that shows decisions, decisions.html."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence

STYLE = """body { font: 15px/1.6 sans-serif; margin: 2em; } table { border-collapse: collapse; }
td, th { border-bottom: 1px solid #ddd; padding: .2em .6em; text-align: left; vertical-align: top; }
.doubtful mark { background: #fcc; } .missing mark { background: #cec; } td.text { white-space: pre-wrap; }"""


def page(rows: Sequence[Mapping[str, str | int]], title: str, digest: str) -> str:
    """A page without other files: counts by category, then a line for each decision with its text in context.

    Args:
        rows: of the table of decisions, by column.
        title: of the page.
        digest: of the table as it was written, kept in the page.
    """
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
        "<p>Most certain first. Red: a doubtful label. Green: a missing span.</p>\n"
        "<table><tr><th>id</th><th>kind</th><th>category</th><th>place</th><th>text</th><th>votes</th>"
        f"<th>probability</th><th>action</th></tr>\n{lines}</table>\n</body></html>\n"
    )


def _escaped(value: str | int) -> str:
    return html.escape(str(value))
