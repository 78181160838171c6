"""Label Studio's JSON, out and in."""

import json

import pytest

from config import CorpusConfig
from data.corpus.document import Document
from data.corpus.format_labelstudio import to_labelstudio
from data.corpus.formats import read_corpus
from data.problems import Problems
from data.spans import Span
from utils.errors import UserError

DOCUMENTS = [
    Document("0", "张三😀在北京\r\n见李四", (Span("name", 0, 1), Span("address", 4, 5))),
    Document("乙", "什么都没有"),
]


def read(tmp_path, tasks, **settings):
    path = tmp_path / "export.json"
    path.write_text(tasks if isinstance(tasks, str) else json.dumps(tasks), encoding="utf-8")
    problems = Problems()
    return read_corpus(CorpusConfig(path=str(path), **settings), problems, "either"), problems


def task(*values, text="张三😀在北京", **more):
    results = [{"type": "labels", "value": value} for value in values]
    return {"id": 7, "data": {"text": text}, "annotations": [{"result": results, **more}]}


def test_what_goes_out_comes_back(tmp_path):
    missing, doubtful = {"0": {Span("name", 9, 10): 0.75}}, {"0": {Span("name", 0, 1): 0.01}}
    documents, problems = read(tmp_path, to_labelstudio(DOCUMENTS, missing, doubtful))
    assert documents == DOCUMENTS and not problems.counts


def test_what_is_missing_is_a_prediction():
    first, second = json.loads(to_labelstudio(DOCUMENTS, {"0": {Span("name", 9, 10): 0.75}}, {}))
    (result,) = first["predictions"][0]["result"]
    assert result["value"] == {"start": 9, "end": 11, "text": "李四", "labels": ["name"]}
    assert result["score"] == 0.75
    assert "predictions" not in second and second["annotations"] == [{"result": []}]


def test_a_doubtful_label_carries_a_note():
    first, _ = json.loads(to_labelstudio(DOCUMENTS, {}, {"0": {Span("address", 4, 5): 0.0123}}))
    sure, doubted = first["annotations"][0]["result"]
    assert "meta" not in sure and doubted["value"]["labels"] == ["address"]
    assert doubted["meta"] == {"text": ["doubtful: 0.0123"]}


def test_a_task_that_was_skipped_or_not_looked_at_is_none_without_names(tmp_path):
    skipped, waiting = task(was_cancelled=True), {"id": 8, "data": {"text": "张三"}, "annotations": []}
    documents, problems = read(
        tmp_path, [skipped, waiting, {"id": 9, "data": {"text": "无"}, "annotations": [{"result": []}]}]
    )
    assert documents == [Document("9", "无")]
    assert problems.counts == {"task without an annotation": 2}
    texts = read_corpus(CorpusConfig(path=str(tmp_path / "export.json")), Problems(), "text")
    assert [document.text for document in texts] == ["张三😀在北京", "张三", "无"]


def test_the_last_annotation_that_stands_counts(tmp_path):
    one = task({"start": 0, "end": 2, "text": "张三", "labels": ["name"]})
    one["annotations"] += [
        {"result": [{"value": {"start": 4, "end": 6, "text": "北京", "labels": ["address", "scene"]}}]},
        {"result": [], "was_cancelled": True},
    ]
    ((document,), _) = read(tmp_path, [one])
    assert document == Document("7", "张三😀在北京", (Span("address", 4, 5), Span("scene", 4, 5)))


def test_offsets_in_utf16_units_are_understood_where_the_text_tells(tmp_path):
    ((document,), problems) = read(tmp_path, [task({"start": 5, "end": 7, "text": "北京", "labels": ["address"]})])
    assert document.spans == (Span("address", 4, 5),) and not problems.counts


def value(begin, end, own=None):
    return {"start": begin, "end": end, "text": own, "labels": ["a"]}


