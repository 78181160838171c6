import itertools
import random
import re
import string

import numpy as np
import pytest

from data.batches.tags import TagScheme
from data.spans import Span

CATEGORIES = ("name", "place", "书")


def free_places(taken, length):
    return [place for place in range(length) if place not in taken]


def random_spans(draw, length, shared):
    """Spans that do not overlap within their category, or, if `shared`, not at all."""
    spans = []
    taken = {category: set() for category in CATEGORIES}
    for _ in range(draw.randint(0, 8)):
        category = draw.choice(CATEGORIES)
        begin = draw.randrange(length)
        end = min(begin + draw.choice([0, 0, 1, 2, 5]), length - 1)
        places = set(range(begin, end + 1))
        others = CATEGORIES if shared else (category,)
        if not any(places & taken[other] for other in others):
            taken[category] |= places
            spans.append(Span(category, begin, end))
    return sorted(spans, key=lambda span: (span.begin, span.end, span.category))


def decoded_slowly(scheme, tags):
    """Tags as letters, and a regular expression for each category."""
    spans = []
    for index, category in enumerate(CATEGORIES):
        if scheme.name == "per_type":
            letters = "".join("OBIE"[tag] for tag in tags[index])
            pattern = "BI*E|B(?![IE])"
        else:
            alphabet = "O" + string.ascii_letters
            letters = "".join(alphabet[tag] for tag in tags[0])
            first, inside, last, single = alphabet[4 * index + 1 : 4 * index + 5]
            pattern = f"{first}{inside}*{last}|{single}"
        spans += [Span(category, found.start(), found.end() - 1) for found in re.finditer(pattern, letters)]
    return sorted(spans, key=lambda span: (span.begin, span.end, span.category))


def every_filling(length, categories):
    """Every set of spans of these categories in a text of `length` characters in which no two overlap."""
    if length <= 0:
        yield []
        return
    for rest in every_filling(length - 1, categories):
        yield rest
    for size, category in itertools.product(range(1, length + 1), categories):
        for rest in every_filling(length - size, categories):
            yield [*rest, Span(category, length - size, length - 1)]


@pytest.mark.parametrize("name", ["per_type", "bmes"])
def test_spans_survive_encoding_and_decoding(name):
    draw = random.Random(1)
    scheme = TagScheme(name, CATEGORIES)
    for _ in range(500):
        length = draw.randint(1, 25)
        spans = random_spans(draw, length, shared=name == "bmes")
        tags, left_out = scheme.encode(draw.sample(spans, len(spans)), length)
        assert tags.shape == (scheme.num_chains, length)
        assert tags.dtype == np.int64
        assert left_out == []
        assert scheme.decode(tags) == spans


def test_spans_of_different_categories_may_overlap_in_chains_of_their_own():
    spans = [Span("place", 0, 5), Span("name", 1, 2), Span("书", 2, 7)]
    tags, left_out = TagScheme("per_type", CATEGORIES).encode(spans, 9)
    assert not left_out
    assert tags.tolist() == [
        [0, 1, 3, 0, 0, 0, 0, 0, 0],
        [1, 2, 2, 2, 2, 3, 0, 0, 0],
        [0, 0, 1, 2, 2, 2, 2, 3, 0],
    ]


def test_one_chain_numbers_the_tags_of_each_category():
    tags, left_out = TagScheme("bmes", CATEGORIES).encode(
        [Span("name", 0, 2), Span("place", 3, 3), Span("书", 4, 5)], 7
    )
    assert not left_out
    assert tags.tolist() == [[1, 2, 3, 8, 9, 11, 0]]


@pytest.mark.parametrize("name", ["per_type", "bmes"])
def test_decoding_agrees_with_regular_expressions_on_any_tags(name):
    scheme = TagScheme(name, CATEGORIES)
    random_tags = np.random.default_rng(1)
    found = 0
    for _ in range(500):
        tags = random_tags.integers(0, scheme.num_tags, (scheme.num_chains, 40))
        assert scheme.decode(tags) == decoded_slowly(scheme, tags)
        found += len(scheme.decode(tags))
    assert found > 500


@pytest.mark.parametrize("name", ["per_type", "bmes"])
def test_spans_of_many_texts_are_those_of_each(name):
    scheme = TagScheme(name, ("书", "name", "place"))
    tags = np.random.default_rng(1).integers(0, scheme.num_tags, (30, scheme.num_chains, 25))
    text, category, begin, end = (column.tolist() for column in scheme.find_spans(tags))
    found = [[] for _ in tags]
    for place, *rest in zip(text, category, begin, end, strict=True):
        found[place].append(Span(scheme.categories[rest[0]], *rest[1:]))
    assert found == [scheme.decode(one) for one in tags]
    assert text == sorted(text)
    assert sum(map(len, found)) > 100


