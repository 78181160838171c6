"""Documents with gold labels never train, whatever the split, and score beside the labels."""

import hashlib
import json
from dataclasses import replace

import pytest

from config import load_config
from data.corpus.document import Document
from data.gold_parts import gold_of, score_parts, with_gold_labels
from data.spans import ScoredSpan, Span
from data.split import make_splits
from utils.errors import UserError


def write_gold(path, documents, spans=(("name", 0, 1),)):
    entities = [{"category": category, "pos_b": begin, "pos_e": end} for category, begin, end in spans]
    lines = [
        {"id": one.id, "sha256": hashlib.sha256(one.text.encode()).hexdigest()[:16], "entities": entities}
        for one in documents
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return str(path)


@pytest.fixture
def config_of(tmp_path):
    def make(documents, *overrides, spans=(("name", 0, 1),)):
        gold = write_gold(tmp_path / "gold.jsonl", documents, spans)
        return load_config([], ["data.train=unused", f"data.gold={gold}", *overrides])

    return make


def splits(processed, config):
    return make_splits(processed, config.data, config.folds)


@pytest.mark.parametrize("overrides", [["data.dev_share=0.3"], ["data.dev_share=0", "train.select=last"],
                                       ["folds.count=4"], ["data.dev=other"]])  # fmt: skip
def test_gold_documents_and_their_near_duplicates_cannot_train(processed_of, documents_of, config_of, overrides):
    documents = documents_of(40, 3, longest=60)
    copies = [Document(f"copy{number}", documents[number].text + "改了结尾") for number in range(5)]
    parts = ["train"] * 40 + ["train"] * 5
    if "data.dev=other" in overrides:
        parts[30:40] = ["dev"] * 10
    processed = processed_of([*documents, *copies], parts)
    gold = documents[:20]
    forbidden = set(range(20)) | {40 + number for number in range(5)}
    plain = make_splits(processed, load_config([], ["data.train=unused", *overrides]).data,
                        load_config([], ["data.train=unused", *overrides]).folds)  # fmt: skip
    assert any(forbidden & set(split.train) for split in plain), "they would train without the setting"
    for before, split in zip(plain, splits(processed, config_of(gold, *overrides)), strict=True):
        assert not forbidden & set(split.train)
        assert split.held_for_gold == len(forbidden & set(before.train))
        assert set(split.train) == set(before.train) - forbidden
        if "folds.count=4" in overrides:
            assert split.dev == before.dev
        else:
            assert set(split.dev) == set(before.dev) | set(range(20)), "without folds they are scored as a dev part"


def test_nothing_left_to_train_on_is_said(processed_of, documents_of, config_of):
    documents = documents_of(10, 3)
    with pytest.raises(UserError, match="every training document has gold labels"):
        splits(processed_of(documents), config_of(documents))


@pytest.mark.parametrize("leaks", ["drop", "keep"])
def test_additional_texts_that_hold_a_gold_text_never_train(processed_of, documents_of, config_of, leaks):
    documents = documents_of(20, 3, longest=60)
    more = [Document("more0", f"前面{documents[0].text}后面", (Span("name", 0, 1),)), documents_of(30, 9)[29]]
    processed = processed_of([*documents, *more], ["train"] * 20 + ["additional"] * 2)
    (split,) = splits(processed, config_of(documents[:1], "data.dev_share=0.2", f"data.additional_leaks={leaks}"))
    assert 20 not in split.train
    assert 21 in split.train


def test_gold_scores_stand_beside_those_of_labels(processed_of, config_of):
    documents = [Document(str(number), "张三在北京和李四说话", (Span("name", 0, 1),)) for number in range(6)]
    processed = replace(processed_of(documents), categories=["name", "place"])
    config = config_of(documents[:4], spans=[("name", 0, 1), ("place", 3, 4), ("other", 8, 9)])
    asked = []

    def read(numbers):
        asked.extend(numbers)
        return [[ScoredSpan("name", 0, 1, 1.0), ScoredSpan("name", 6, 7, 1.0)] for _ in numbers]

    scores = score_parts(processed, config.data, [0, 4, 5], read)
    assert asked == [0, 1, 2, 3, 4, 5], "each document is read once"
    assert {part: (one.micro.right, one.micro.predicted, one.micro.labelled) for part, one in scores.items()} == {
        "dev": (3, 6, 3), "gold_a": (2, 4, 4), "gold_b": (2, 4, 4)
    }  # fmt: skip


def test_gold_labels_replace_those_of_the_document(processed_of, documents_of, config_of):
    documents = [Document(str(number), "张三在北京", (Span("name", 2, 2),)) for number in range(3)]
    processed = processed_of(documents, groups=range(3))
    config = config_of(documents)
    halves = [with_gold_labels(processed, config.data, half) for half in ("gold_a", "gold_b")]
    assert sorted(one.id for half in halves for one in half) == ["0", "1", "2"]
    assert {one.spans for half in halves for one in half} == {(Span("name", 0, 1),)}


def test_gold_of_other_categories_is_refused(processed_of, documents_of, config_of):
    documents = documents_of(5, 3)
    with pytest.raises(UserError, match="no gold label has a category of the data"):
        gold_of(processed_of(documents), config_of(documents, spans=[("company", 0, 1)]).data)


def test_without_the_setting_there_is_no_gold(processed_of, documents_of):
    assert gold_of(processed_of(documents_of(5, 3)), load_config([], ["data.train=unused"]).data) == {}
