"""Texts to predict on: every input form gives every text, as stored, one at a time."""

import io
import json
import os
import zipfile
from types import SimpleNamespace

import pytest

from data.corpus import corpus_files as files
from data.corpus import input_texts
from data.corpus.document import Document, to_json
from data.corpus.input_texts import read_texts
from data.problems import Problems
from data.spans import Span
from utils.errors import UserError


def read(path=None, stream=None, text_key=""):
    problems = Problems()
    return list(read_texts(path, stream, problems, text_key)), problems


def test_folder_zip_and_single_file(tmp_path):
    texts = {"10": "十\r\n", "9": "", "乙": "\ufeff三\n"}
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name, text in texts.items():
            (tmp_path / f"{name}.txt").write_bytes(text.encode())
            archive.writestr(f"inner/{name}.txt", text)
    expected = [Document("9", ""), Document("10", "十\r\n"), Document("乙", "\ufeff三\n")]
    assert read(tmp_path)[0] == expected
    assert read(tmp_path / "a.zip")[0] == expected
    assert read(tmp_path / "10.txt")[0] == [expected[1]]


def test_jsonl_keeps_empty_texts(tmp_path):
    path = tmp_path / "a.jsonl"
    labelled = Document("a", "张三", (Span("name", 0, 1),))
    path.write_text(to_json(labelled) + '\n{"text": ""}\n{"id": "a", "text": "again"}\n', encoding="utf-8")
    documents, problems = read(path)
    assert documents == [Document("a", "张三"), Document("1", ""), Document("a#3", "again")]
    assert problems.summary() == "dropped nothing; changed 1: id given before, another one taken 1"
    assert problems.messages == [f"{path}:3: id given before, another one taken: 'a' is 'a#3'"]


def test_a_line_number_that_is_also_an_id_hides_no_line(tmp_path):
    path = tmp_path / "texts.jsonl"
    lines = ['{"id": 2, "text": "一"}', "", '{"text": "二"}', '{"id": "texts#3", "text": "三"}', '{"text": "四"}']
    path.write_text("\n".join(lines), encoding="utf-8")
    documents, problems = read(path)
    assert [(document.id, document.text) for document in documents] == [
        ("2", "一"), ("texts#3", "二"), ("texts#4", "三"), ("4", "四"),
    ]  # fmt: skip
    assert problems.changed.total() == 2 and not problems.counts


def test_an_id_made_of_a_file_name_that_is_not_utf8_can_be_written(tmp_path):
    path = tmp_path / os.fsdecode("文".encode("gbk") + b".jsonl")
    path.write_text('{"id": "0", "text": "a"}\n{"id": "0", "text": "b"}\n', encoding="utf-8")
    documents, _ = read(path)
    assert [document.id for document in documents] == ["0", r"\xce\xc4#2"]


def test_files_of_one_name_in_several_folders_are_all_read(tmp_path):
    names = ("1.txt", "a/1.txt", "b/1.TXT", "b/1.txt", "a/b/2.txt", "0/1.txt")
    with zipfile.ZipFile(tmp_path / "texts.zip", "w") as archive:
        for name in names:
            path = tmp_path / "texts" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(name)
            archive.writestr(name, name)
    for place in ("texts", "texts.zip"):
        documents, problems = read(tmp_path / place)
        assert {document.id: document.text for document in documents} == {
            "1": "0/1.txt", "1#2": "1.txt", "a/1": "a/1.txt", "b/1": "b/1.TXT", "b/1#2": "b/1.txt", "2": "a/b/2.txt",
        }  # fmt: skip
        assert problems.changed == {"id given before, another one taken": 4} and not problems.counts


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_zip_that_holds_a_name_twice_gives_both_texts_the_newer_first(tmp_path):
    with zipfile.ZipFile(tmp_path / "texts.zip", "w") as archive:
        for name, text in (("1.txt", "旧"), ("./1.txt", "中"), ("1.txt", "新")):
            archive.writestr(name, text)
    documents, _ = read(tmp_path / "texts.zip")
    assert [(document.id, document.text) for document in documents] == [("1", "新"), ("1#2", "中"), ("1#3", "旧")]


