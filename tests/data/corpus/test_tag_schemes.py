"""Tags of every scheme and style are read as the spans they were written from; odd tags bend no span."""

import itertools
import random
import time

import pytest

from data.corpus.tag_schemes import GRAMMARS, Style, TaggedTokens, _Decoder, choose_grammar, forbidden, read_tagged
from data.problems import Problems
from data.spans import Span

CATEGORIES = ["PER", "ORG.NAM", "地址"]
SCHEMES = {  # name: letters of begin, inside, end and single, as its papers have them
    "BMES": "BMES",
    "BIOES": "BIES",
    "BILOU": "BILU",
    "BMEWO": "BMEW",
    "BIO": "BIIB",
    "BIOS": "BIIS",
    "BIOE": "BIEB",
}
STYLES = {
    "B-PER": lambda letter, category: f"{letter}-{category}",
    "B_PER": lambda letter, category: f"{letter}_{category}",
    "PER-B": lambda letter, category: f"{category}-{letter}",
    "PER_B": lambda letter, category: f"{category}_{letter}",
    "b-PER": lambda letter, category: f"{letter.lower()}-{category}",
}


def tagged(*tags, tokens=None):
    tokens = list(tokens or "天地玄黄宇宙洪荒"[: len(tags)])
    return TaggedTokens("0", "a", list(range(1, len(tags) + 1)), tokens, list(tags))


def read(*sentences):
    """The spans of each sentence, and the problems."""
    problems = Problems()
    return [list(one.document.spans) for one in read_tagged(sentences, "a", problems)], problems


def random_spans(draw, length=12):
    """Spans that do not overlap: (category, begin, end)."""
    spans, place = [], draw.randrange(3)
    while place < length:
        end = min(place + draw.choice([0, 0, 1, 2, 3]), length - 1)
        spans.append((draw.choice(CATEGORIES), place, end))
        place = end + 1 + draw.choice([0, 1, 2])
    return spans


def write(spans, length, letters, style):
    """Tags of the spans, written as slowly and plainly as can be."""
    begin, inside, end, single = letters
    tags = ["O"] * length
    for category, first, last in spans:
        if first == last:
            tags[first] = style(single, category)
            continue
        for place in range(first, last + 1):
            tags[place] = style(begin if place == first else end if place == last else inside, category)
    return tags


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_scheme_and_style_reads_back(scheme, style):
    draw = random.Random(f"{scheme}{style}")
    spans = [random_spans(draw) for _ in range(60)]
    tags = [write(own, 12, SCHEMES[scheme], STYLES[style]) for own in spans]
    found, problems = read(*(tagged(*own, tokens="天" * 12) for own in tags))
    assert found == [[Span(*span) for span in own] for own in spans]
    assert not problems.counts and not problems.changed
    assert f"a: tags read as {scheme}, such as " in problems.notes[0]


@pytest.mark.parametrize("style", STYLES)
def test_iob1_begins_a_span_with_an_i_and_parts_neighbours_with_a_b(style):
    draw = random.Random(style)
    spans = [random_spans(draw) for _ in range(60)]
    sentences = []
    for own in spans:
        tags = write(own, 12, "IIII", STYLES[style])
        for before, after in itertools.pairwise(own):
            if before[0] == after[0] and before[2] + 1 == after[1]:
                tags[after[1]] = STYLES[style]("B", after[0])
        sentences.append(tagged(*tags, tokens="天" * 12))
    found, problems = read(*sentences)
    assert found == [[Span(*span) for span in own] for own in spans] and not problems.counts
    assert "tags read as IOB1" in problems.notes[0]


def test_io_joins_neighbours_of_one_category():
    found, problems = read(tagged("I-X", "I-X", "O", "I-X", "I-Y"))
    assert found == [[Span("X", 0, 1), Span("X", 3, 3), Span("Y", 4, 4)]]
    assert problems.notes == ["a: tags read as IO, such as I-X"] and not problems.counts


# ------------------------------------------------------------------------------------------------------------ odd tags

BIO = [tagged("B-X", "I-X", "I-X", "O", "B-Y")] * 20
BMES = [tagged("B-X", "M-X", "E-X", "O", "S-Y")] * 20


@pytest.mark.parametrize(
    ("others", "tags", "spans"),
    [
        (BIO, "S-X O B-X I-X I-X O", [(0, 0), (2, 4)]),  # one stray S does not make it BMES
        (BIO, "O B-X I-X E-X O", [(1, 3)]),  # a stray E ends its span
        (BIO, "O B-X I-X L-X O", [(1, 3)]),
        (BIO, "O B-X M-X O", [(1, 2)]),
        (BMES, "O B-X I-X E-X O", [(1, 3)]),
        (BMES, "O B-X M-X L-X U-X", [(1, 3), (4, 4)]),
        (BMES, "O W-X O", [(1, 1)]),
    ],
)
def test_a_stray_letter_of_another_scheme_is_read_as_what_it_means(others, tags, spans):
    found, problems = read(*others, tagged(*tags.split()))
    assert found[-1] == [Span("X", *span) for span in spans] and not problems.counts
    assert all(len(own) == 2 for own in found[:-1])


