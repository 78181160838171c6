"""Corpora of JSON objects: on lines or in one list, recognised by any of their records."""

import json

import pytest

from config import CorpusConfig
from data.corpus.formats import read_corpus, recognise
from data.problems import Problems
from data.spans import Span
from utils.errors import UserError

PLAIN = [{"text": f"第{number}行没有标注。"} for number in range(150)]
LABELLED = {
    "cluener": {"text": "陆晓岚来了", "label": {"PER": {"陆晓岚": [[0, 2]]}}},
    "jsonl": {"text": "陆晓岚来了", "entities": [{"category": "PER", "pos_b": 0, "pos_e": 2}]},
}


@pytest.fixture
def write(tmp_path):
    def write(content, name="corpus.json"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass"))
        return path

    return write


def read(path, **settings):
    problems = Problems()
    return read_corpus(CorpusConfig(path=str(path), **settings), problems, "either"), problems


LAYOUTS = {
    "lines": lambda records: "\n".join(json.dumps(record, ensure_ascii=False) for record in records),
    "list": lambda records: json.dumps(records, ensure_ascii=False),
    "indented list": lambda records: "\n" + json.dumps(records, indent=1),
    "objects over several lines": lambda records: "\n".join(json.dumps(record, indent=2) for record in records),
    "list in an object": lambda records: json.dumps({"version": "1.0", "data": records}, indent=1),
    "list with a byte-order mark": lambda records: "\ufeff" + json.dumps(records, indent=1),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", LABELLED)
def test_a_format_is_recognised_by_any_record_in_lines_and_lists(write, layout, name):
    path = write(LAYOUTS[layout]([*PLAIN, LABELLED[name]]))
    assert recognise(path) == name
    documents, problems = read(path)
    assert documents[-1].spans == (Span("PER", 0, 2),) and documents[-1].id == "150"
    assert problems.counts == ({"record without labels": 150} if name == "cluener" else {})


@pytest.mark.parametrize("layout", LAYOUTS)
def test_records_with_a_text_only_are_jsonl(write, layout):
    assert recognise(write(LAYOUTS[layout](PLAIN))) == "jsonl"


def test_a_text_under_another_key_is_named_or_asked_for(write):
    path = write(json.dumps({"content": "陆晓岚来了", "id": 7}))
    with pytest.raises(UserError, match="its records have the keys content, id; name the key of the text"):
        recognise(path)
    documents, _ = read(path, text_key="content")
    assert (documents[0].id, documents[0].text) == ("7", "陆晓岚来了")


def test_a_damaged_list_is_one_line(write):
    with pytest.raises(UserError, match=r"not valid JSON .*line 3 column") as caught:
        recognise(write('[\n{"text": "陆晓岚"},\n{"text": '))
    assert "\n" not in str(caught.value)


def test_lines_that_are_lists_are_not_one_list(write):
    path = write('["陆晓岚", {}]\n["来了", {}]\n{"text": "好"}\n')
    documents, problems = read(path)
    assert [document.text for document in documents] == ["好"] and problems.counts == {"not a JSON object": 2}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_half_a_surrogate_pair_is_mended_in_lines_and_lists(write, layout):
    record = {"text": "陆\ud83d岚\ud83d\ude00", "entities": [{"category": "P\udc00", "pos_b": 0, "pos_e": 2}]}
    for content in (LAYOUTS[layout]([record]), json.dumps([record]), json.dumps(record)):
        documents, problems = read(write(content))
        assert documents[0].text == "陆\ufffd岚😀" and documents[0].spans == (Span("P\ufffd", 0, 2),)
        assert problems.changed == {"half a surrogate pair, replaced by U+FFFD": 1}


def test_a_damaged_first_line_costs_that_line_only(write):
    documents, problems = read(write('{"text": "陆晓\n{"text": "来了"}\n'))
    assert [document.text for document in documents] == ["来了"] and problems.counts == {"not a JSON object": 1}


def test_one_object_of_several_lines_with_a_text_is_one_document(write):
    documents, _ = read(write(json.dumps({"text": "来了", "notes": [{"by": "x"}]}, indent=1)))
    assert [document.text for document in documents] == ["来了"]
