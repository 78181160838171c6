"""What was dropped or changed while reading, and why."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from utils.errors import one_line


@dataclass
class Problems:
    """A list of what was dropped or changed. Readers add to it and continue; the last line of a run counts it.

    Attributes:
        counts: what was dropped, by reason.
        changed: what was kept in another form, by reason.
        messages: a line for each of the first `keep`; see `one_line`.
        warnings: probable mistakes for which nothing was dropped or changed.
        notes: how each corpus was read, such as "train.conll: bmes, tags BIO".
        labels_lost: how many labels were dropped.
    """

    counts: Counter[str] = field(default_factory=Counter)
    changed: Counter[str] = field(default_factory=Counter)
    messages: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    labels_lost: int = 0
    keep: int = 200  # messages; the counts are always complete

    def add(self, reason: str, where: str, detail: str = "", labels: int = 0) -> None:
        """Record that something was dropped.

        Args:
            reason: counted, such as "label text differs".
            where: file and line.
            detail: what was found there.
            labels: how many labels were dropped with it.
        """
        self._count(self.counts, reason, where, detail)
        self.labels_lost += labels

    def change(self, reason: str, where: str, detail: str = "") -> None:
        """Record that something was kept in another form, such as "unknown tag, read as O"; see `add`."""
        self._count(self.changed, reason, where, detail)

    def _count(self, counts: Counter[str], reason: str, where: str, detail: str) -> None:
        counts[reason] += 1
        if len(self.messages) < self.keep:
            self.messages.append(one_line(f"{where}: {reason}" + (f": {detail}" if detail else "")))

    @property
    def found(self) -> bool:
        """Whether there is a message or a warning."""
        return bool(self.messages or self.warnings)

    def summary(self) -> str:
        """One line: `dropped 3: label text differs 2, empty text 1; changed 1: unknown tag, read as O 1`."""
        dropped = _counted("dropped", self.counts) if self.counts else "dropped nothing"
        return dropped + (f"; {_counted('changed', self.changed)}" if self.changed else "")

    def report(self, shown: int = 20) -> str:
        """The notes, the warnings, the first messages, the number of the others, and the summary, a line each."""
        lines = [f"  {message}" for message in (*self.notes, *self.warnings, *self.messages[:shown])]
        if (more := self.counts.total() + self.changed.total() - shown) > 0:
            lines.append(f"  ... and {more} more")
        return "\n".join([*lines, self.summary()])


def _counted(what: str, counts: Counter[str]) -> str:
    reasons = ", ".join(f"{reason} {count}" for reason, count in counts.most_common())
    return f"{what} {counts.total()}: {reasons}"
