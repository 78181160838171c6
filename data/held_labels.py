"""Which labels the head of a configuration cannot hold: those that overlap a longer one in their chain of tags.

| system                                | chain          | holds overlapping labels of    |
|---------------------------------------|----------------|--------------------------------|
| model.head span, model.name mrc, forms | none          | all categories                 |
| other heads, crf.scheme per_type      | of a category  | different categories           |
| other heads, crf.scheme bmes          | one            | none                           |
| model.name feature_crf                | one            | none                           |
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from config import Config
from data.corpus.document import Document
from data.spans import Span, fit_in_chains


def count_unheld(config: Config, documents: Iterable[Document]) -> Counter[str]:
    """How many labels of each category the head cannot hold."""
    kind = _chains(config)
    if not kind:
        return Counter()
    left_out = (fit_in_chains(document.spans, lambda span: _chain(kind, span))[1] for document in documents)
    return Counter(span.category for spans in left_out for span in spans)


def describe_unheld(config: Config, counts: Counter[str]) -> str:
    """One line for the user, with what would hold them; empty if the head holds all."""
    if not counts:
        return ""
    head = {
        "feature_crf": "model.name feature_crf",
        "per_type": f"model.head {config.model.head} with crf.scheme per_type",
        "bmes": f"model.head {config.model.head} with crf.scheme bmes",
    }[_chains(config)]
    by_category = ", ".join(f"{category} {count}" for category, count in counts.most_common())
    others = "; crf.scheme per_type holds those that overlap other categories only" if "bmes" in head else ""
    return (f"{head} cannot hold {counts.total()} labels that overlap longer ones ({by_category}), so they are not "
            f"learned; model.head span of a network holds all{others}")  # fmt: skip


def _chains(config: Config) -> str:
    """The kind of chains, or an empty string if there are none."""
    if config.model.name == "feature_crf":
        return "feature_crf"
    holds_all = config.model.name in ("forms", "lac", "mrc", "rules") or config.model.head == "span"
    return "" if holds_all else config.crf.scheme


def _chain(kind: str, span: Span) -> str:
    return span.category if kind == "per_type" else ""
