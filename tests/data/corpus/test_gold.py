"""Gold labels are offsets without text. They are joined by id, and nothing that does not fit is dropped quietly."""

import hashlib
import json

import pytest

from data.corpus.document import Document
from data.corpus.gold import gold_halves, read_gold
from data.spans import Span
from utils.errors import UserError

DOCUMENTS = [Document("a", "张三在北京", (Span("name", 0, 0),)), Document("b", "李四\n在上海"), Document("a", "王五")]


def digest(text, digits=16):
    return hashlib.sha256(text.encode()).hexdigest()[:digits]


def line(document, *spans, **changes):
    entities = [{"category": category, "pos_b": begin, "pos_e": end} for category, begin, end in spans]
    return {"id": document.id, "sha256": digest(document.text), "entities": entities} | changes


@pytest.fixture
def read(tmp_path):
    def go(*lines, documents=DOCUMENTS):
        path = tmp_path / "gold.jsonl"
        path.write_text("".join((one if isinstance(one, str) else json.dumps(one)) + "\n" for one in lines))
        return read_gold(path, documents)

    return go


def test_lines_are_joined_with_their_documents(read):
    gold = read(line(DOCUMENTS[1], ("place", 4, 5), ("name", 0, 1)), "", line(DOCUMENTS[0]))
    assert gold == {1: (Span("name", 0, 1), Span("place", 4, 5)), 0: ()}


def test_the_text_decides_where_ids_repeat(read):
    assert read(line(DOCUMENTS[2], ("name", 0, 1))) == {2: (Span("name", 0, 1),)}


def test_a_longer_digest_fits_too(read):
    assert read(line(DOCUMENTS[0], sha256=digest(DOCUMENTS[0].text, 64))) == {0: ()}


def test_a_line_may_hold_the_text_itself(read):
    assert read(line(DOCUMENTS[2], ("name", 0, 1), sha256=None, text="王五")) == {2: (Span("name", 0, 1),)}


@pytest.mark.parametrize(
    ("lines", "telling"),
    [
        ([line(DOCUMENTS[1], sha256=None, text="李四在上海")], ":1: document 'b' has another text"),
        ([line(Document("c", "赵六"))], r":1: the corpus has no document 'c'; give the corpus that it belongs to"),
        ([line(DOCUMENTS[1], sha256=digest("李四在上海"))], r":1: document 'b' has another text .*sha256 differs"),
        ([line(DOCUMENTS[1], sha256="ab")], ":1: sha256 must be the first 16 digits"),
        ([line(DOCUMENTS[1], sha256=None)], ":1: sha256 must be the first 16 digits"),
        ([line(DOCUMENTS[0]), line(DOCUMENTS[0])], ":2: gold labels of document 'a' again"),
        ([line(DOCUMENTS[0], ("name", 0, 1), ("place", 1, 4))], ":1: name 0 to 1 overlaps place 1 to 4"),
        ([line(DOCUMENTS[0], ("name", 0, 4), ("place", 1, 1), ("place", 3, 4))], "name 0 to 4 overlaps place 1 to 1"),
        ([line(DOCUMENTS[0], ("name", 3, 5))], ":1: offsets outside the text.*correct or remove this gold label"),
        ([line(DOCUMENTS[0], ("name", 3, 2))], ":1: begin is after end"),
        ([line(DOCUMENTS[0], ("", 0, 1))], ":1: label without a category"),
        ([line(DOCUMENTS[0], entities=["name"])], ":1: label without a category"),
        ([line(DOCUMENTS[0], entities={})], ":1: no object with id, sha256 and a list of entities"),
        (["[]"], ":1: no object with id"),
        (["{"], ":1: not JSON"),
        (["", " "], "no gold labels in it"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(read, lines, telling):
    with pytest.raises(UserError, match=telling) as refused:
        read(*lines)
    assert "\n" not in str(refused.value)


def test_a_missing_file_is_said(tmp_path):
    with pytest.raises(UserError, match=r"nowhere\.jsonl"):
        read_gold(tmp_path / "nowhere.jsonl", DOCUMENTS)


def test_the_halves_depend_on_the_ids_only():
    documents = [Document(str(number), "x" * number) for number in range(1, 102)]
    gold = dict.fromkeys(range(101), ())
    halves = gold_halves(gold, documents)
    order = sorted(gold, key=lambda number: hashlib.sha256(f"gold/{number + 1}".encode()).hexdigest())
    assert (halves["gold_a"], halves["gold_b"]) == (order[:51], order[51:])
    again = gold_halves(dict(reversed(gold.items())), [Document(one.id, "other") for one in documents])
    assert again == halves
