"""Readers of labelled corpora: what they take, what they drop and say so, what they refuse."""

import json
import zipfile
from pathlib import Path

import pytest

from config import CorpusConfig
from data.corpus.document import Document, to_json
from data.corpus.formats import keep_categories, read_corpus
from data.problems import Problems
from data.spans import Doubt, Span
from utils.errors import UserError

REAL = Path(__file__).parents[3].parent / "shared" / "data"
HEADER = "ID,Category,Pos_b,Pos_e,Privacy\n"


def read(path, **settings):
    problems = Problems()
    return read_corpus(CorpusConfig(path=str(path), **settings), problems, "either"), problems


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def write_zip(path, members):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def refusal(path, **settings):
    """The one line with which a corpus is refused."""
    with pytest.raises(UserError) as caught:
        read(path, **settings)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# ---------------------------------------------------------------------------------------------------------------- ccf


def test_ccf_pairs_texts_and_labels_in_numeric_order(tmp_path):
    for number in (10, 2, 1):
        write(tmp_path / "train_data" / f"{number}.txt", f"第{number}号\r\n\n周思平 ")
        begin = len(f"第{number}号\r\n\n")
        table = f"{HEADER}{number},name,{begin},{begin + 2},周思平\r\n"
        if number == 2:  # with a byte-order mark, which must not become part of a column's name
            table = f"\ufeffCategory,Pos_b,Pos_e,Privacy\nname,{begin},{begin + 2},周思平"
        write(tmp_path / "train_label" / f"{number}.csv", table)
    documents, problems = read(tmp_path / "train_data")
    assert [document.id for document in documents] == ["1", "2", "10"]
    assert documents[0] == Document("1", "第1号\r\n\n周思平 ", (Span("name", 6, 8),))
    assert all(len(document.spans) == 1 for document in documents)
    assert not problems.counts


def test_ccf_zips_read_like_folders(tmp_path):
    write_zip(
        tmp_path / "a_data.zip",
        {"a_data/": "", "a_data/3.txt": "张三\n", "__MACOSX/5.txt": b"\xff", "a_data/.4.txt": b"\xff"},
    )
    write_zip(tmp_path / "a_label.zip", {"./deep/er/3.csv": HEADER + "3,name,0,1,张三\n"})
    documents, problems = read(tmp_path / "a_data.zip")
    assert documents == [Document("3", "张三\n", (Span("name", 0, 1),))]
    assert not problems.counts


def test_ccf_labels_are_optional_and_may_lie_elsewhere(tmp_path):
    write(tmp_path / "texts" / "0.txt", "张三")
    labels = write(tmp_path / "elsewhere" / "0.csv", HEADER + "0,name,0,1,张三\n").parent
    documents, problems = read(tmp_path / "texts")
    assert documents == [Document("0", "张三")] and not problems.counts
    documents, _ = read(tmp_path / "texts", labels=str(labels))
    assert documents[0].spans == (Span("name", 0, 1),)


def test_ccf_files_without_their_partner_are_reported_and_dropped(tmp_path):
    """A document whose labels are not there would train and be scored as if it had none."""
    for name in ("x_data/0.txt", "x_data/1.txt"):
        write(tmp_path / name, "张三")
    for name in ("x_label/1.csv", "x_label/7.csv"):
        write(tmp_path / name, HEADER)
    documents, problems = read(tmp_path / "x_data")
    assert documents == [Document("1", "张三")]
    assert problems.counts == {"document without a label file": 1, "label file without a document": 1}
    assert any("0.txt" in message for message in problems.messages)
    assert any("7.csv" in message for message in problems.messages)


