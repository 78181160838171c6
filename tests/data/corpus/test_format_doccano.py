"""Exports of doccano and Prodigy, and that the formats in JSON do not take each other's files."""

import json

import pytest

from config import CorpusConfig
from data.corpus.document import Document
from data.corpus.formats import read_corpus, recognise
from data.problems import Problems
from data.spans import Span
from utils.errors import UserError

TEXT = "听说沈晓岚离开了云帆软件公司。"
EXPECTED = Document("0", TEXT, (Span("PER", 2, 4), Span("ORG", 8, 13)))
TRIPLES = [[2, 5, "PER"], [8, 14, "ORG"]]
ENTITIES = [
    {"id": 1, "label": "PER", "start_offset": 2, "end_offset": 5},
    {"id": 2, "label": "ORG", "start_offset": 8, "end_offset": 14},
]
PRODIGY = [
    {"start": 2, "end": 5, "label": "PER", "token_start": 2, "token_end": 4},
    {"start": 8, "end": 14, "label": "ORG"},
]
TAGS = [*"OO", "B-PER", "I-PER", "I-PER", *"OOO", "B-ORG", *["I-ORG"] * 5, "O"]
SHAPES = {
    "doccano": [
        {"label": TRIPLES}, {"labels": TRIPLES}, {"entities": TRIPLES}, {"entities": ENTITIES, "relations": []},
        {"label": TRIPLES, "Comments": []},
    ],
    "prodigy": [
        {"spans": PRODIGY},
        {"spans": PRODIGY, "answer": "accept", "tokens": [{"text": "听", "start": 0, "end": 1, "id": 0}]},
    ],
    "cluener": [{"label": {"PER": {"沈晓岚": [[2, 4]]}, "ORG": {"云帆软件公司": [[8, 13]]}}}],
    "jsonl": [
        {"entities": [{"category": "PER", "pos_b": 2, "pos_e": 4}, {"category": "ORG", "pos_b": 8, "pos_e": 13}]}
    ],
    "labelstudio": [
        {"label": [{"start": 2, "end": 5, "text": "沈晓岚", "labels": ["PER"]},
                   {"start": 8, "end": 14, "text": "云帆软件公司", "labels": ["ORG"]}]},
    ],
    "tokens": [{"tokens": list(TEXT), "ner_tags": TAGS}],
}  # fmt: skip


def read(tmp_path, *records, **settings):
    path, problems = tmp_path / "export.jsonl", Problems()
    path.write_text("\n".join(json.dumps(record, ensure_ascii=False) for record in records), encoding="utf-8")
    return read_corpus(CorpusConfig(path=str(path), **settings), problems, "either"), problems


@pytest.mark.parametrize(("name", "shape"), [(name, shape) for name, shapes in SHAPES.items() for shape in shapes])
def test_every_shape_is_recognised_behind_records_without_labels(tmp_path, name, shape):
    empty = [{"text": "好", "label": []}, {"text": "好", "entities": [], "relations": []}] * 20
    documents, problems = read(tmp_path, *empty, {"id": "x", "text": TEXT, **shape})
    assert recognise(tmp_path / "export.jsonl") == name
    assert documents[-1] == Document("x", TEXT, EXPECTED.spans)
    without = {"labelstudio": {"task without an annotation": 40}, "tokens": {"record without tokens": 40},
               "cluener": {"record without labels": 20}, "prodigy": {"record without labels": 40}}  # fmt: skip
    assert problems.counts == without.get(name, {})


@pytest.mark.parametrize("first", SHAPES)
@pytest.mark.parametrize("second", SHAPES)
def test_labels_in_the_shape_of_another_format_never_count_as_none(tmp_path, first, second):
    """A document either has all its labels, or is dropped, or its labels are counted as lost."""
    one, other = ({"text": TEXT, **SHAPES[name][0]} for name in (first, second))
    documents, problems = read(tmp_path, one, other, format=first)
    assert documents[0] == EXPECTED
    if len(documents) == 2 and documents[1].spans != EXPECTED.spans:
        assert problems.labels_lost >= 2


def test_relations_are_counted_and_not_read(tmp_path):
    related = {"text": TEXT, "entities": ENTITIES, "relations": [{"id": 1, "from_id": 1, "to_id": 2, "type": "of"}]}
    documents, problems = read(tmp_path, related)
    assert documents == [EXPECTED] and problems.notes[-1].endswith("1 relations are not read")


def test_labels_that_do_not_fit_are_reported(tmp_path):
    numbered = [{"label": 12, "start_offset": 2, "end_offset": 5, "user": 1}]
    records = [{"text": TEXT, "label": [*TRIPLES, [2, 99, "PER"], ["2", "x", "PER"], [2, 5]]},
               {"text": TEXT, "annotations": numbered}]  # fmt: skip
    documents, problems = read(tmp_path, *records)
    assert documents[0] == EXPECTED
    assert problems.counts == {
        "offsets outside the text": 1, "offsets are not numbers": 1, "labels of another shape": 1,
        "label without a category": 1,
    }  # fmt: skip


@pytest.mark.parametrize("answer", ["reject", "ignore", 3])
def test_a_task_that_was_not_accepted_is_dropped(tmp_path, answer):
    documents, problems = read(
        tmp_path, {"text": TEXT, "spans": PRODIGY}, {"text": TEXT, "spans": PRODIGY, "answer": answer}
    )
    assert documents == [EXPECTED] and problems.counts == {"task that was not accepted": 1}


def test_a_file_without_a_label_is_refused_with_its_keys(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({"id": 1, "text": TEXT, "label": []}), encoding="utf-8")
    with pytest.raises(UserError, match=r"no labels in it, read as jsonl.*its records have the keys id, text, label"):
        read_corpus(CorpusConfig(path=str(path)), Problems())


def test_a_text_under_another_key_is_asked_for(tmp_path):
    record = {"id": 1, "data": TEXT, "label": TRIPLES}
    with pytest.raises(UserError, match=r"record without a text 1.*its keys are id, data, label.*with text_key"):
        read(tmp_path, record)
    documents, _ = read(tmp_path, record, text_key="data")
    assert documents[0].spans == EXPECTED.spans


def test_labels_after_an_emoji_are_warned_of(tmp_path):
    before, after = (
        {"text": f"{TEXT}😀", "label": TRIPLES},
        {"text": f"😀{TEXT}", "label": [[3, 6, "PER"], [9, 15, "ORG"]]},
    )
    documents, problems = read(tmp_path, before, after)
    assert documents[0].spans == EXPECTED.spans and documents[1].text[3:6] == "沈晓岚"
    assert len(problems.warnings) == 1 and ": 2 labels follow an emoji or a rare character" in problems.warnings[0]