def test_half_a_surrogate_pair_is_replaced_in_place(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text(
        r'{"id": "\udc00", "text": "a\ud800b\ud83d\ude00", '
        r'"entities": [{"category": "x", "pos_b": 1, "pos_e": 2, "privacy": "\ud800b"}]}'
    )
    documents, problems = read(path)
    assert documents == [Document("\ufffd", "a\ufffdb😀")]
    to_json(documents[0]).encode("utf-8")
    assert problems.summary() == "dropped nothing; changed 2: half a surrogate pair, replaced by U+FFFD 2"


@pytest.mark.parametrize("wrap", [io.StringIO, lambda text: io.TextIOWrapper(io.BytesIO(text.encode()), "ascii")])
def test_standard_input_is_a_text_a_line(wrap):
    documents, problems = read(stream=wrap("张三\n\n李四\u2028王五"))
    assert documents == [Document("0", "张三"), Document("1", ""), Document("2", "李四\u2028王五")]
    assert not problems.counts


def test_standard_input_is_read_as_it_comes():
    taken = []

    def lines():
        for number in range(3):
            taken.append(number)
            yield f"{number}\n".encode()

    stream = lines()
    buffer = SimpleNamespace(readline=lambda longest: next(stream, b""))
    texts = read_texts(None, SimpleNamespace(buffer=buffer), Problems())
    assert next(texts).text == "0" and taken == [0]


def test_files_are_read_as_they_come(tmp_path, monkeypatch):
    for number in range(3):
        (tmp_path / f"{number}.txt").write_text("字", encoding="utf-8")
    decoded = []
    monkeypatch.setattr(files, "decode", lambda raw, where, **more: decoded.append(where) or raw.decode())
    texts = read_texts(tmp_path, None, Problems())
    next(texts)
    assert len(decoded) == 1


@pytest.mark.parametrize(
    ("encoding", "expected"), [("gbk", "李四"), ("gb18030", "㐀𠮷"), ("utf-8", "李四"), ("utf-8", "é"), ("cp437", "é")]
)
def test_names_in_a_zip_that_does_not_say_their_encoding(tmp_path, encoding, expected):
    """Windows writes them in that of the system, and zipfile reads them all as cp437."""
    raw = f"王五/{expected}.txt".encode(encoding) if encoding != "cp437" else f"{expected}.txt".encode("cp437")
    path, stand_in = tmp_path / "a.zip", "N" * len(raw)  # names that are not ASCII would be flagged
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(stand_in, "文")
    path.write_bytes(path.read_bytes().replace(stand_in.encode(), raw))
    documents, _ = read(path)
    assert documents == [Document(expected, "文")]


def test_bad_input_is_refused(tmp_path):
    with pytest.raises(UserError, match="nowhere"):
        read_texts(tmp_path / "nowhere", None, Problems())
    with pytest.raises(UserError, match=r"no \.txt"):
        read(tmp_path)
    with pytest.raises(UserError, match=r"standard input: not UTF-8 at byte 4.*iconv"):
        read(stream=io.TextIOWrapper(io.BytesIO("张\n".encode() + "三".encode("gbk") + b"\n")))
    (tmp_path / "a.docx").write_text("x")
    with pytest.raises(UserError, match="jsonl"):
        read(tmp_path / "a.docx")
    with pytest.raises(ValueError):
        read()


# ---------------------------------------------------------------------------------------------------- lists and tables


@pytest.mark.parametrize("indent", [None, 1])
def test_a_json_list_of_objects_or_texts(tmp_path, indent):
    path = tmp_path / "a.json"
    values = [{"text": "一"}, "二", {"id": 7, "text": "三"}, {"id": 0, "text": "四"}, 5, {"content": "五"}]
    path.write_text(json.dumps(values, ensure_ascii=False, indent=indent), encoding="utf-8")
    documents, problems = read(path)
    assert documents == [Document("0", "一"), Document("1", "二"), Document("7", "三"), Document("a#3", "四")]
    assert problems.counts == {"not a JSON object": 1, "record without a text": 1}
    assert "item 5: record without a text: its keys are content" in problems.messages[-1]


def test_any_key_of_the_text_that_is_named(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"content": "一", "text": "x"}\n{"content": null}\n', encoding="utf-8")
    documents, problems = read(path, text_key="content")
    assert documents == [Document("0", "一")] and problems.counts == {"record without a text": 1}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", "text,n\n一,1\n二,2\n"),
        ("a.csv", "\ufefftext,n\r\n一,1\r\n二,2\r\n"),
        ("a.csv", "n;text\n1;一\n2;二\n"),
        ("a.csv", 'n, text\n1,"一"\n2,二\n'),
        ("a.CSV", '"text"\n一\n二\n'),
        ("a.tsv", "n\ttext\n1\t一\n2\t二\n"),
        ("a.tsv", "n,text\n1,一\n2,二\n"),
    ],
)
def test_the_column_of_a_table(tmp_path, name, content):
    (tmp_path / name).write_bytes(content.encode())
    documents, problems = read(tmp_path / name)
    assert documents == [Document("0", "一"), Document("1", "二")] and not problems.counts