@pytest.mark.parametrize(
    ("text", "values", "spans", "dropped"),
    [
        # 哈哈 stands at both readings of its offsets; 北京 tells which is meant.
        ("😀哈哈哈在北京", [(2, 4, "哈哈")], [(2, 3)], {}),
        ("😀哈哈哈在北京", [(2, 4, "哈哈"), (6, 8, "北京")], [(1, 2), (5, 6)], {}),
        ("😀哈哈哈在北京", [(6, 8, "北京"), (2, 4, None)], [(1, 2), (5, 6)], {}),  # without its text
        ("😀哈哈哈在北京", [(6, 8, "北京"), (2, 4, "哈哈"), (4, 5, "在")], [(1, 2), (4, 4), (5, 6)], {}),  # fits once
        ("😀哈哈哈在北京", [(6, 8, "北京"), (1, 3, None)], [(5, 6)], {"offsets are not numbers": 1}),
        ("😀哈哈哈在北京", [(6, 8, "北京"), (6, 9, None)], [(5, 6)], {"offsets outside the text": 1}),
        ("😀哈哈哈在北京", [(6, 8, "北京"), (-1, 2, None)], [(5, 6)], {"offsets outside the text": 1}),
        ("😀哈哈哈在北京", [(6, 8, "北京"), (2, 4, "在北")], [(5, 6)], {"label text differs": 1}),
        ("😀哈哈哈在北京", [(2, 4, "哈哈"), (5, 7, "北京")], [(2, 3), (5, 6)], {}),  # characters
        ("哈哈哈在北京", [(1, 3, "哈哈"), (4, 6, "北京"), (0, 1, None)], [(0, 0), (1, 2), (4, 5)], {}),
    ],
)
def test_all_labels_of_a_task_are_in_the_units_of_those_that_tell(tmp_path, text, values, spans, dropped):
    ((document,), problems) = read(tmp_path, [task(*(value(*one) for one in values), text=text)])
    assert document.spans == tuple(Span("a", begin, end) for begin, end in spans)
    assert problems.counts == dropped


def test_one_task_says_nothing_of_another(tmp_path):
    told, other = (task(value(*one), text="😀哈哈哈在北京") for one in ((6, 8, "北京"), (2, 4, "哈哈")))
    documents, _ = read(tmp_path, [told, other | {"id": 8}])
    assert [document.spans for document in documents] == [(Span("a", 5, 6),), (Span("a", 2, 3),)]


def test_an_id_that_is_null_is_none(tmp_path):
    tasks = [task() | {"data": {"id": None, "text": "张三"}}, task() | {"id": None}, task() | {"id": None}]
    tasks[2]["data"] = {"id": 0, "text": "李四"}
    documents, problems = read(tmp_path, tasks)
    assert [document.id for document in documents] == ["7", "1", "0"] and not problems.counts


def test_what_does_not_fit_is_reported(tmp_path):
    wrong = [(1, 3, "北京"), (3, 40, None), (None, 2, None), (2, 2, "")]
    values = ({"start": begin, "end": end, "text": own, "labels": ["a"]} for begin, end, own in wrong)
    documents, problems = read(tmp_path, [task(*values), {"data": {"image": "x", "url": "y", "html": "z"}}])
    assert documents == [Document("7", "张三😀在北京")]
    assert problems.counts == {"label text differs": 1, "offsets outside the text": 1, "offsets are not numbers": 1,
                               "begin is after end": 1, "task without a text": 1}  # fmt: skip


@pytest.mark.parametrize(
    ("annotations", "reported"),
    [([{"result": None}], 0), ([{"result": [{"value": None}]}], 0), ([{"result": 3}], 1), ([17, {"result": []}], 1),
     ([{"result": ["x"]}], 1), ([{"result": [{"value": "x"}]}], 1), ([{"result": [{"value": {"labels": 3}}]}], 1)],
)  # fmt: skip
def test_labels_of_another_shape_are_reported(tmp_path, annotations, reported):
    good = {"result": [{"value": {"start": 0, "end": 2, "text": "张三", "labels": ["name"]}}]}
    bad = {"id": 7, "data": {"text": "张三"}, "annotations": annotations}
    documents, problems = read(tmp_path, [bad, {"data": {"text": "张三"}, "annotations": [good]}])
    assert documents == [Document("7", "张三"), Document("1", "张三", (Span("name", 0, 1),))]
    assert problems.counts["labels of another shape"] == reported == sum(problems.counts.values())


def test_an_annotation_of_another_shape_hides_none_before_it(tmp_path):
    one = task({"start": 0, "end": 2, "text": "张三", "labels": ["name"]})
    one["annotations"].append(17)
    ((document,), _) = read(tmp_path, [one])
    assert document.spans == (Span("name", 0, 1),)


def test_half_a_surrogate_pair_is_replaced(tmp_path):
    one = task({"start": 1, "end": 2, "text": "三", "labels": ["name"]}, text="张\ud800三")
    ((document,), problems) = read(tmp_path, [one])
    assert document.text == "张\ufffd三"
    assert problems.changed == {"half a surrogate pair, replaced by U+FFFD": 1}
    assert problems.counts == {"label text differs": 1}


