"""New documents from labelled ones: entities swapped within their category, words left out, words replaced.

Each function returns a document whose labels have moved with their text (Dai and Adel, "An Analysis of Simple Data
Augmentation for Named Entity Recognition", COLING 2020). Labels that overlap another label are not changed.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from data.corpus.document import Document
from data.spans import AnySpan, Span, SpanOrDoubt, overlap, sorted_spans

Edit = tuple[int, int, str]  # begin, end (exclusive) and the new text
Segmentation = Callable[[str], Iterable[str]]  # a text as words, which join to the text


def surface_forms(documents: Iterable[Document]) -> dict[str, list[str]]:
    """The texts of all labels by category, repeated as often as they occur."""
    forms = defaultdict(list)
    for document in documents:
        for span in document.spans:
            forms[span.category].append(document.text[span.begin : span.end + 1])
    return dict(forms)


def swap_entities(
    document: Document, forms: Mapping[str, Sequence[str]], share: float, draw: random.Random
) -> Document:
    """Replace a share of the entities by others of their category."""
    marked: list[AnySpan] = [*document.spans, *document.doubtful]
    alone = [one for one in document.spans if not any(overlap(one, other) for other in marked if other != one)]
    edits = [(span.begin, span.end + 1, draw.choice(forms[span.category])) for span in alone if draw.random() < share]
    return rewrite(document, edits)


def drop_words(document: Document, segment: Segmentation, share: float, draw: random.Random) -> Document:
    """Leave out a share of the words outside all labels, but never all words of a text."""
    edits = [(begin, end, "") for begin, end in _free_words(document, segment) if draw.random() < share]
    if sum(end - begin for begin, end, _ in edits) == len(document.text):
        edits = edits[1:]
    return rewrite(document, edits)


def replace_words(
    document: Document, segment: Segmentation, synonyms: Mapping[str, Sequence[str]], share: float, draw: random.Random
) -> Document:
    """Replace a share of the words outside all labels by synonyms, if they have any."""
    edits = []
    for begin, end in _free_words(document, segment):
        if (others := synonyms.get(document.text[begin:end])) and draw.random() < share:
            edits.append((begin, end, draw.choice(others)))
    return rewrite(document, edits)


def rewrite(document: Document, edits: Sequence[Edit]) -> Document:
    """Replace stretches of a document's text. A label without any text left is dropped.

    Args:
        document: a label and an edit share no character, or the label holds the whole edit.
        edits: in any order, not overlapping.

    Raises:
        ValueError: two edits overlap, or an edit cuts a label.
    """
    edits = sorted(edits)
    moved = [0] * (len(document.text) + 1)  # the new place of each old place
    pieces: list[str] = []
    place = written = 0
    for begin, end, new in (*edits, (len(document.text), len(document.text), "")):
        if begin < place:
            raise ValueError(f"edits of document {document.id} overlap at character {begin}")
        for old in range(place, begin + 1):
            moved[old] = written + old - place
        written = moved[begin] + len(new)
        for old in range(begin + 1, end + 1):
            moved[old] = written
        pieces += [document.text[place:begin], new]
        place = end

    def follow(span: SpanOrDoubt) -> SpanOrDoubt:
        stop = span.end + 1
        for begin, end, _ in edits:
            inside = span.begin <= begin and end <= stop
            if begin < stop and span.begin < end and not inside:
                raise ValueError(f"an edit of document {document.id} cuts the label at character {span.begin}")
        return span._replace(begin=moved[span.begin], end=moved[stop] - 1)

    def kept(spans: Sequence[SpanOrDoubt]) -> tuple[SpanOrDoubt, ...]:
        return sorted_spans(span for span in map(follow, spans) if span.begin <= span.end)

    spans, doubtful = kept(document.spans), kept(document.doubtful)
    return replace(document, text="".join(pieces), spans=spans, doubtful=doubtful)


def _free_words(document: Document, segment: Segmentation) -> list[tuple[int, int]]:
    """Begin and end (exclusive) of the words that share no character with a label or a doubt."""
    marked: list[AnySpan] = [*document.spans, *document.doubtful]
    words, begin = [], 0
    for word in segment(document.text):
        here = Span("", begin, begin + len(word) - 1)
        if not any(overlap(here, other) for other in marked):
            words.append((begin, begin + len(word)))
        begin += len(word)
    return words
