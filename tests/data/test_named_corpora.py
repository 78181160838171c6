import pytest

from config import load_config
from data.corpus.document import Document, to_json
from data.named_corpora import corpora_by_name
from data.problems import Problems
from data.split import make_splits
from model.prepare import prepare
from utils.errors import UserError


@pytest.fixture
def configure(workspace, tmp_path):
    """A function that gives settings with changes, which name a corpus of every part but dev."""
    # Two training documents are near-duplicates by way of an unlabelled one alone.
    texts = {"test": "一句测试的话", "first": "一句附加的话", "second": "另一句附加的话"}
    texts["unlabelled"] = workspace.documents[1].text + workspace.documents[2].text
    path = {name: tmp_path / f"{name}.jsonl" for name in texts}
    for name, text in texts.items():
        path[name].write_text(to_json(Document("0", text)) + "\n", encoding="utf-8")
    named = [f"data.test={path['test']}", f"data.additional=[{path['first']}, {path['second']}]",
             f"data.unlabelled={path['unlabelled']}", "data.dev_share=0.25",
             "data.allow_unlabelled=true"]  # fmt: skip
    return lambda *changes: load_config([workspace.settings], [*named, *changes])


def corpora_of(config):
    return corpora_by_name(config.data, config.folds, Problems())


@pytest.mark.parametrize("changes", [[], ["data.split_seed=1"], ["data.split_seed=2"], ["folds.count=3"]])
def test_the_dev_part_is_the_one_that_training_holds_out(workspace, configure, changes):
    config = configure(*changes)
    processed = prepare(config)
    corpora = corpora_of(config)
    assert list(corpora) == ["train", "dev part", "test", "additional[0]", "additional[1]", "unlabelled"]
    dev = make_splits(processed, config.data, config.folds)[0].dev
    assert corpora["dev part"] == [workspace.documents[number] for number in dev]
    assert corpora["train"] == [document for document in workspace.documents if document not in corpora["dev part"]]
    others = [document for name in list(corpora)[2:] for document in corpora[name]]
    assert others == processed.documents[len(workspace.documents) :]


def test_what_else_is_named_draws_no_other_dev_part(workspace, configure):
    for seed in range(5):
        changes = [f"data.split_seed={seed}", "data.dev_share=0.25"]
        with_others = corpora_of(configure(*changes))
        alone = corpora_of(load_config([workspace.settings], changes))
        assert with_others["dev part"] == alone["dev part"]


def test_a_dev_corpus_or_no_dev_part_leaves_train_whole(workspace, configure):
    corpora = corpora_of(configure("data.dev_share=0", "train.select=last"))
    assert list(corpora) == ["train", "test", "additional[0]", "additional[1]", "unlabelled"]
    assert corpora["train"] == workspace.documents
    corpora = corpora_of(configure(f"data.dev={workspace.texts}"))
    assert list(corpora) == ["train", "dev", "test", "additional[0]", "additional[1]", "unlabelled"]
    assert corpora["train"] == corpora["dev"] == workspace.documents


def test_without_a_training_corpus_the_others_are_read(configure):
    corpora = corpora_of(configure("data.train="))
    assert list(corpora) == ["test", "additional[0]", "additional[1]", "unlabelled"]


def test_a_dev_part_that_cannot_be_drawn_is_refused(configure):
    with pytest.raises(UserError, match="leaves no dev or no training part of 8 documents"):
        corpora_of(configure("data.dev_share=0.01"))