def test_other_json_is_not_taken_for_it(tmp_path):
    for content in ("[1, 2]", "[]", '[{"content": "x"}]'):
        with pytest.raises(UserError, match="format not recognised"):
            read(tmp_path, content)
    with pytest.raises(UserError, match="no usable document in format labelstudio"):
        read_corpus(CorpusConfig(path=str(tmp_path / "export.json"), format="labelstudio"), Problems())


# ------------------------------------------------------------------------------------------------------ other releases

LABEL = {"start": 0, "end": 2, "text": "张三", "labels": ["name"]}
EXPECTED = Document("7", "张三😀在北京", (Span("name", 0, 1),))
DETAILS = {"annotator": 1, "annotation_id": 3, "created_at": "2024-01-01T00:00:00Z", "lead_time": 2.5}


@pytest.mark.parametrize(
    "exported",
    [
        task(LABEL),
        {"id": 7, "data": {"text": EXPECTED.text}, "completions": [{"result": [{"value": LABEL}]}]},
        {"id": 7, "data": {"正文": EXPECTED.text, "url": "x"}, "annotations": [{"result": [{"value": LABEL}]}]},
        {"id": 7, "data": {"text": EXPECTED.text, "title": "x"}, "annotations": [{"result": [{"value": LABEL}]}]},
        {"id": 7, "text": EXPECTED.text, "label": [LABEL], **DETAILS},
        {"id": 7, "内容": EXPECTED.text, "实体": [LABEL], **DETAILS},
    ],
)
def test_exports_of_all_releases_and_any_key_of_the_text(tmp_path, exported):
    empty = {"annotations": [{"result": []}], "completions": [{"result": []}], "label": [], "实体": []}
    plain = exported | {"id": 8} | {key: value for key, value in empty.items() if key in exported}
    documents, problems = read(tmp_path, [plain, exported])
    assert documents == [Document("8", EXPECTED.text), EXPECTED] and not problems.counts
    lines = "\n".join(json.dumps(one, ensure_ascii=False) for one in (plain, exported))
    assert read(tmp_path, lines)[0] == documents


def test_one_of_several_strings_is_named(tmp_path):
    one = {"id": 7, "data": {"title": "题", "body": EXPECTED.text}, "annotations": [{"result": [{"value": LABEL}]}]}
    documents, _ = read(tmp_path, [one], text_key="body")
    assert documents == [EXPECTED]
    with pytest.raises(UserError, match="task without a text 1"):
        read(tmp_path, [one])


def test_a_task_of_json_min_without_labels_and_annotator_is_not_annotated(tmp_path):
    tasks = [
        {"id": 7, "text": EXPECTED.text, "label": [LABEL]},
        {"id": 8, "text": "无"},
        {"id": 9, "text": "无", **DETAILS},
    ]
    documents, problems = read(tmp_path, tasks)
    assert documents == [EXPECTED, Document("9", "无")] and problems.counts == {"task without an annotation": 1}


def test_results_that_are_not_labels_are_not_read_and_labels_of_html_are_lost(tmp_path):
    results = [{"value": LABEL}, {"type": "relation", "from_id": "a", "to_id": "b"},
               {"type": "choices", "value": {"choices": ["好"]}}]  # fmt: skip
    one = {"id": 7, "data": {"text": EXPECTED.text}, "annotations": [{"result": results}]}
    documents, problems = read(tmp_path, [one])
    assert documents == [EXPECTED] and not problems.counts
    html = {"type": "hypertextlabels", "value": {"start": "/p[1]/text()[1]", "end": "/p[1]/text()[1]",
                                                 "hypertextlabels": ["name"]}}  # fmt: skip
    results.append(html)
    documents, problems = read(tmp_path, [one])
    assert documents == [EXPECTED] and problems.counts == {"labels of another shape": 1} and problems.labels_lost == 1


def test_collapsed_white_space_and_utf16_units_go_together(tmp_path):
    text = "😀地址是青石路  8号  2楼"
    values = [{"start": 5, "end": 12, "text": "青石路 8号", "labels": ["address"]}]
    ((document,), problems) = read(tmp_path, [task(*values, text=text)])
    (span,) = document.spans
    assert text[span.begin : span.end + 1] == "青石路  8号" and not problems.counts
    assert problems.changed == {"label text differs in white space only, kept": 1}