@pytest.mark.parametrize("name", ["per_type", "bmes"])
def test_broken_off_tags_are_no_spans(name):
    scheme = TagScheme(name, ("name",))
    code = scheme.tags_of("name")
    for broken in ([code.inside, code.last], [code.last], [code.first, code.inside], [code.inside]):
        assert scheme.decode(np.array([[0, *broken, 0]])) == []


@pytest.mark.parametrize(("name", "categories"), [("per_type", ("a",)), ("bmes", ("a",)), ("bmes", ("a", "b"))])
def test_transitions_are_what_all_fillings_of_short_texts_show(name, categories):
    scheme = TagScheme(name, categories)
    seen = np.zeros((scheme.num_tags, scheme.num_tags), dtype=bool)
    starts, ends = np.zeros((2, scheme.num_tags), dtype=bool)
    for length in range(1, 5):
        for spans in every_filling(length, categories):
            (tags,), left_out = scheme.encode(spans, length)
            assert not left_out
            seen[tags[:-1], tags[1:]] = True
            starts[tags[0]] = ends[tags[-1]] = True
    allowed, may_start, may_end = scheme.transitions()
    assert np.array_equal(allowed, seen)
    assert np.array_equal(may_start, starts)
    assert np.array_equal(may_end, ends)
    assert np.array_equal(scheme.opening(), starts)


def test_more_categories_only_add_their_own_tags():
    """Any two categories of three are related as the two of the enumeration above."""
    two, three = (TagScheme("bmes", categories).transitions()[0] for categories in ("ab", "abc"))
    for one, other in itertools.combinations(range(3), 2):
        tags = [0, *range(4 * one + 1, 4 * one + 5), *range(4 * other + 1, 4 * other + 5)]
        assert np.array_equal(three[np.ix_(tags, tags)], two)


@pytest.mark.parametrize("name", ["per_type", "bmes"])
def test_legal_tags_mean_one_set_of_spans_and_decode_back(name):
    scheme = TagScheme(name, ("a", "b") if name == "bmes" else ("a",))
    allowed, may_start, may_end = scheme.transitions()
    legal = 0
    for tags in itertools.product(range(scheme.num_tags), repeat=4):
        if may_start[tags[0]] and may_end[tags[-1]] and all(allowed[pair] for pair in itertools.pairwise(tags)):
            legal += 1
            again, _ = scheme.encode(scheme.decode(np.array([tags])), 4)
            assert again.tolist() == [list(tags)]
    assert legal == len(list(every_filling(4, scheme.categories)))


def test_the_longer_of_two_spans_in_one_chain_is_written():
    for name, other in (("per_type", "name"), ("bmes", "place")):
        scheme = TagScheme(name, CATEGORIES)
        short, long = Span("name", 0, 2), Span(other, 2, 5)
        tags, left_out = scheme.encode([short, long], 7)
        assert left_out == [short]
        assert scheme.decode(tags) == [long]


def test_a_repeated_span_is_left_out_and_of_two_equally_long_the_earlier_stays():
    scheme = TagScheme("per_type", CATEGORIES)
    tags, left_out = scheme.encode([Span("name", 2, 4), Span("name", 1, 3), Span("name", 1, 3)], 6)
    assert scheme.decode(tags) == [Span("name", 1, 3)]
    assert sorted(left_out) == [Span("name", 1, 3), Span("name", 2, 4)]


@pytest.mark.parametrize("name", ["per_type", "bmes"])
def test_an_empty_text_has_no_spans(name):
    scheme = TagScheme(name, CATEGORIES)
    tags, left_out = scheme.encode([], 0)
    assert tags.shape == (scheme.num_chains, 0)
    assert scheme.decode(tags) == []
    assert left_out == []


def test_what_is_no_scheme_is_refused():
    with pytest.raises(ValueError, match="unknown tag scheme 'bio'"):
        TagScheme("bio", CATEGORIES)
    with pytest.raises(ValueError, match="at least one category"):
        TagScheme("bmes", ())
    with pytest.raises(ValueError, match=r"\(3, length\), got \(2, 5\)"):
        TagScheme("per_type", CATEGORIES).decode(np.zeros((2, 5), dtype=np.int64))
    with pytest.raises(KeyError):
        TagScheme("bmes", CATEGORIES).encode([Span("game", 0, 1)], 3)
