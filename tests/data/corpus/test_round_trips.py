"""Every format that can be written: 1,000 random documents come back with the same spans, less those it reports."""

import random

import pytest

from config import CorpusConfig
from data.corpus.document import Document, category_counts
from data.corpus.formats import read_corpus, recognise, writers
from data.problems import Problems
from data.spans import Span, clash, overlap, sorted_spans

CATEGORIES = ["PER", "org", "地址", "B-PER", "I_X", "名.称", "a:b", "O", "S"]
PIECES = ["陆", "晓岚", "iPhone", "12", " ", "  ", "\u3000", "\t", "\n", "\r\n", "\u2028", "\u0085", "\ufeff", "😀",
          "e\u0301", "#", "-", "_", ",", '"', "\\", "<b>", "O", "B-PER", "。", "\x0b",
          "\U0001f469\u200d\U0001f467"]  # fmt: skip


def random_document(number, draw):
    """A text of odd pieces, and spans anywhere in it: beside, inside and across each other."""
    text = "".join(draw.choices(PIECES, k=draw.randint(1, 20))) + "文"
    begins = [draw.randrange(len(text)) for _ in range(draw.randrange(5))]
    spans = (Span(draw.choice(CATEGORIES), begin, min(begin + draw.randrange(6), len(text) - 1)) for begin in begins)
    return Document(f"d{number}", text, sorted_spans(spans))


def without_line_breaks(text):
    """The text as files of one character a line hold it."""
    return text.replace("\n", " ").replace("\r", " ")


DOCUMENTS = [random_document(number, random.Random(number)) for number in range(1000)]
CHAINED = ("bmes", "bio", "datasets")  # one tag a character
BY_LINE = ("bmes", "bio")


@pytest.fixture(params=["jsonl", "bmes", "bio", "doccano", "labelstudio", "brat", "datasets"])
def written(request, tmp_path):
    """Name of a format, where the documents are written in it, and what it could not hold."""
    writer, problems, output = writers()[request.param], Problems(), tmp_path / "corpus"
    if writer.folder:
        output.mkdir()
    writer.write(DOCUMENTS, output, problems)
    return request.param, output, problems


def test_every_writer_is_tested_here():
    assert set(writers()) == {"jsonl", "bmes", "bio", "doccano", "labelstudio", "brat", "datasets"}


def test_documents_come_back(written):
    name, output, lost = written
    problems = Problems()
    found = read_corpus(CorpusConfig(path=str(output)), problems)
    assert not problems.counts and len(found) == len(DOCUMENTS)
    for before, after in zip(DOCUMENTS, found, strict=True):
        assert name in BY_LINE or before.id == after.id
        text = before.text
        if name in BY_LINE:
            text, after = without_line_breaks(text), Document(after.id, without_line_breaks(after.text), after.spans)
        assert after.text == text
        assert set(after.spans) <= set(before.spans)
        missing = set(before.spans) - set(after.spans)
        if name not in CHAINED:
            assert not missing
        # A span is left out only for another that it overlaps.
        assert all(any(overlap(span, other) for other in after.spans) for span in missing)
        if name in CHAINED:
            assert not any(overlap(one, other) for one in after.spans for other in after.spans if one != other)
    spans, kept = category_counts(DOCUMENTS).total(), category_counts(found).total()
    assert spans - kept == lost.labels_lost and (spans == kept) == (name not in CHAINED)


def test_the_format_is_recognised(written):
    name, output, _ = written
    reader = {"bio": "bmes", "datasets": "tokens"}.get(name, name)
    assert recognise(output) == reader


def test_the_random_documents_are_odd_enough():
    spans = [document.spans for document in DOCUMENTS]
    assert sum(any(clash(a, b) for a in own for b in own if a != b) for own in spans) > 20
    assert sum(not own for own in spans) > 50
    assert len({character for document in DOCUMENTS for character in document.text}) > 30