@pytest.mark.parametrize(
    ("row", "reason", "shown"),
    [
        ("0,name,0,1,李四", "label text differs", ["'李四'", "'张三'"]),
        ("0,name,5,8,张三", "offsets outside the text", ["5 to 8", "6 characters"]),
        ("0,name,4,6,京市", "offsets outside the text", ["4 to 6"]),
        ("0,name,-2,-1,张三", "offsets outside the text", ["-2"]),
        ("0,name,1,0,张三", "begin is after end", ["1 to 0"]),
        ("0,name,一,1,张三", "offsets are not numbers", ["'一'"]),
        ("0,name,0_0,1,张三", "offsets are not numbers", ["'0_0'"]),
        ("0,name,０,1,张三", "offsets are not numbers", ["'０'"]),
        ("0,name, 0,1,张三", "offsets are not numbers", ["' 0'"]),
        ("0,name,0,+1,张三", "offsets are not numbers", ["'+1'"]),
        (f"0,name,0,{'1' * 5000},张三", "offsets are not numbers", []),
        ("0,name,0", "offsets are not numbers", ["'0'"]),
        ("0,,0,1,张三", "label without a category", []),
    ],
)
def test_ccf_drops_and_reports_a_bad_label(tmp_path, row, reason, shown):
    write(tmp_path / "x_data" / "0.txt", "张三在北京市")
    write(tmp_path / "x_label" / "0.csv", f"{HEADER}0,address,3,5,北京市\n{row}\n")
    documents, problems = read(tmp_path / "x_data")
    assert documents[0].spans == (Span("address", 3, 5),)
    assert problems.counts == {reason: 1}
    assert all(piece in problems.messages[0] for piece in ["0.csv:3", *shown])


def test_ccf_drops_a_document_whose_labels_break_off(tmp_path):
    for name in "01":
        write(tmp_path / f"x_data/{name}.txt", "张三在北京市")
    write(tmp_path / "x_label/0.csv", f'{HEADER}0,address,3,5,北京市\n0,name,0,1,"张三\n')
    write(tmp_path / "x_label/1.csv", f"{HEADER}1,address,3,5,北京市\n")
    documents, problems = read(tmp_path / "x_data")
    assert documents == [Document("1", "张三在北京市", (Span("address", 3, 5),))]
    assert problems.counts == {"not valid CSV from here on": 1} and "0.csv:3" in problems.messages[0]


def test_ccf_without_need_of_labels_keeps_every_document(tmp_path):
    for name in "012":
        write(tmp_path / f"x_data/{name}.txt", "张三在北京市")
    write(tmp_path / "x_label/0.csv", f'{HEADER}0,name,0,1,"张三\n')
    write(tmp_path / "x_label/1.csv", f"{HEADER}1,name,0,1,张三\n")
    problems = Problems()
    documents = read_corpus(CorpusConfig(path=str(tmp_path / "x_data")), problems, "text")
    assert [document.id for document in documents] == ["0", "1", "2"] and not problems.messages


def test_ccf_documents_of_one_name_share_their_labels_and_the_first_stays(tmp_path):
    for name in ("x_data/a/0.txt", "x_data/b/0.txt"):
        write(tmp_path / name, "张三")
    write(tmp_path / "x_label/0.csv", f"{HEADER}0,name,0,1,张三\n")
    documents, problems = read(tmp_path / "x_data")
    assert documents == [Document("0", "张三", (Span("name", 0, 1),))]
    assert problems.counts == {"duplicate id": 1}, "its label file is there"


def test_a_span_may_end_with_the_text_and_repetitions_merge(tmp_path):
    write(tmp_path / "x_data" / "0.txt", "见张三")
    write(tmp_path / "x_label" / "0.csv", HEADER + "0,name,1,2,张三\n" * 2 + "0,name,2,2,三\n")
    documents, problems = read(tmp_path / "x_data")
    assert documents[0].spans == (Span("name", 1, 2), Span("name", 2, 2))
    assert not problems.counts


