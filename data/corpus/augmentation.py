"""New documents from labelled ones: entities swapped within their category, words left out, words replaced.

Each returns a document whose labels stand where their text now stands (Dai and Adel, "An Analysis of Simple Data
Augmentation for Named Entity Recognition", COLING 2020). What overlaps another label stays as it is.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from data.corpus.document import Document
from data.spans import Doubt, Span, overlap, sorted_spans

Edit = tuple[int, int, str]  # characters begin to end (exclusive), and what stands there instead
Segment = Callable[[str], Iterable[str]]  # a text as its words, which make it up


def surface_forms(documents: Iterable[Document]) -> dict[str, list[str]]:
    """The texts of all labels by category, as often as they occur."""
    forms = defaultdict(list)
    for document in documents:
        for span in document.spans:
            forms[span.category].append(document.text[span.begin : span.end + 1])
    return dict(forms)


def swap_entities(
    document: Document, forms: Mapping[str, Sequence[str]], share: float, draw: random.Random
) -> Document:
    """A share of the entities become others of their category."""
    marked = (*document.spans, *document.doubtful)
    alone = [one for one in document.spans if not any(overlap(one, other) for other in marked if other != one)]
    edits = [(span.begin, span.end + 1, draw.choice(forms[span.category])) for span in alone if draw.random() < share]
    return rewrite(document, edits)


def drop_words(document: Document, segment: Segment, share: float, draw: random.Random) -> Document:
    """A share of the words outside all labels are left out; a text does not lose its last word."""
    edits = [(begin, end, "") for begin, end in _free_words(document, segment) if draw.random() < share]
    if sum(end - begin for begin, end, _ in edits) == len(document.text):
        edits = edits[1:]
    return rewrite(document, edits)


def replace_words(
    document: Document, segment: Segment, synonyms: Mapping[str, Sequence[str]], share: float, draw: random.Random
) -> Document:
    """A share of the words outside all labels that have synonyms become one of them."""
    edits = []
    for begin, end in _free_words(document, segment):
        if (others := synonyms.get(document.text[begin:end])) and draw.random() < share:
            edits.append((begin, end, draw.choice(others)))
    return rewrite(document, edits)


def rewrite(document: Document, edits: Sequence[Edit]) -> Document:
    """The document with stretches of its text replaced; a label of which nothing is left is none.

    Args:
        document: whose labels each hold an edit whole, are one, or share no character with it.
        edits: none sharing a character with another.

    Raises:
        ValueError: edits that meet each other, or cut a label.
    """
    edits = sorted(edits)
    pieces, place, moved = [], 0, [0] * (len(document.text) + 1)  # where each place of the old text now is
    written = 0
    for begin, end, new in (*edits, (len(document.text), len(document.text), "")):
        if begin < place:
            raise ValueError(f"edits of document {document.id} meet at character {begin}")
        for old in range(place, begin + 1):
            moved[old] = written + old - place
        written = moved[begin] + len(new)
        for old in range(begin + 1, end + 1):
            moved[old] = written
        pieces += [document.text[place:begin], new]
        place = end

    def follow(span: Span | Doubt) -> Span | Doubt:
        stop = span.end + 1
        for begin, end, _ in edits:
            inside = span.begin <= begin and end <= stop
            if begin < stop and span.begin < end and not inside:
                raise ValueError(f"an edit of document {document.id} cuts the label at character {span.begin}")
        return span._replace(begin=moved[span.begin], end=moved[stop] - 1)

    followed = (map(follow, own) for own in (document.spans, document.doubtful))
    spans, doubtful = (sorted_spans(span for span in own if span.begin <= span.end) for own in followed)
    return replace(document, text="".join(pieces), spans=spans, doubtful=doubtful)


def _free_words(document: Document, segment: Segment) -> list[tuple[int, int]]:
    """Begin and end (exclusive) of the words that share no character with a label or a doubt."""
    words, begin = [], 0
    for word in segment(document.text):
        here = Span("", begin, begin + len(word) - 1)
        if not any(overlap(here, other) for other in (*document.spans, *document.doubtful)):
            words.append((begin, begin + len(word)))
        begin += len(word)
    return words
