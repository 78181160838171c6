import random

import pytest
import seqeval.metrics
from seqeval.scheme import IOBES

from data.metrics import Score, Scores, score_spans
from data.spans import ScoredSpan, Span

CATEGORIES = ("name", "place", "game")


def random_spans(draw, length):
    """Spans that do not overlap."""
    spans, begin = [], 0
    while begin < length:
        end = min(begin + draw.choice([0, 0, 1, 3]), length - 1)
        if draw.random() < 0.4:
            spans.append(Span(draw.choice(CATEGORIES), begin, end))
        begin = end + 1
    return spans


def disturbed(draw, spans, length):
    """A guess that is partly right, without overlaps."""
    kept = [span for span in spans if draw.random() < 0.7]
    taken = {place for span in kept for place in range(span.begin, span.end + 1)}
    return kept + [span for span in random_spans(draw, length) if not taken & set(range(span.begin, span.end + 1))]


def iobes(spans, length):
    tags = ["O"] * length
    for category, begin, end in spans:
        if begin == end:
            tags[begin] = f"S-{category}"
        else:
            tags[begin : end + 1] = [f"I-{category}"] * (end - begin + 1)
            tags[begin], tags[end] = f"B-{category}", f"E-{category}"
    return tags


@pytest.mark.parametrize("seed", range(30))
def test_strict_seqeval_agrees_where_spans_do_not_overlap(seed):
    draw = random.Random(seed)
    lengths = [draw.randint(1, 30) for _ in range(12)]
    truth = [random_spans(draw, length) for length in lengths]
    guess = [disturbed(draw, spans, length) for spans, length in zip(truth, lengths, strict=True)]
    tags = [[iobes(spans, n) for spans, n in zip(some, lengths, strict=True)] for some in (truth, guess)]
    options = {"mode": "strict", "scheme": IOBES, "zero_division": 0}
    ours = score_spans(truth, guess)
    assert ours.micro.right < ours.micro.predicted
    assert ours.micro.precision == pytest.approx(seqeval.metrics.precision_score(*tags, **options))
    assert ours.micro.recall == pytest.approx(seqeval.metrics.recall_score(*tags, **options))
    assert ours.micro.f1 == pytest.approx(seqeval.metrics.f1_score(*tags, **options))
    report = seqeval.metrics.classification_report(*tags, output_dict=True, **options)
    assert set(ours.categories) == set(report) & set(CATEGORIES)
    for category, score in ours.categories.items():
        theirs = [report[category][key] for key in ("precision", "recall", "f1-score", "support")]
        assert [score.precision, score.recall, score.f1, score.labelled] == pytest.approx(theirs)


@pytest.mark.parametrize("seed", range(10))
def test_counts_equal_plain_sets_and_categories_sum_to_micro(seed):
    """Overlapping spans too, which seqeval cannot have."""
    draw = random.Random(seed)

    def some():
        return [
            [Span(draw.choice(CATEGORIES), begin := draw.randrange(5), begin + draw.randrange(3)) for _ in range(8)]
            for _ in range(20)
        ]

    truth, guess = some(), some()
    ours = score_spans(truth, guess)
    true = {(number, span) for number, spans in enumerate(truth) for span in spans}
    guessed = {(number, span) for number, spans in enumerate(guess) for span in spans}
    assert ours.micro == Score(len(true & guessed), len(guessed), len(true))
    assert sum(ours.categories.values(), Score()) == ours.micro
    for category, score in ours.categories.items():
        assert score.labelled == sum(span.category == category for _, span in true)


def test_the_same_span_in_another_document_does_not_count():
    span = Span("name", 3, 5)
    assert score_spans([[span], []], [[], [span]]).micro == Score(right=0, predicted=1, labelled=1)


def test_the_same_text_at_another_place_does_not_count():
    """周思平 twice in a document: finding the one is not finding the other."""
    assert score_spans([[Span("name", 3, 5)]], [[Span("name", 13, 15)]]).micro.right == 0


def test_each_of_category_begin_and_end_must_be_right():
    truth = [[Span("name", 3, 5)]]
    for wrong in (Span("place", 3, 5), Span("name", 2, 5), Span("name", 3, 6)):
        assert score_spans(truth, [[wrong]]).micro == Score(0, 1, 1)
    assert score_spans(truth, [[Span("name", 3, 5)]]).micro == Score(1, 1, 1)


def test_duplicates_count_once_on_both_sides():
    span = Span("name", 3, 5)
    found = [ScoredSpan(*span, 0.9), ScoredSpan(*span, 0.4), ScoredSpan(*span, 0.1)]
    assert score_spans([[span, span]], [found]).micro == Score(1, 1, 1)


def test_nothing_at_all_scores_zero():
    for scores in (score_spans([], []), score_spans([[], []], [[], []])):
        assert scores.micro == Score()
        assert (scores.micro.precision, scores.micro.recall, scores.micro.f1) == (0, 0, 0)
        assert scores.categories == {}


def test_one_side_empty():
    span = Span("name", 0, 0)
    assert score_spans([[span]], [[]]).micro == Score(0, 0, 1)
    assert score_spans([[]], [[span]]).micro == Score(0, 1, 0)


def test_asked_for_categories_are_listed_in_their_order_even_if_empty():
    scores = score_spans([[Span("game", 0, 0)]], [[]], CATEGORIES)
    assert list(scores.categories) == list(CATEGORIES)
    assert scores.categories["place"] == Score()


def test_different_numbers_of_documents_are_refused():
    with pytest.raises(ValueError, match="2 labelled documents, but predictions for 1"):
        score_spans([[], []], [[]])


def test_scores_of_two_parts_add_up_to_those_of_the_whole():
    draw = random.Random(1)
    truth = [random_spans(draw, 20) for _ in range(10)]
    guess = [disturbed(draw, spans, 20) for spans in truth]
    added = score_spans(truth[:4], guess[:4]) + score_spans(truth[4:], guess[4:])
    whole = score_spans(truth, guess)
    assert (added.micro, added.categories) == (whole.micro, whole.categories)


def test_values_and_table_say_the_same():
    scores = Scores(Score(1, 2, 4), {"name": Score(1, 2, 4)})
    values = scores.to_dict()
    expected = {"precision": 0.5, "recall": 0.25, "f1": pytest.approx(1 / 3)}
    expected |= {"right": 1, "predicted": 2, "labelled": 4}
    assert values == {"micro": expected, "categories": {"name": expected}}
    header, *rows = scores.table().splitlines()
    assert [row.split() for row in rows] == [[n, "0.5000", "0.2500", "0.3333", "4", "2"] for n in ("name", "micro")]
    assert header.split() == ["precision", "recall", "F1", "labelled", "predicted"]