def test_empty_texts_and_repeated_ids_are_dropped(tmp_path):
    write_zip(tmp_path / "x.zip", {"a/0.txt": "一", "b/0.txt": "二", "1.txt": " \n"})
    documents, problems = read(tmp_path / "x.zip")
    assert documents == [Document("0", "一")]
    assert problems.counts == {"empty text": 1, "duplicate id": 1}


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_of_a_name_that_a_zip_holds_twice_the_newer_text_stays_and_the_other_is_reported(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("0.txt", "旧")
        archive.writestr("0.txt", "新")
    documents, problems = read(tmp_path / "x.zip")
    assert documents == [Document("0", "新")] and problems.counts == {"duplicate id": 1}


def test_categories_are_renamed_and_dropped(tmp_path):
    write(tmp_path / "x_data" / "0.txt", "张三在北京")
    write(tmp_path / "x_label" / "0.csv", HEADER + "0,name,0,1,张三\n0,scene,3,4,北京\n0,book,2,2,在\n")
    documents, problems = read(tmp_path / "x_data", categories={"scene": "place", "book": ""})
    assert documents[0].spans == (Span("name", 0, 1), Span("place", 3, 4))
    assert not problems.counts


def test_a_renamed_category_that_no_label_has_is_told(tmp_path):
    path = write(
        tmp_path / "x.jsonl", to_json(Document("0", "张三在北京", (Span("name", 0, 1),), (Doubt("book", 2, 2),)))
    )
    _, problems = read(path, categories={"nmae": "person", "book": "title", "scene": ""})
    assert problems.warnings == [
        f"{path}: categories renames nmae, which no label has; did you mean name?",
        f"{path}: categories renames scene, which no label has; known here: book, name",
    ]
    assert problems.report().splitlines() == [
        f"  {path}: read as jsonl", *(f"  {one}" for one in problems.warnings), "dropped nothing"
    ]  # fmt: skip
    bare = write(tmp_path / "y.jsonl", to_json(Document("0", "张三在北京")))
    assert not read(bare, categories={"nmae": "person"})[1].warnings, "where nothing is labelled nothing is renamed"


# ------------------------------------------------------------------------------------------------- cluener and jsonl


def test_cluener(tmp_path):
    lines = [
        {"text": "张三和张三", "label": {"name": {"张三": [[0, 1], [3, 4]]}}},
        {"text": "无", "label": {}},
        {"text": "李四", "label": {"name": {"李三": [[0, 1]], "四": [[1]], "李": 0}}},
    ]
    path = write(tmp_path / "train.json", "\ufeff" + "\n\n".join(json.dumps(line) for line in lines))
    documents, problems = read(path)
    assert documents == [
        Document("0", "张三和张三", (Span("name", 0, 1), Span("name", 3, 4))),
        Document("2", "无"),
        Document("4", "李四"),
    ]
    assert problems.counts == {"label text differs": 1, "offsets are not numbers": 1, "labels of another shape": 1}
    assert "train.json:5" in problems.messages[0]


def test_jsonl_reads_back_what_to_json_writes(tmp_path):
    documents = [
        Document("甲", "张三\u2028在\r\n北京", (Span("name", 0, 1), Span("name", 0, 3)), (Doubt("*", 3, 5),)),
        Document("乙", "无"),
        Document("丙", "王五", (), (Doubt("name", 0, 1, 0.25), Doubt("name", 1, 1)), 0.5),
    ]
    path = write(tmp_path / "a.jsonl", "\n".join(map(to_json, documents)) + "\n")
    found, problems = read(path)
    assert found == documents and not problems.counts


def test_jsonl_drops_and_reports_bad_lines(tmp_path):
    lines = ['{"text": "cut', "[1]", '{"id": "a"}', '{"text": ""}', '{"text": "好"}', '{"id": 4, "text": "二"}',
             '{"text": "张三", "entities": [{"category": "name", "pos_b": 0, "pos_e": true}, 7]}']  # fmt: skip
    documents, problems = read(write(tmp_path / "a.jsonl", "\n".join(lines)))
    assert documents == [Document("4", "好"), Document("6", "张三")]
    assert problems.counts == {
        "not a JSON object": 2, "record without a text": 1, "empty text": 1, "duplicate id": 1,
        "offsets are not numbers": 1, "labels of another shape": 1,
    }  # fmt: skip
    assert "a.jsonl:1" in problems.messages[0]


@pytest.mark.parametrize("value", [-1, "much", True, [1]])
def test_a_weight_or_belief_that_is_no_number_is_reported_and_ordinary(tmp_path, value):
    entity = {"category": "name", "pos_b": 0, "pos_e": 1}
    line = json.dumps({"text": "张三", "weight": value, "doubtful": [{**entity, "belief": value}]})
    (document,), problems = read(write(tmp_path / "a.jsonl", line))
    assert document == Document("0", "张三", (), (Doubt("name", 0, 1),))
    assert problems.changed == {"weight is no number from 0 up, read as 1": 1,
                                "belief is no number from 0 up, read as 0": 1}  # fmt: skip
    assert not problems.counts


# --------------------------------------------------------------------------------------------------------------- bmes


@pytest.mark.parametrize(
    "tags",
    [
        "B-X M-X E-X O S-X S-Y B-Y E-Y",
        "B-X I-X E-X O S-X S-Y B-Y E-Y",
        "B-X I-X I-X O B-X B-Y B-Y I-Y",
    ],
)
def test_the_three_schemes_name_the_same_spans(tmp_path, tags):
    text = "天地玄　宇 洪荒"
    lines = "".join(f"{character}\t{tag}\n" for character, tag in zip(text, tags.split(), strict=True))
    documents, problems = read(write(tmp_path / "a.char.bmes", f"\n{lines}\n\n{lines.replace(chr(9), ' ')}"))
    spans = (Span("X", 0, 2), Span("X", 4, 4), Span("Y", 5, 5), Span("Y", 6, 7))
    assert documents == [Document("0", text, spans), Document("1", text, spans)]
    assert not problems.counts


@pytest.mark.parametrize(
    ("tags", "spans", "line"),
    [
        ("B-X M-X O S-X", [(3, 3)], 2),  # not closed
        ("B-X M-X S-X O", [(2, 2)], 2),
        ("S-X O B-X M-X", [(0, 0)], 4),  # not closed at the end of the sentence
        ("O M-X E-X S-X", [(3, 3)], 2),  # not opened
        ("B-X M-Y E-Y S-X", [(3, 3)], 2),  # another category inside
        ("B-X E-X E-X O", [(0, 1)], 3),
        ("B-X O I-X I-X", [(0, 0)], 3),  # BIO: not opened
        ("B-X I-Y I-Y B-X", [(3, 3)], 2),  # BIO: another category inside
    ],
)
def test_a_broken_span_is_reported_once_and_the_others_stay(tmp_path, tags, spans, line):
    lines = "".join(f"{character} {tag}\n" for character, tag in zip("天地玄黄", tags.split(), strict=True))
    documents, problems = read(write(tmp_path / "a.bmes", lines))
    assert documents == [Document("0", "天地玄黄", tuple(Span("X", *span) for span in spans))]
    assert problems.counts == {"broken tags": 1}
    assert f"a.bmes:{line}:" in problems.messages[0]


# ----------------------------------------------------------------------------------------------------------- refusals


def test_a_missing_path_is_refused(tmp_path):
    assert "nowhere" in refusal(tmp_path / "nowhere")
    write(tmp_path / "0.txt", "张三")
    assert "nowhere" in refusal(tmp_path, labels=str(tmp_path / "nowhere"))


def test_what_is_not_utf8_is_refused_with_its_place(tmp_path):
    lines = '{"text": "好"}\n{"text": "张三"}\n'
    good = len('{"text": "好"}\n{"text": "'.encode())
    gbk = write(tmp_path / "a.jsonl", lines[:14].encode() + lines[14:].encode("gbk"))
    message = refusal(gbk)
    assert f"byte {good}" in message and "a.jsonl" in message and "iconv -f GBK -t UTF-8" in message
    write(tmp_path / "x" / "0.txt", b"ab\xff\xff")
    message = refusal(tmp_path / "x")
    assert "0.txt" in message and "byte 2" in message and "GBK" not in message


def test_a_damaged_zip_is_refused(tmp_path):
    whole = write_zip(tmp_path / "whole.zip", {"0.txt": "张三" * 50}).read_bytes()
    assert "cut.zip" in refusal(write(tmp_path / "cut.zip", whole[:-30]))
    assert "bent.zip" in refusal(write(tmp_path / "bent.zip", whole.replace("三张".encode(), "三李".encode(), 1)))


def test_a_zip_with_a_damaged_name_or_member_is_refused(tmp_path):
    whole = write_zip(tmp_path / "whole.zip", {"张三.txt": "张三"}).read_bytes()
    bent = write(tmp_path / "bent.zip", whole.replace("张".encode(), b"\xff\xff\xff"))
    assert "damaged or not a zip" in refusal(bent)
    with zipfile.ZipFile(tmp_path / "lzma.zip", "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("0.txt", bytes(range(256)) * 4)
    packed = bytearray((tmp_path / "lzma.zip").read_bytes())
    packed[50:60] = b"\xff" * 10
    assert "damaged or not a zip" in refusal(write(tmp_path / "lzma.zip", bytes(packed)))


@pytest.mark.parametrize("content", ["", "plain words\n", "天 1\n地 2\n", '{"content": "张三"}'])
def test_what_is_not_recognised_is_refused_with_the_formats(tmp_path, content):
    message = refusal(write(tmp_path / "a.data", content))
    assert all(name in message for name in ("ccf", "cluener", "bmes", "jsonl"))


def test_a_corpus_without_a_usable_document_is_refused(tmp_path):
    assert "empty text 1" in refusal(write(tmp_path / "a.jsonl", '{"text": " "}'))
    assert "no .txt" in refusal(write(tmp_path / "x" / "0.csv", HEADER).parent)
    assert "no usable document" in refusal(write(tmp_path / "b.jsonl", '{"text": "张三"}'), format="ccf")


# --------------------------------------------------------------------------------------------------------- categories


def test_keep_categories():
    spans, doubtful = (Span("name", 0, 1), Span("nmae", 2, 3)), (Doubt("*", 0, 0, 0.5), Doubt("x", 1, 1))
    documents = [Document("7", "张三李四", spans, doubtful)]
    problems = Problems()
    assert keep_categories(documents, [], problems, "dev") == documents and not problems.counts
    (checked,) = keep_categories(documents, ["name"], problems, "dev")
    assert checked == Document("7", "张三李四", (Span("name", 0, 1),), (Doubt("*", 0, 0, 0.5),))
    assert problems.messages == ["dev, document 7: unknown category: nmae '李四'"]


# ------------------------------------------------------------------------------------------------------- real corpora


@pytest.mark.skipif(not REAL.exists(), reason="the real corpora are not beside the repository")
@pytest.mark.parametrize(
    ("path", "documents", "spans", "dropped"),
    [
        ("ccf2020/train_data.zip", 2000, 16427, 0),
        ("cluener/train.json", 10748, 23971, 0),
        ("resume/train.char.bmes", 3821, 13436, 4),
        ("resume/dev.char.bmes", 463, 1497, 0),
        ("weibo/train.char.bmes", 1350, 1884, 10),
        ("weibo/dev.char.bmes", 270, 389, 0),
    ],
)
def test_real_corpora(path, documents, spans, dropped):
    found, problems = read(REAL / path)
    assert len(found) == documents
    assert sum(len(document.spans) for document in found) == spans
    assert sum(problems.counts.values()) == dropped


# --------------------------------------------------------------------------------------------------------- surrogates

HALF = "张\ud83d三"  # as a program writes it that cuts a text between the halves of an emoji
DAMAGED = {
    "bmes": {"a.conll": "".join(f"{character}\tB-\ud83dX\n" for character in HALF)},
    "ccf": {"x_data/0.txt": HALF, "x_label/0.csv": HEADER + f"0,\ud83dX,0,2,{HALF}\n"},
    "brat": {"b/0.txt": HALF, "b/0.ann": f"T1\t\ud83dX 0 3\t{HALF}\n"},
    "doccano": {"d.jsonl": f'{{"text": "{HALF}", "label": [[0, 3, "\ud83dX"]]}}'},
    "tokens": {"t.json": f'[{{"tokens": ["{HALF}"], "ner_tags": ["B-\ud83dX"]}}]'},
    "labelstudio": {"l.json": f'[{{"text": "{HALF}", "label": [{{"start": 0, "end": 3, "labels": ["\ud83dX"]}}]}}]'},
}


@pytest.mark.parametrize("name", DAMAGED)
def test_half_a_surrogate_pair_is_mended_alike_in_every_format(tmp_path, name):
    for file, content in DAMAGED[name].items():
        write(tmp_path / file, content.encode("utf-8", "surrogatepass"))
    first = tmp_path / next(iter(DAMAGED[name]))
    path = first if first.parent == tmp_path else first.parent
    documents, problems = read(path)
    assert [document.text for document in documents] == ["张\ufffd三"]
    assert {span.category for span in documents[0].spans} == {"\ufffdX"}
    assert set(problems.changed) == {"half a surrogate pair, replaced by U+FFFD"} and not problems.counts
    to_json(documents[0]).encode()