def test_a_table_with_ids_line_ends_and_odd_rows(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes('ID,正文\n甲,"一\r\n二 ""三"""\n乙\n甲,四\n,五\n'.encode())
    documents, problems = read(path, text_key="正文")
    assert documents == [Document("甲", '一\r\n二 "三"'), Document("a#2", "四"), Document("3", "五")]
    assert problems.counts == {"row without a text": 1} and problems.changed == {
        "id given before, another one taken": 1
    }


def test_a_long_cell_is_read(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(f"text\n{'字' * 300_000}\n", encoding="utf-8")
    assert len(read(path)[0][0].text) == 300_000


@pytest.mark.parametrize(
    ("content", "telling"),
    [
        ("content,n\n一,1\n", "no column text; its header is content, n; name the column of the text with --text-key"),
        ("", "no column text; its header is empty"),
        ('text\n"一\n', r"a\.csv:\d+: not valid CSV"),
        ("text\n张三\n".encode("gbk"), "not UTF-8 at byte 5; it looks like GBK"),
    ],
)
def test_a_table_that_cannot_be_read_is_one_line(tmp_path, content, telling):
    path = tmp_path / "a.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UserError, match=telling) as caught:
        read(path)
    assert "\n" not in str(caught.value)


def test_a_table_is_read_as_it_comes(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes("text\n一\n".encode() + b"\xff\n")
    texts = read_texts(path, None, Problems())
    assert next(texts) == Document("0", "一")
    with pytest.raises(UserError, match="not UTF-8 at byte 9"):
        next(texts)


DAMAGED = "张\ud83d三\ud83d\ude00".encode("utf-8", "surrogatepass")  # half a pair, and a pair as two halves


@pytest.mark.parametrize("form", ["txt", "jsonl", "json", "csv", "stream"])
def test_damaged_surrogates_are_mended_alike_in_every_input(tmp_path, form):
    layout = {
        "txt": b"%s",
        "jsonl": b'{"text": "%s"}',
        "json": b'[{"text": "%s"}]',
        "csv": b"text\n%s\n",
        "stream": b"%s\n",
    }
    path = tmp_path / f"a.{form}"
    path.write_bytes(layout.get(form, b"%s") % DAMAGED)
    stream = io.TextIOWrapper(io.BytesIO(path.read_bytes())) if form == "stream" else None
    (document,), problems = read(None if stream else path, stream)
    assert document.text == "张\ufffd三😀"
    assert problems.changed == {"half a surrogate pair, replaced by U+FFFD": 1}


def test_ids_that_only_count_take_no_memory_and_clash_with_written_ones(tmp_path):
    lines = ['{"text": "a"}', '{"id": "0", "text": "b"}', '{"text": "c"}', '{"id": "5", "text": "d"}', '{"text": "e"}',
             '{"text": "f"}', '{"id": "007", "text": "g"}', '{"id": "7", "text": "h"}']  # fmt: skip
    (tmp_path / "t.jsonl").write_text("\n".join(lines), encoding="utf-8")
    ids = [document.id for document in read_texts(tmp_path / "t.jsonl", None, Problems())]
    assert ids == ["0", "t#2", "2", "5", "4", "t#6", "007", "7"]
    seen = input_texts._SeenIds()
    for number in range(10_000):
        assert str(number) not in seen
        seen.add(str(number))
        assert str(number) in seen
    assert not seen._others and "10000" not in seen and "01" not in seen
