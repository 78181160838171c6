"""A corpus that is used as labelled and has no label, or lost most of them, is refused."""

import json

import pytest

from config import CorpusConfig, load_config
from data.corpus.document import Document, to_jsonl
from data.corpus.formats import read_corpus
from data.problems import Problems
from data.processing import read_corpora
from data.spans import Doubt, Span
from utils.errors import UserError

TEXT = "请联系陆晓岚，她在半亩园茶社上班。"
NAMES = [Document(str(number), TEXT, (Span("PER", 3, 5),)) for number in range(4)]
ELSEWHERE = {  # labels under keys that no reader takes, by name of the file
    "unknown.jsonl": [{"text": TEXT, "persons": [{"from": 3, "to": 6}]}],
    "bare.jsonl": [{"text": TEXT}],
    "empty.jsonl": [{"text": TEXT, "entities": []}, {"text": TEXT, "label": []}],
}


def write(path, content):
    path.write_text(content, encoding="utf-8")
    return path


def refusal(path, use="labelled"):
    with pytest.raises(UserError) as caught:
        read_corpus(CorpusConfig(path=str(path)), Problems(), use)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", ELSEWHERE)
def test_labels_that_are_not_seen_are_refused_with_the_keys_that_were_found(tmp_path, name):
    path = write(tmp_path / name, "\n".join(map(json.dumps, ELSEWHERE[name])))
    message = refusal(path)
    keys = dict.fromkeys(key for record in ELSEWHERE[name] for key in record)
    assert f"{path}: no labels in it, read as jsonl, which has them in `entities`" in message
    assert f"its records have the keys {', '.join(keys)};" in message
    for use in ("either", "text"):
        assert read_corpus(CorpusConfig(path=str(path)), Problems(), use)


@pytest.mark.parametrize(("right", "wrong", "taken"), [(1, 0, True), (2, 2, True), (2, 3, False), (0, 1, False)])
def test_a_corpus_that_lost_more_than_half_of_its_labels_is_refused(tmp_path, right, wrong, taken):
    labels = [Span("PER", 3, 5)] * right + [Span("PER", 0, 99)] * wrong
    records = [
        {"text": TEXT + str(number), "entities": [{"category": "PER", "pos_b": label.begin, "pos_e": label.end}]}
        for number, label in enumerate(labels)
    ]
    path = write(tmp_path / "a.jsonl", "\n".join(map(json.dumps, records)))
    if taken:
        assert len(read_corpus(CorpusConfig(path=str(path)), Problems())) == right + wrong
    else:
        message = refusal(path)
        assert f"{wrong} of its {right + wrong} labels cannot be used, read as jsonl" in message
        assert f"offsets outside the text {wrong}; first {path}:{right + 1}: offsets outside the text" in message


def test_labels_lost_in_another_corpus_do_not_count(tmp_path):
    problems = Problems(labels_lost=100)
    path = write(tmp_path / "a.jsonl", to_jsonl(NAMES))
    assert read_corpus(CorpusConfig(path=str(path)), problems) == NAMES


def test_doubtful_stretches_are_labels(tmp_path):
    path = write(tmp_path / "a.jsonl", to_jsonl([Document("0", TEXT, (), (Doubt("PER", 3, 5),))]))
    assert len(read_corpus(CorpusConfig(path=str(path)), Problems())) == 1


def test_one_record_with_labels_under_another_key_loses_its_document_only(tmp_path):
    tree = {"text": TEXT, "label": {"PER": {"陆晓岚": [[3, 5]]}}}
    path = write(tmp_path / "a.jsonl", to_jsonl(NAMES) + json.dumps(tree))
    problems = Problems()
    assert read_corpus(CorpusConfig(path=str(path), format="jsonl"), problems) == NAMES
    assert problems.counts == {"labels under another key": 1}
    assert problems.messages == [f"{path}:5: labels under another key: label, not entities"]


# ------------------------------------------------------------------------------------------------ parts of the training


@pytest.fixture
def settings(tmp_path):
    """A function that gives the data settings with a labelled training corpus and the changes given."""
    train = write(tmp_path / "train.jsonl", to_jsonl(NAMES))
    return lambda *changes: load_config([], [f"data.train={train}", *changes]).data


@pytest.mark.parametrize("part", ["data.dev={}", "data.test={}", "data.additional=[{}]"])
def test_every_part_that_is_used_as_labelled_needs_labels(tmp_path, settings, part):
    path = write(tmp_path / "bare.jsonl", to_jsonl([Document("0", TEXT)]))
    with pytest.raises(UserError, match=r"bare\.jsonl: no labels in it.*or set data\.allow_unlabelled=true"):
        read_corpora(settings(part.format(path)), Problems())
    allowed = settings(part.format(path), "data.allow_unlabelled=true")
    assert len(read_corpora(allowed, Problems())[0]) == len(NAMES) + 1
    assert len(read_corpora(settings(f"data.unlabelled={path}"), Problems())[0]) == len(NAMES) + 1


def test_categories_under_other_names_are_refused_with_the_names(tmp_path, settings):
    spans = (Span("人名", 3, 5), Span("公司", 9, 13))
    path = write(tmp_path / "more.jsonl", to_jsonl([Document("0", TEXT, spans)]))
    message = r"more\.jsonl: 2 of its 2 labels have categories that data\.train lacks \(人名 1, 公司 1\); rename them"
    with pytest.raises(UserError, match=message):
        read_corpora(settings(f"data.additional=[{path}]"), Problems())
    renamed = settings(f"data.additional=[{{path: {path}, categories: {{人名: PER}}}}]")
    documents, _, categories = read_corpora(renamed, Problems())
    assert documents[-1].spans == (Span("PER", 3, 5),) and categories == ["PER"]


def test_categories_that_were_not_chosen_may_be_most(tmp_path, settings):
    spans = (Span("PER", 3, 5), Span("公司", 9, 13), Span("地点", 9, 11))
    path = write(tmp_path / "more.jsonl", to_jsonl([Document("0", TEXT, spans)]))
    with pytest.raises(UserError, match="2 of its 3 labels have categories"):
        read_corpora(settings(f"data.additional=[{path}]"), Problems())
    chosen = settings(f"data.additional=[{path}]", "data.categories=[PER]")
    assert read_corpora(chosen, Problems())[0][-1].spans == (Span("PER", 3, 5),)
    with pytest.raises(UserError, match=r"train\.jsonl: no span of data\.categories 公司, only PER 4"):
        read_corpora(settings("data.categories=[公司]"), Problems())