@pytest.mark.parametrize(
    ("others", "tags", "spans", "lost"),
    [
        (BIO, "B-X I-X Q-X O B-X", [(4, 4)], 1),  # its third token may belong to it
        (BIO, "B-X Q-X I-X O B-X", [(4, 4)], 1),
        (BIO, "B-X ?? I-X I-X B-X", [(4, 4)], 1),
        (BIO, "B-X ?? ?? I-X B-X", [(4, 4)], 1),
        (BIO, "B-X I-X ?? O B-X", [(0, 1), (4, 4)], 0),
        (BIO, "B-X I-X Q-Y O O", [(0, 1)], 0),
        (BIO, "B-X I-X ?? B-X O", [(0, 1), (3, 3)], 0),
        (BIO, "B-X I-X B- O O", [(0, 1)], 0),
        (BIO, "Q-X B-X I-X O O", [(1, 2)], 0),  # a B says where its span begins
        (BIO, "Q-X I-X O B-X O", [(3, 3)], 1),
        (BMES, "B-X Q-X E-X S-X O", [(3, 3)], 1),
        (BMES, "B-X E-X Q-X S-X O", [(0, 1), (3, 3)], 0),
        (BMES, "B-X M-X ?? S-X O", [(3, 3)], 1),
        ([tagged("I-X", "I-X", "O")] * 20, "Q-X I-X O I-X O", [(3, 3)], 1),
        ([tagged("I-X", "I-X", "O")] * 20, "I-X Q-X O I-X O", [(3, 3)], 1),
        ([tagged("I-X", "I-X", "O")] * 20, "Q-Y I-X O", [(1, 1)], 0),
    ],
)
def test_an_unknown_tag_never_bends_the_span_beside_it(others, tags, spans, lost):
    found, problems = read(*others, tagged(*tags.split()))
    assert found[-1] == [Span("X", *span) for span in spans]
    assert problems.labels_lost == lost == sum(problems.counts.values())
    (unknown,) = {tag for tag in tags.split() if tag[0] in "Q?" or tag == "B-"}
    assert problems.changed == {f"unknown tag {unknown!r}, read as O": tags.split().count(unknown)}


def test_unknown_tags_are_counted_by_name():
    tags = [f"T{number}" for number in range(15) for _ in range(20 - number)]
    _, problems = read(*(tagged(tag) for tag in tags))
    assert problems.changed["unknown tag 'T0', read as O"] == 20
    assert len(problems.changed) == 11 and problems.changed["another unknown tag, read as O"] == 10 + 9 + 8 + 7 + 6


def attested(tags, grammar, category, first, last):
    """Whether the tokens of a span have exactly the tags that the grammar writes for it, or ones that mean the same."""
    kinds = [tag.kind for tag in tags[first : last + 1]]
    if any(tag.category != category for tag in tags[first : last + 1]):
        return False
    if kinds == ["S"]:
        return True
    begins = "BI" if grammar.inside_begins else "B"
    body = kinds[1:-1] if kinds[-1] == "E" else kinds[1:]
    ends_well = kinds[-1] == "E" if grammar.closed and not (grammar.lone_begin and len(kinds) == 1) else True
    return kinds[0] in begins and set(body) <= {"I"} and ends_well


@pytest.mark.parametrize("grammar", GRAMMARS, ids=lambda grammar: grammar.letters)
def test_of_any_tags_only_whole_spans_are_read(grammar):
    style = Style(True, "-", True)
    words = ["O", "B-X", "I-X", "E-X", "S-X", "B-Y", "I-Y", "E-Y", "Q-X", "??"]
    for written in itertools.product(words, repeat=4):
        tags = [style.read(word) for word in written]
        problems = Problems()
        spans = _Decoder(grammar, str, problems).decode(tags)
        taken = [place for _, first, last in spans for place in range(first, last + 1)]
        assert len(taken) == len(set(taken)), "spans of one chain do not overlap"
        for category, first, last in spans:
            assert attested(tags, grammar, category, first, last), written
            after = tags[last + 1] if last < 3 else None
            ended = tags[last].kind in "ES"
            assert ended or after is None or not (after.kind in "I?" and after.category == category), written
        labelled = {place for place, tag in enumerate(tags) if tag.kind in "BIES"}
        assert labelled <= set(taken) or problems.labels_lost, f"{written}: a label is lost without a word"
        if not forbidden(tags, grammar) and all(tag.kind != "?" for tag in tags):
            assert not problems.counts and labelled == set(taken), written


def test_of_equally_good_grammars_the_first_is_taken():
    style = Style(True, "-", True)
    for first, second in itertools.pairwise(GRAMMARS):
        assert GRAMMARS.index(first) < GRAMMARS.index(second)
    assert choose_grammar([[style.read("S-X")], [style.read("O")]]) is GRAMMARS[0]
    assert choose_grammar([[style.read("B-X"), style.read("I-X")]]) is GRAMMARS[1]
    assert choose_grammar([]) is GRAMMARS[0]


def test_time_grows_with_the_number_of_tags_only():
    def seconds(count):
        started = time.process_time()
        read(tagged(*["??", "B-X"] * count, tokens="天" * 2 * count), tagged(*["??"] * count, tokens="天" * count))
        return time.process_time() - started

    seconds(100)
    short = max(min(seconds(1000) for _ in range(3)), 1e-3)
    assert seconds(8000) < 40 * short, "eight times as many; four times eight would be quadratic"
