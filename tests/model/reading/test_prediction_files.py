import csv
import io
import json

import pytest

from config import CorpusConfig
from data.corpus.document import Document
from data.corpus.formats import read_corpus
from data.problems import Problems
from data.spans import ScoredSpan, Span
from model.reading.prediction_files import prediction_files, prediction_json

ODD = [
    '他说"你好",走了',
    "第一行\n第二行",
    "回车\r在此",
    "换\r\n行",
    "'单'",
    "a;b\tc",
    "\u2028\x85",
    " 空 ",
    "=1+1",
    "😀",
]


@pytest.fixture
def written(tmp_path):
    """A function that writes predictions; gives the contents of predict.jsonl, predict.csv and the file for a tool."""

    def write(documents, tool=None):
        with prediction_files(tmp_path, "demo", tool) as files:
            for document, spans in documents:
                files.write(document, spans)
        return [path.read_bytes().decode("utf-8-sig") for path in files.paths]

    return write


def test_any_text_comes_back_from_the_table(written):
    documents = [
        (Document(f"编号,{number}", text), [ScoredSpan("name", 0, len(text) - 1, 0.5)])
        for number, text in enumerate(ODD)
    ]
    _, table = written(documents)
    rows = list(csv.reader(io.StringIO(table, newline="")))
    assert rows[0] == ["ID", "Category", "Pos_b", "Pos_e", "Privacy"]
    assert rows[1:] == [[f"编号,{n}", "name", "0", str(len(text) - 1), text] for n, text in enumerate(ODD)]


def test_any_text_comes_back_from_the_lines(written):
    documents = [(Document(str(n), text), [ScoredSpan("name", 0, 0, 1 / 3)]) for n, text in enumerate(ODD)]
    lines, _ = written(documents)
    records = [json.loads(line) for line in lines.split("\n")[:-1]]
    assert [record["text"] for record in records] == ODD
    assert records[0]["entities"] == [
        {"category": "name", "pos_b": 0, "pos_e": 0, "privacy": "他", "probability": 0.333333}
    ]


def test_the_table_of_the_competition_to_the_byte(written):
    document = Document("7", "联系周思平,谢谢")
    _, table = written([(document, [ScoredSpan("name", 2, 4, 0.9), ScoredSpan("book", 4, 6, 0.2)])])
    assert table == 'ID,Category,Pos_b,Pos_e,Privacy\n7,name,2,4,周思平\n7,book,4,6,"平,谢"\n'


def test_a_document_without_spans_has_a_line_but_no_row(written):
    lines, table = written([(Document("1", ""), []), (Document("2", "天地"), [])])
    assert [json.loads(line) for line in lines.splitlines()] == [
        {"id": "1", "text": "", "entities": []},
        {"id": "2", "text": "天地", "entities": []},
    ]
    assert table == "ID,Category,Pos_b,Pos_e,Privacy\n"


def test_text_for_callers_is_what_the_writer_writes(written):
    document, spans = Document("1", "甲\n乙,丙"), [ScoredSpan("name", 0, 4, 0.5), ScoredSpan("name", 2, 2, 0.5)]
    lines, _ = written([(document, spans)])
    assert prediction_json(document, spans) + "\n" == lines


FOUND = [
    (Document("a", "他说\r\n陆晓岚😀来了"), [ScoredSpan("name", 4, 6, 0.75), ScoredSpan("title", 4, 7, 0.123456789)]),
    (Document("b", "无"), []),
]


def test_the_table_begins_with_a_byte_order_mark_so_that_spreadsheets_show_chinese(written, tmp_path):
    written(FOUND)
    assert (tmp_path / "predict.csv").read_bytes().startswith("\ufeffID,Category".encode())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["predict.csv", "predict.jsonl"]


def test_doccano_reads_what_was_found(written, tmp_path):
    _, _, lines = written(FOUND, "doccano")
    assert json.loads(lines.splitlines()[0])["label"] == [[4, 7, "name"], [4, 8, "title"]]
    documents = read_corpus(CorpusConfig(path=str(tmp_path / "predict.doccano.jsonl")), Problems())
    assert [document.text for document in documents] == [document.text for document, _ in FOUND]
    assert documents[0].spans == (Span("name", 4, 6), Span("title", 4, 7))


def test_label_studio_gets_predictions_with_scores_and_no_annotations(written, tmp_path):
    _, _, text = written(FOUND, "labelstudio")
    first, second = json.loads(text)
    assert first["data"] == {"id": "a", "text": FOUND[0][0].text} and "annotations" not in first
    results = first["predictions"][0]["result"]
    assert [(one["value"]["start"], one["value"]["end"], one["score"]) for one in results] == [
        (4, 7, 0.75),
        (4, 8, 0.123457),
    ]
    assert results[0]["value"]["text"] == "陆晓岚" and results[0]["value"]["labels"] == ["name"]
    assert {(one["from_name"], one["to_name"], one["type"]) for one in results} == {("label", "text", "labels")}
    assert second["predictions"] == [{"model_version": "demo", "result": []}]
    assert (first["predictions"][0]["model_version"], first["predictions"][0]["score"]) == ("demo", 0.123457)
    assert json.loads(written([], "labelstudio")[2]) == []
    path = tmp_path / "predict.labelstudio.json"
    written(FOUND, "labelstudio")
    texts = read_corpus(CorpusConfig(path=str(path)), Problems(), "text")
    assert [document.id for document in texts] == ["a", "b"], "predictions are not read as labels"
    assert not any(document.spans for document in texts)


def test_files_appear_together_or_not_at_all(tmp_path):
    with pytest.raises(ZeroDivisionError), prediction_files(tmp_path / "out", "demo", "doccano") as files:
        files.write(*FOUND[0])
        raise ZeroDivisionError
    assert not list((tmp_path / "out").iterdir())
