import csv
import io
import json

from data.corpus.document import Document
from data.spans import ScoredSpan
from model.reading.prediction_files import PredictionWriter, prediction_json

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


def written(documents):
    lines, table = io.StringIO(newline=""), io.StringIO(newline="")
    writer = PredictionWriter(lines, table)
    for document, spans in documents:
        writer.write(document, spans)
    return lines.getvalue(), table.getvalue()


def test_any_text_comes_back_from_the_table():
    documents = [
        (Document(f"编号,{number}", text), [ScoredSpan("name", 0, len(text) - 1, 0.5)])
        for number, text in enumerate(ODD)
    ]
    _, table = written(documents)
    rows = list(csv.reader(io.StringIO(table, newline="")))
    assert rows[0] == ["ID", "Category", "Pos_b", "Pos_e", "Privacy"]
    assert rows[1:] == [[f"编号,{n}", "name", "0", str(len(text) - 1), text] for n, text in enumerate(ODD)]


def test_any_text_comes_back_from_the_lines():
    documents = [(Document(str(n), text), [ScoredSpan("name", 0, 0, 1 / 3)]) for n, text in enumerate(ODD)]
    lines, _ = written(documents)
    records = [json.loads(line) for line in lines.split("\n")[:-1]]
    assert [record["text"] for record in records] == ODD
    assert records[0]["entities"] == [
        {"category": "name", "pos_b": 0, "pos_e": 0, "privacy": "他", "probability": 0.333333}
    ]


def test_the_table_of_the_competition_to_the_byte():
    document = Document("7", "联系周思平,谢谢")
    _, table = written([(document, [ScoredSpan("name", 2, 4, 0.9), ScoredSpan("book", 4, 6, 0.2)])])
    assert table == 'ID,Category,Pos_b,Pos_e,Privacy\n7,name,2,4,周思平\n7,book,4,6,"平,谢"\n'


def test_a_document_without_spans_has_a_line_but_no_row():
    lines, table = written([(Document("1", ""), []), (Document("2", "天地"), [])])
    assert [json.loads(line) for line in lines.splitlines()] == [
        {"id": "1", "text": "", "entities": []},
        {"id": "2", "text": "天地", "entities": []},
    ]
    assert table == "ID,Category,Pos_b,Pos_e,Privacy\n"


def test_text_for_callers_is_what_the_writer_writes():
    document, spans = Document("1", "甲\n乙,丙"), [ScoredSpan("name", 0, 4, 0.5), ScoredSpan("name", 2, 2, 0.5)]
    lines, _ = written([(document, spans)])
    assert prediction_json(document, spans) + "\n" == lines
