from itertools import combinations

import numpy as np
import pytest

from config import load_config
from data.corpus.document import Document
from data.spans import Span
from data.split import Split, describe_left_out, divide, draw_dev, make_splits
from utils.errors import UserError


def splits_of(processed, *overrides):
    """The splits of processed data with some settings."""
    config = load_config([], ["data.train=unused", *overrides])
    return make_splits(processed, config.data, config.folds)


def shingles(text):
    return {text[place : place + 8] for place in range(max(len(text) - 7, 1))}


def near_duplicates(one, other):
    """The rule of DUPLICATE_SHARE, said plainly."""
    first, second = shingles(one), shingles(other)
    return len(first & second) >= 0.5 * min(len(first), len(second))


@pytest.fixture
def crowded(processed_of, documents_of):
    """Documents of which many stand, whole or with a changed end, in others."""
    documents = documents_of(60, 1, longest=100)
    texts = [document.text for document in documents]
    copies = [text[: max(8, len(text) * 3 // 4)] + "改了结尾" for text in texts[:15]] + texts[5:10]
    longer = [f"前面还有话{text}后面也有" for text in texts[20:30]]
    more = [Document(f"copy{number}", text) for number, text in enumerate(copies + longer)]
    return processed_of([*documents, *more])


# -------------------------------------------------------------------------------------------------------------- folds


@pytest.mark.parametrize("folds", [2, 5])
def test_every_document_is_held_out_once_and_trains_otherwise(crowded, folds):
    splits = splits_of(crowded, f"folds.count={folds}")
    assert len(splits) == folds
    held_out = [number for split in splits for number in split.dev]
    assert sorted(held_out) == list(range(len(crowded.documents)))
    for split in splits:
        assert sorted(split.train + split.dev) == list(range(len(crowded.documents)))
        assert split.leaks == 0


@pytest.mark.parametrize("overrides", [["folds.count=5"], ["data.dev_share=0.3"], ["data.dev_share=0.1"]])
def test_no_near_duplicate_of_a_held_out_text_trains(crowded, overrides):
    texts = [document.text for document in crowded.documents]
    pairs = [(i, j) for i, j in combinations(range(len(texts)), 2) if near_duplicates(texts[i], texts[j])]
    assert len(pairs) >= 20, "there must be something to keep together"
    for split in splits_of(crowded, *overrides):
        dev = set(split.dev)
        assert dev
        assert dev.isdisjoint(split.train)
        assert all((i in dev) == (j in dev) for i, j in pairs)


def test_the_same_seed_draws_the_same_and_another_another(crowded):
    for overrides in (["folds.count=4"], ["data.dev_share=0.3"]):
        first = splits_of(crowded, *overrides)
        assert splits_of(crowded, *overrides) == first
        assert splits_of(crowded, *overrides, "run.seed=7") == first, "a split is not the seed's business"
        assert splits_of(crowded, *overrides, "data.split_seed=7") != first


@pytest.mark.parametrize("seed", range(20))
def test_folds_differ_by_no_more_than_a_group(seed):
    random = np.random.default_rng(seed)
    groups = random.integers(0, 60, 200)
    largest = np.bincount(groups).max()
    sizes = np.bincount(divide(groups, 5, seed), minlength=5)
    assert sizes.sum() == 200
    assert sizes.max() - sizes.min() <= largest
    assert np.ptp(np.bincount(divide(np.arange(103), 5, seed))) <= 1


def test_a_large_group_does_not_unbalance_the_others():
    groups = np.array([0] * 50 + list(range(1, 151)))
    assert np.bincount(divide(groups, 4, 1)).tolist() == [50, 50, 50, 50]


def test_whole_groups_go_to_a_fold():
    groups = np.random.default_rng(1).integers(0, 40, 300)
    folds = divide(groups, 6, 3)
    assert all(len(set(folds[groups == group])) == 1 for group in groups)


def test_more_folds_than_groups_are_refused(processed_of, documents_of):
    processed = processed_of(documents_of(6, 1), groups=[0, 0, 0, 1, 1, 2])
    assert len(splits_of(processed, "folds.count=3")) == 3
    with pytest.raises(UserError, match=r"folds\.count is 4, but there are fewer groups"):
        splits_of(processed, "folds.count=4")


def test_folds_beside_a_given_dev_part_are_refused(processed_of, documents_of):
    processed = processed_of(documents_of(8, 1), ["train"] * 5 + ["dev"] * 3)
    with pytest.raises(UserError, match="drop one of them"):
        splits_of(processed, "folds.count=2", "data.dev=given")


# ------------------------------------------------------------------------------------------------- folds without forms


def forms_of(document):
    return {document.text[span.begin : span.end + 1] for span in document.spans}


@pytest.fixture
def labelled(processed_of, documents_of):
    """Short texts, some of them near-duplicates, some without labels."""
    documents = [
        Document(one.id, one.text, one.spans if number % 4 else ()) for number, one in enumerate(documents_of(60, 5))
    ]
    copies = [Document(f"copy{one.id}", one.text + "改了结尾", ()) for one in documents[:10]]
    return processed_of([*documents, *copies])


def test_no_held_out_form_is_labelled_where_it_trains(labelled):
    documents = labelled.documents
    forms = [forms_of(document) for document in documents]
    hidden_somewhere = set()
    splits = splits_of(labelled, "folds.count=8", "folds.disjoint=entity")
    for split in splits:
        trained = set().union(*(forms[number] for number in split.train))
        hidden = set().union(*(forms[number] for number in split.dev)) - trained
        assert hidden
        assert {number for number, own in enumerate(forms) if own & hidden} <= set(split.dev)
        for number in split.train:
            assert not any(near_duplicates(documents[number].text, documents[held].text) for held in split.dev)
        hidden_somewhere |= hidden
    assert hidden_somewhere == set().union(*forms), "every form is held out somewhere"
    for number, own in enumerate(forms):
        assert 1 <= sum(number in split.dev for split in splits) <= max(len(own), 1)


def test_forms_on_every_text_leave_nothing_to_train_on(processed_of):
    spans = (Span("name", 0, 1), Span("name", 2, 3), Span("name", 0, 3))
    documents = [Document(str(n), f"甲乙丙丁{n}戊己庚辛壬癸", spans) for n in range(6)]
    with pytest.raises(UserError, match="leaves one of 3 folds without training documents"):
        splits_of(processed_of(documents, groups=range(6)), "folds.count=3", "folds.disjoint=entity")


# ---------------------------------------------------------------------------------------------------------- dev share


@pytest.mark.parametrize("share", [0.1, 0.25, 0.5, 0.9])
def test_about_the_share_is_held_out(share):
    for seed in range(10):
        groups = np.random.default_rng(seed).integers(0, 150, 200)
        dev = draw_dev(groups, list(range(200)), share, seed)
        assert abs(len(dev) - share * 200) <= np.bincount(groups).max()
        assert len(draw_dev(np.arange(200), list(range(200)), share, seed)) == share * 200


def test_only_training_documents_are_held_out(processed_of, documents_of):
    parts = ["train"] * 10 + ["test"] * 5 + ["unlabelled"] * 5 + ["additional"] * 4
    (split,) = splits_of(processed_of(documents_of(24, 2), parts), "data.dev_share=0.3")
    assert len(split.dev) == 3
    assert set(split.dev) < set(range(10))
    assert sorted(split.train + split.dev) == [*range(10), *range(20, 24)]


def test_a_share_of_nothing_leaves_no_dev_part(processed_of, documents_of):
    (split,) = splits_of(processed_of(documents_of(5, 1)), "data.dev_share=0", "train.select=last")
    assert (split.train, split.dev) == ([0, 1, 2, 3, 4], [])


def test_a_given_dev_part_is_taken_as_it_is(processed_of, documents_of):
    processed = processed_of(documents_of(8, 1), ["train"] * 5 + ["dev"] * 3)
    (split,) = splits_of(processed, "data.dev=given")
    assert (split.train, split.dev) == ([0, 1, 2, 3, 4], [5, 6, 7])


@pytest.mark.parametrize("groups", [[0, 0, 0, 0], [0, 1, 2, 3]])
def test_a_share_that_leaves_a_part_empty_is_refused(groups):
    with pytest.raises(UserError, match=r"data\.dev_share 0\.1 leaves no dev or no training part of 4 documents"):
        draw_dev(np.array(groups), [0, 1, 2, 3], 0.1, 1)


# --------------------------------------------------------------------------------------------------------- additional


@pytest.fixture
def leaking(processed_of, documents_of):
    """Ten training texts (0 to 9) and a test text (10); additional ones that stand inside these, or nowhere else."""
    own = [document.text + "补足长度的一些字" for document in documents_of(11, 3, longest=60)]
    strange = [document.text for document in documents_of(4, 4, longest=60, alphabet="甲乙丙丁戊己庚辛")]
    extra = [text[2:] for text in own] + strange
    parts = ["train"] * 10 + ["test"] + ["additional"] * len(extra)
    return processed_of([Document(str(n), text) for n, text in enumerate(own + extra)], parts)


@pytest.mark.parametrize("overrides", [["folds.count=5"], ["data.dev_share=0.2"]])
def test_additional_texts_that_share_text_with_dev_or_test_are_left_out(leaking, overrides):
    for split in splits_of(leaking, *overrides):
        assert len(split.dev) == 2
        left_out = {11 + number for number in split.dev} | {21}
        assert set(split.train) == set(range(10)) - set(split.dev) | set(range(11, 26)) - left_out
        assert split.leaks == 3


def test_keep_keeps_them(leaking):
    for split in splits_of(leaking, "folds.count=5", "data.additional_leaks=keep"):
        assert set(split.train) == set(range(26)) - set(split.dev) - {10}
        assert split.leaks == 0


def test_refuse_counts_them_and_passes_a_corpus_without(leaking):
    with pytest.raises(UserError, match=r"^3 of 15 additional .* data\.additional_leaks is refuse"):
        splits_of(leaking, "folds.count=5", "data.additional_leaks=refuse")
    for number in range(11, 22):
        leaking.parts[number] = "unlabelled"
    (split,) = splits_of(leaking, "data.additional_leaks=refuse")
    assert set(split.train) >= set(range(22, 26))


@pytest.mark.parametrize(
    ("leaks", "said"),
    [
        ([0], ""),
        ([0, 0], ""),
        ([3], "3 of 15 additional documents are left out: they share"),
        ([3, 3], "3 of 15 additional documents are left out of each fold: they share"),
        ([4, 0, 2], "0 to 4 of 15 additional documents are left out of each fold: they share"),
    ],
)
def test_what_is_left_out_is_said_in_a_line(leaks, said):
    line = describe_left_out([Split([], [], count) for count in leaks], 15)
    assert line.startswith(said) and bool(line) == bool(said) and "\n" not in line
    assert line.endswith("data.additional_leaks=keep would use them" if said else "")


def test_additional_texts_are_never_held_out(leaking):
    for overrides in (["folds.count=5"], ["data.dev_share=0.4"]):
        for split in splits_of(leaking, *overrides):
            assert max(split.dev) < 10
