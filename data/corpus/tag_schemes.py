"""From tags of tokens to spans, whatever the tag scheme.

A tag is `O`, or a letter and a category with a separator between them: `B-PER`, `PER_B`, `b-per`. Letters of the same
kind mean the same: I and M are inside a span, E and L end one, S, U and W are a whole span.

    | grammar                   | letters | span of one token | of three | a span ends        |
    |---------------------------|---------|-------------------|----------|--------------------|
    | BMES, BIOES, BILOU, BMEWO | all     | S                 | B I E    | at its E           |
    | BIO, BIOS                 | B I S   | B or S            | B I I    | before a tag but I |
    | IOB1, IO                  | B I     | I                 | I I I    | before a tag but I |
    | BIOE                      | B I M E | B                 | B I E    | at its E           |

In IOB1 a B begins a span only right after another one of its category. In IO, spans that touch are one.

Style and grammar are chosen for a whole file: the style that reads most tags, and of the grammars the one that forbids
the fewest. Of equals the first in the table is taken.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, product
from typing import NamedTuple

from data.corpus.document import Document
from data.corpus.reader import Located, Lost
from data.problems import Problems
from data.spans import Span, fit_in_chains, sorted_spans

KINDS = {"B": "B", "I": "I", "M": "I", "E": "E", "L": "E", "S": "S", "U": "S", "W": "S"}
SEPARATORS = "-_:./|"
LOOKS_LIKE_TAG = re.compile(rf"[Oo]|[BIMELSUWbimelsuw][{SEPARATORS}].+|.+[{SEPARATORS}][BIMELSUWbimelsuw]", re.DOTALL)
NAMED_TAGS = 10  # unknown tags that are counted one by one


@dataclass(frozen=True)
class TaggedTokens:
    """A sentence as a file has it.

    Attributes:
        id: of its document.
        place: its file or record, for messages.
        lines: the number of each token's line; empty if the place says it all.
        tokens: each is one character or more. The text is all of them, one after the other.
        tags: one for each token; empty where the file has none.
        lost: set if its tags are unknown.
    """

    id: str
    place: str
    lines: list[int]
    tokens: list[str]
    tags: list[str]
    lost: Lost | None = None

    def where(self, position: int) -> str:
        """The place of a token."""
        return f"{self.place}:{self.lines[position]}" if self.lines else self.place


class Tag(NamedTuple):
    """A tag as read: its kind is one of B, I, E, S and O, or ? if it is unknown. The letter is in upper case."""

    kind: str
    letter: str
    category: str
    written: str


OUTSIDE = Tag("O", "O", "", "O")


# -------------------------------------------------------------------------------------------------------------- styles


class Style(NamedTuple):
    """How a letter and a category are written as one tag."""

    letter_first: bool
    separator: str
    upper: bool

    def read(self, written: str) -> Tag:
        """The tag. An unknown letter leaves the category known; anything else unknown leaves it empty."""
        if written in ("O", "o"):
            return OUTSIDE
        parts = written.partition(self.separator) if self.letter_first else written.rpartition(self.separator)
        letter, category = (parts[0], parts[2]) if self.letter_first else (parts[2], parts[0])
        if not category or not letter:
            return Tag("?", "", "", written)
        known = letter.isupper() == self.upper and letter.upper() in KINDS
        return Tag(KINDS[letter.upper()] if known else "?", letter.upper(), category, written)


STYLES = [
    Style(first, separator, upper) for separator, first, upper in product(SEPARATORS, (True, False), (True, False))
]


def choose_style(counts: Counter[str]) -> Style:
    """The style that reads most of the tags; the first of equals."""

    def readable(style: Style) -> int:
        return sum(count for tag, count in counts.items() if style.read(tag).kind != "?")

    return max(STYLES, key=readable)


# ------------------------------------------------------------------------------------------------------------ grammars


class Grammar(NamedTuple):
    """A row of the table above.

    Attributes:
        letters: that it has, besides O.
        closed: whether an E must end a span of several tokens.
        lone_begin: whether a B alone is a span.
        inside_begins: whether an I may begin a span; then a B must follow a span of its category.
    """

    letters: str
    closed: bool = False
    lone_begin: bool = True
    inside_begins: bool = False

    def name(self, found: set[str]) -> str:
        """Its usual name in a file with the letters found."""
        if self.inside_begins:
            return "IOB1" if "B" in found else "IO"
        if not self.closed:
            return "BIOS" if found & {"S", "U", "W"} else "BIO"
        if self.lone_begin:
            return "BIOE"
        if "W" in found:
            return "BMEWO"
        if found & {"L", "U"}:
            return "BILOU"
        return "BMES" if "M" in found else "BIOES"


GRAMMARS = [
    Grammar("BIMELSUW", closed=True, lone_begin=False),
    Grammar("BIS"),
    Grammar("BI", inside_begins=True),
    Grammar("BIME", closed=True),
]


def choose_grammar(sentences: Iterable[Sequence[Tag]]) -> Grammar:
    """The grammar that forbids the fewest tags of the sentences; the first of equals."""
    costs = [0] * len(GRAMMARS)
    for tags in sentences:
        if any(tag.kind != "O" for tag in tags):
            for number, grammar in enumerate(GRAMMARS):
                costs[number] += forbidden(tags, grammar)
    return GRAMMARS[costs.index(min(costs))]


def forbidden(tags: Sequence[Tag], grammar: Grammar) -> int:
    """How many tags of a sentence the grammar does not allow where they stand. Unknown tags do not count."""
    count = sum(tag.letter not in grammar.letters for tag in tags if tag.kind not in "O?")
    category, length = "", 0  # of the span that the next tag may continue
    for tag in (*tags, OUTSIDE):
        continues = tag.kind in "IE" and tag.category == category
        if grammar.closed and category and not continues:
            count += length > 1 or not grammar.lone_begin  # not closed
        if tag.kind in "IE" and tag.letter in grammar.letters and not continues:
            count += not grammar.inside_begins  # not begun
        if tag.kind == "B" and grammar.inside_begins:
            count += tag.category != category  # nothing to part it from
        ends = tag.kind in "OS?" or (tag.kind == "E" and grammar.closed)
        category, length = ("", 0) if ends else (tag.category, length + 1 if continues else 1)
    return count


# ------------------------------------------------------------------------------------------------------------- reading


def read_tagged(sentences: Sequence[TaggedTokens], path: str, problems: Problems) -> Iterator[Located]:
    """The documents of a file's sentences.

    Args:
        sentences: all of the file, because they choose how its tags are read. None is empty.
        path: of the file, for the note on what its tags were read as.
        problems: gets that note, unknown tags by name, and a line for every span that cannot be read.
    """
    counts = Counter(tag for sentence in sentences for tag in sentence.tags)
    style = choose_style(counts)
    known = {written: style.read(written) for written in counts}
    tags = [[known[written] for written in sentence.tags] for sentence in sentences]
    grammar = choose_grammar(tags)
    read = {written: tag.letter for written, tag in known.items() if tag.kind not in "O?"}
    if read:
        example = max(read, key=lambda written: counts[written])
        problems.notes.append(f"{path}: tags read as {grammar.name(set(read.values()))}, such as {example}")
    unknown = Counter({written: counts[written] for written, tag in known.items() if tag.kind == "?"})
    frequent = {written for written, _ in unknown.most_common(NAMED_TAGS)}
    for sentence, own in zip(sentences, tags, strict=True):
        for position, tag in enumerate(own):
            if tag.kind == "?":
                named = f"unknown tag {tag.written!r}" if tag.written in frequent else "another unknown tag"
                problems.change(f"{named if tag.written else 'no tag'}, read as O", sentence.where(position))
        begins = list(accumulate(map(len, sentence.tokens), initial=0))
        spans = (Span(category, begins[first], begins[last + 1] - 1)
                 for category, first, last in _Decoder(grammar, sentence.where, problems).decode(own))  # fmt: skip
        document = Document(sentence.id, "".join(sentence.tokens), sorted_spans(spans))
        yield Located(sentence.where(0), document, sentence.lost)


def describe_tags(tags: Iterable[str]) -> str:
    """The most frequent tags and their counts, for messages."""
    named = Counter(tags).most_common(NAMED_TAGS)
    return f"its tags are {', '.join(f'{tag!r} {count}' for tag, count in named)}" if named else "it has no tags"


# ------------------------------------------------------------------------------------------------------------- writing


def write_tags(document: Document, inside: str, end: str, single: str, problems: Problems) -> list[str]:
    """A tag for each character, as one chain holds the spans. Spans that it cannot hold are reported.

    Args:
        document: to write.
        inside, end, single: the letters of a scheme: M, E, S for BMES, and I, I, B for BIO.
        problems: gets the spans that overlap a longer one.
    """
    tags = ["O"] * len(document.text)
    held, left_out = fit_in_chains(document.spans, lambda span: None)
    for span in left_out:
        place = f"{span.category} {span.begin} to {span.end}"
        problems.add("span that overlaps a longer one", f"document {document.id}", place, labels=1)
    for category, begin, last in held:
        tags[begin : last + 1] = [f"{inside}-{category}"] * (last + 1 - begin)
        tags[begin] = f"{single if begin == last else 'B'}-{category}"
        if begin < last:
            tags[last] = f"{end}-{category}"
    return tags


class _Decoder:
    """Reads the spans of one sentence. What it cannot read is reported and dropped."""

    def __init__(self, grammar: Grammar, where: Callable[[int], str], problems: Problems) -> None:
        self.grammar = grammar
        self.where = where
        self.problems = problems
        self.spans: list[tuple[str, int, int]] = []  # category, first and last token
        # The span that is open: its category, "" for none, and its first token, None if it is reported already.
        self.category = ""
        self.first: int | None = None

    def decode(self, tags: Sequence[Tag]) -> list[tuple[str, int, int]]:
        for position, (tag, after) in enumerate(zip(tags, _next_known(tags), strict=True)):
            if tag.kind == "?":
                self._unknown(position, tag, after)
            elif tag.kind in "IE" and tag.category == self.category:
                if tag.kind == "E":  # ends its span where other spans are not closed, too
                    self._emit(position)
            elif tag.kind == "E" or (tag.kind == "I" and not self.grammar.inside_begins):
                self._not_begun(position, tag)
            else:
                self._end_before(position)
                if tag.kind != "O":
                    self.category, self.first = tag.category, position
                if tag.kind == "S":
                    self._emit(position)
        self._end_before(len(tags))
        return self.spans

    def _emit(self, last: int) -> None:
        if self.first is not None:
            self.spans.append((self.category, self.first, last))
        self.category, self.first = "", None

    def _end_before(self, position: int) -> None:
        """End the open span, if there is one, with the token before `position`."""
        is_open = self.category and self.first is not None
        if is_open and self.grammar.closed and not (self.grammar.lone_begin and self.first == position - 1):
            self._broken(position - 1, f"{self.category} is not closed")
            self.first = None
        self._emit(position - 1)

    def _not_begun(self, position: int, tag: Tag) -> None:
        """An I or E without a begin drops an open span of another category too: one of the two tags is wrong."""
        if self.first is not None or not self.category:
            before = f"after {self.category}" if self.category else "without a begin"
            self._broken(position, f"{tag.written} {before}")
        self.category, self.first = ("" if tag.kind == "E" else tag.category), None

    def _unknown(self, position: int, tag: Tag, after: Tag) -> None:
        """An unknown tag drops the span beside it if it may belong to it; otherwise it counts as O.

        `after` is the next tag that is known.
        """
        continued = after.kind in "IE" and after.category in {self.category, tag.category} - {""}
        of_open = self.category and (tag.category == self.category or (continued and after.category == self.category))
        if of_open or (continued and self.grammar.inside_begins):
            if not self.category or self.first is not None:
                self.problems.add("span beside an unknown tag", self.where(position), tag.written, labels=1)
            self.category, self.first = self.category or tag.category, None
        else:
            self._end_before(position)

    def _broken(self, position: int, detail: str) -> None:
        self.problems.add("broken tags", self.where(position), detail, labels=1)


def _next_known(tags: Sequence[Tag]) -> list[Tag]:
    """For each tag the next one that is known."""
    found, known = [], OUTSIDE
    for tag in reversed(tags):
        found.append(known)
        known = tag if tag.kind != "?" else known
    return found[::-1]
