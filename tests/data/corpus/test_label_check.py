"""Labels whose text differs in white space or line ends are placed by their text."""

import json
import random

import pytest

from config import CorpusConfig
from data.corpus.formats import read_corpus
from data.corpus.label_check import check_label, white_space_counts
from data.problems import Problems
from data.spans import Span


def place(text, begin, end, expected):
    problems = Problems()
    return check_label(text, "PER", begin, end, expected, "a:1", problems), problems


@pytest.mark.parametrize(
    ("text", "begin", "end", "expected"),
    [
        ("地址是青石路  8号", 3, 9, "青石路 8号"),  # a run of blanks
        ("地址是青石路\r\n8号", 3, 9, "青石路\n8号"),  # a line end
        ("地址是青石路\n8号", 3, 8, "青石路 8号"),
        ("地址是青石路\u00a08号", 3, 8, "青石路 8号"),
        ("地址是青石路\u30008号", 3, 8, "青石路8号"),
    ],
)
def test_a_label_whose_text_differs_in_white_space_stays_at_its_offsets(text, begin, end, expected):
    span, problems = place(text, begin, end, expected)
    assert span == Span("PER", begin, end)
    assert problems.changed == {"label text differs in white space only, kept": 1} and not problems.labels_lost


@pytest.mark.parametrize(
    ("text", "begin", "end", "expected"),
    [
        ("第一行\r\n第二行\r\n陆晓岚来了", 8, 10, "陆晓岚"),  # counted in a text with \n
        ("第一行\n第二行\n陆晓岚来了", 10, 12, "陆晓岚"),  # counted in a text with \r\n
        ("第一行\n陆晓岚", 5, 7, "陆晓岚"),  # the same, and its end is outside of this text
        ("\n  第一行陆晓岚", 3, 5, "陆晓岚"),  # counted in a stripped text
        ("第一行  \t 陆晓岚", 4, 6, "陆晓岚"),  # counted with runs as one blank
        ("  第一行  \t 陆晓岚", 4, 6, "陆晓岚"),
        ("第 一 行 陆 晓岚", 3, 5, "陆晓岚"),  # counted without white space
    ],
)
def test_a_label_is_placed_where_its_offsets_point_in_another_count_of_white_space(text, begin, end, expected):
    span, problems = place(text, begin, end, expected)
    assert "".join(text[span.begin : span.end + 1].split()) == expected
    assert problems.changed == {"label placed by its text": 1} and not problems.labels_lost
    assert f"PER {begin} to {end} is {span.begin} to {span.end} here" in problems.messages[0]


@pytest.mark.parametrize(
    ("text", "begin", "end", "expected", "reason"),
    [
        ("陆晓岚来了", 0, 2, "白如霜", "label text differs"),
        ("来了陆晓岚", 0, 2, "陆晓岚", "label text differs"),  # elsewhere, but no count of white space leads there
        ("陆晓岚\n陆晓岚", 1, 3, "陆晓岚", "label text differs"),
        ("   来了", 0, 2, " ", "label text differs"),
        ("陆晓岚\n来了", 0, 2, "", "label text differs"),
        ("陆晓岚\n来了", 0, 2, 7, "label text differs"),
        ("陆晓岚\n来了", 4, 9, "来了", "offsets outside the text"),
        ("陆晓岚", 1, 9, None, "offsets outside the text"),
    ],
)
def test_any_other_difference_drops_the_label(text, begin, end, expected, reason):
    span, problems = place(text, begin, end, expected)
    assert span is None and problems.counts == {reason: 1} and problems.labels_lost == 1


def rewritten(text, name):
    """The text as another program keeps it: what each count of white space stands for."""
    unix = text.replace("\r\n", "\n")
    runs = []
    for character in text:
        if not (character.isspace() and runs and runs[-1].isspace()):
            runs.append(character)
    return {
        "the offsets count a line end as one character": unix,
        "the offsets count a line end as two characters": text.replace("\n", "\r\n"),
        "the offsets leave out white space at the begin": text.lstrip(),
        "the offsets count a run of white space as one character": "".join(runs),
        "the offsets count a run of white space as one character, and none at the begin": "".join(runs).lstrip(),
        "the offsets leave out white space": "".join(text.split()),
    }[name]


def test_every_count_is_that_of_the_rewritten_text():
    draw = random.Random(3)
    for _ in range(300):
        text = "".join(draw.choice("陆晓岚。 \n\t\u3000") for _ in range(draw.randrange(30)))
        text = text.replace("\n", draw.choice(["\n", "\r\n"]))
        for name, positions in white_space_counts(text):
            other = rewritten(text, name)
            assert len(positions) == len(other)
            here = [text[place] for place in positions]
            assert all(a == b or (a.isspace() and b.isspace()) for a, b in zip(here, other, strict=True)), name


@pytest.mark.parametrize("category", ["\x1b[31mname", "na\x00me", "name\n", "\u202eeman", "\u200bname"])
def test_a_category_that_commands_a_terminal_is_dropped_and_shown_escaped(tmp_path, category):
    entities = [{"category": category, "pos_b": 0, "pos_e": 1}, {"category": "place", "pos_b": 2, "pos_e": 3}]
    (tmp_path / "a.jsonl").write_text(json.dumps({"text": "张伟北京", "entities": entities}) + "\n")
    problems = Problems()
    (document,) = read_corpus(CorpusConfig(path=str(tmp_path / "a.jsonl")), problems)
    assert document.spans == (Span("place", 2, 3),)
    assert problems.counts == {"category with control characters": 1} and problems.labels_lost == 1
    assert all(character.isprintable() for character in problems.messages[0])
    assert repr(category)[1:-1] in problems.messages[0]
