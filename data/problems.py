"""The list of what could not be used as it was, and why."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Problems:
    """What was dropped or changed on the way, and why. Readers add to it and go on; a run's last line counts it.

    Attributes:
        counts: what was dropped, by reason.
        changed: what was kept, but not as it stood, by reason.
        messages: a line for each, as far as they are kept.
        warnings: what is probably a mistake, though nothing was dropped or changed for it.
    """

    counts: Counter[str] = field(default_factory=Counter)
    changed: Counter[str] = field(default_factory=Counter)
    messages: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    keep: int = 200  # messages kept in full; the counts are always complete

    def add(self, reason: str, where: str, detail: str = "") -> None:
        """Something was dropped.

        `reason` is what gets counted ("label text differs"), `where` a file and line, `detail` what was found.
        """
        self._count(self.counts, reason, where, detail)

    def change(self, reason: str, where: str, detail: str = "") -> None:
        """Something was kept, but not as it stood ("unknown tag, read as O")."""
        self._count(self.changed, reason, where, detail)

    def _count(self, counts: Counter[str], reason: str, where: str, detail: str) -> None:
        counts[reason] += 1
        if len(self.messages) < self.keep:
            self.messages.append(f"{where}: {reason}" + (f": {detail}" if detail else ""))

    @property
    def found(self) -> bool:
        """Whether there is anything to tell."""
        return bool(self.messages or self.warnings)

    def summary(self) -> str:
        """`dropped 3: label text differs 2, empty text 1; changed 1: unknown tag, read as O 1`, `dropped nothing`."""
        dropped = _counted("dropped", self.counts) if self.counts else "dropped nothing"
        return dropped + (f"; {_counted('changed', self.changed)}" if self.changed else "")

    def report(self, shown: int = 20) -> str:
        """For a person: the warnings and the first messages in full, then how many more, last the summary."""
        lines = [f"  {message}" for message in (*self.warnings, *self.messages[:shown])]
        if (more := self.counts.total() + self.changed.total() - shown) > 0:
            lines.append(f"  ... and {more} more")
        return "\n".join([*lines, self.summary()])


def _counted(what: str, counts: Counter[str]) -> str:
    reasons = ", ".join(f"{reason} {count}" for reason, count in counts.most_common())
    return f"{what} {counts.total()}: {reasons}"
