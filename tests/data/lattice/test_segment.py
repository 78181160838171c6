import itertools
import random

import pytest

from data.lattice.segment import (
    CLOSING,
    COMMAS,
    SENTENCE_MARKS,
    cut_spans,
    most_central,
    segment_bounds,
    window_bounds,
)
from data.spans import Span

PLAIN = "这是一段没有标点的文字甲乙丙丁"
MARKS = "。！？；\n" * 2 + "，、：" * 3 + "”）\"'" * 2


def random_document(draw, max_len, long_spans):
    length = draw.choice([1, max_len - 1, max_len, max_len + 1, draw.randint(2, 12 * max_len)])
    marks = draw.choice(["", "，", "。", MARKS])
    text = "".join(draw.choice(marks) if marks and draw.random() < 0.15 else draw.choice(PLAIN) for _ in range(length))
    spans = []
    for _ in range(draw.randint(0, 1 + length // 4)):
        begin = draw.randrange(length)
        size = draw.randint(1, 2 * max_len if long_spans and draw.random() < 0.1 else max_len // 3)
        spans.append(Span(draw.choice(["name", "place"]), begin, min(begin + size - 1, length - 1)))
    return text, spans


def documents(count, seed, long_spans=True):
    draw = random.Random(seed)
    for _ in range(count):
        max_len = draw.choice([8, 9, 20, 50])
        yield (*random_document(draw, max_len, long_spans), max_len)


def cut_slowly(text, spans, max_len):
    """The bounds by scanning back from the furthest cut, once for each kind of cut."""

    def allowed(cut):
        return not any(span.begin < cut <= span.end for span in spans)

    def after_sentence(cut):
        if cut < len(text) and text[cut] in CLOSING and after_sentence_mark_and_closing(cut):
            return False
        return after_sentence_mark_and_closing(cut)

    def after_sentence_mark_and_closing(cut):
        while text[cut - 1] in CLOSING and cut > 1:
            cut -= 1
        return text[cut - 1] in SENTENCE_MARKS

    def after_comma(cut):
        return text[cut - 1] in COMMAS

    bounds, begin = [], 0
    while len(text) - begin > max_len:
        furthest = begin + max_len
        for good in (after_sentence, after_comma, lambda cut: True):
            cuts = [cut for cut in range(furthest, begin, -1) if allowed(cut) and good(cut)]
            if cuts:
                break
        cut = cuts[0] if cuts else furthest
        bounds.append((begin, cut))
        begin = cut
    return [*bounds, (begin, len(text))]


def crowded_extent(span, spans):
    """Characters of the chain of overlapping spans that this span is part of."""
    begin, end, grown = span.begin, span.end, True
    while grown:
        grown = False
        for other in spans:
            if other.begin <= end and other.end >= begin and (other.begin < begin or other.end > end):
                begin, end, grown = min(begin, other.begin), max(end, other.end), True
    return end - begin + 1


# ----------------------------------------------------------------------------------------------------------- segments


@pytest.mark.parametrize("seed", range(4))
def test_segments_rejoin_to_the_text_and_none_is_too_long(seed):
    for text, spans, max_len in documents(100, seed):
        bounds = segment_bounds(text, spans, max_len)
        assert "".join(text[begin:end] for begin, end in bounds) == text
        assert all(0 < end - begin <= max_len for begin, end in bounds)
        assert [begin for begin, _ in bounds] == [0, *(end for _, end in bounds[:-1])]


@pytest.mark.parametrize("seed", range(4))
def test_no_span_is_lost_but_those_reported(seed):
    for text, spans, max_len in documents(100, seed):
        bounds = segment_bounds(text, spans, max_len)
        lost = [span for span in spans if not any(begin <= span.begin and span.end < end for begin, end in bounds)]
        assert cut_spans(spans, bounds) == lost


@pytest.mark.parametrize("seed", range(4))
def test_only_what_cannot_be_whole_is_cut(seed):
    cut = 0
    for text, spans, max_len in documents(60, seed):
        for span in cut_spans(spans, segment_bounds(text, spans, max_len)):
            assert crowded_extent(span, spans) > max_len
            cut += 1
    assert cut, "the documents must be hard enough for this to mean something"


def test_spans_apart_and_short_enough_are_never_cut():
    for text, spans, max_len in documents(200, 9, long_spans=False):
        apart, end = [], -1
        for span in sorted(spans, key=lambda span: span.begin):
            if span.begin > end:
                apart.append(span)
                end = span.end
        assert cut_spans(apart, segment_bounds(text, apart, max_len)) == []


@pytest.mark.parametrize("seed", range(4))
def test_cuts_are_those_of_a_slow_scan_backwards(seed):
    for text, spans, max_len in documents(60, seed):
        assert segment_bounds(text, spans, max_len) == cut_slowly(text, spans, max_len)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("一二。四五，七八九十", 3),  # a sentence mark, even where a comma comes later
        ("一二，四五六七八九十", 3),  # a comma, where there is no sentence mark
        ("一二三四五六七八九十", 8),  # anywhere: as late as possible
        ("一。三。五六七八九十", 4),  # the later of two sentence marks
        ("一二。”五，七八九十", 4),  # a closing quotation mark stays with its sentence
        ("一二。””六七八九十", 5),
        ("一二，”五六七八九十", 3),  # but not with a comma
        ("一二，四五六七。”十", 3),  # and is not parted from it where it no longer fits
        ("一二三四五六七。九十", 8),  # a mark that just fits
        ("一二三四五六七八。十", 8),  # and one that does not
        ("一二\n四五六七八九十", 3),
    ],
)
def test_a_text_is_cut_after_a_sentence_else_a_comma_else_anywhere(text, expected):
    assert segment_bounds(text, [], 8)[0] == (0, expected)


def test_a_mark_inside_a_span_is_no_place_to_cut():
    text = "一二三。五六七八九十"
    assert segment_bounds(text, [], 8)[0] == (0, 4)
    assert segment_bounds(text, [Span("book", 2, 4)], 8)[0] == (0, 8)
    assert segment_bounds(text, [Span("book", 2, 3)], 8)[0] == (0, 4), "a cut right behind a span parts nothing"
    assert segment_bounds(text, [Span("book", 4, 8)], 8)[0] == (0, 4), "nor one right before"


def test_a_short_text_is_one_segment_and_an_empty_one_none():
    assert segment_bounds("一。二", [], 8) == [(0, 3)]
    assert segment_bounds("一二三四五六七八", [], 8) == [(0, 8)]
    assert segment_bounds("", [], 8) == []


def test_a_span_longer_than_a_segment_is_reported_and_only_that():
    text = "甲" * 50
    spans = [Span("name", 2, 4), Span("book", 10, 30), Span("name", 33, 39)]
    bounds = segment_bounds(text, spans, 20)
    assert all(end - begin <= 20 for begin, end in bounds)
    assert cut_spans(spans, bounds) == [spans[1]]


def test_a_text_of_100_000_characters():
    draw = random.Random(3)
    text = "".join(draw.choice(PLAIN + MARKS) for _ in range(100_000))
    spans = [Span("name", begin, begin + draw.randint(0, 9)) for begin in range(0, 99_900, 15)]
    bounds = segment_bounds(text, spans, 150)
    assert "".join(text[begin:end] for begin, end in bounds) == text
    assert max(end - begin for begin, end in bounds) <= 150
    assert cut_spans(spans, bounds) == []
    assert all(text[end - 1] in SENTENCE_MARKS | CLOSING for _, end in bounds[:-1])


def test_one_sentence_of_100_000_characters_is_cut_all_the_same():
    assert segment_bounds("字" * 100_000, [], 150) == [(b, min(b + 150, 100_000)) for b in range(0, 100_000, 150)]


# ------------------------------------------------------------------------------------------------------------ windows


def random_windows(count, seed):
    draw = random.Random(seed)
    for _ in range(count):
        max_len = draw.randint(8, 60)
        overlap = draw.randrange(max_len)
        length = draw.choice([1, max_len, max_len + 1, 2 * max_len - overlap, draw.randint(1, 20 * max_len)])
        yield length, max_len, overlap, window_bounds(length, max_len, overlap)


def test_windows_cover_every_position_and_neighbours_share_enough():
    for length, max_len, overlap, windows in random_windows(2000, 1):
        assert windows[0][0] == 0
        assert windows[-1][1] == length
        assert all(end - begin == min(max_len, length) for begin, end in windows)
        for (begin, end), (next_begin, next_end) in itertools.pairwise(windows):
            assert begin < next_begin
            assert end < next_end
            assert end - next_begin >= overlap


def test_there_are_no_more_windows_than_needed():
    for length, max_len, overlap, windows in random_windows(500, 2):
        fewer = len(windows) - 1
        assert not fewer or fewer * max_len - (fewer - 1) * overlap < length, "fewer windows would cover it too"


def test_spans_no_longer_than_the_overlap_lie_whole_in_their_most_central_window():
    for length, _, overlap, windows in random_windows(300, 3):
        for size in {1, overlap // 2, overlap - 1, overlap} - {-1, 0}:
            for begin in range(length - size + 1) if overlap else ():
                first, last = windows[most_central(begin, begin + size - 1, windows)]
                assert first <= begin
                assert begin + size <= last


def test_with_no_overlap_every_character_lies_in_its_most_central_window():
    for length, max_len in ((100, 8), (17, 8), (16, 8), (9, 8)):
        windows = window_bounds(length, max_len, 0)
        for place in range(length):
            first, last = windows[most_central(place, place, windows)]
            assert first <= place < last


def test_the_most_central_window_is_nearest_in_the_middle_and_the_earlier_of_two():
    windows = [(0, 10), (5, 15), (10, 20)]
    assert most_central(4, 5, windows) == 0
    assert most_central(7, 8, windows) == 1
    assert most_central(7, 7, windows) == 0, "as far from 5 as from 10: the earlier"
    assert most_central(0, 0, windows) == 0
    assert most_central(19, 19, windows) == 2


def test_a_span_longer_than_the_overlap_goes_to_a_window_that_holds_it_or_to_none():
    windows = [(0, 10), (5, 15), (10, 20)]
    assert most_central(4, 9, windows) == 0, "the middle of (5, 15) is nearer, but it begins too late"
    assert most_central(4, 10, windows) is None


def test_an_empty_text_has_no_window_and_a_short_one_a_single():
    assert window_bounds(0, 10, 3) == []
    assert window_bounds(1, 10, 3) == [(0, 1)]
    assert window_bounds(10, 10, 3) == [(0, 10)]
