"""Token lists in JSON, and in folders that Hugging Face datasets saves."""

import json

import pyarrow
import pyarrow.ipc
import pyarrow.parquet
import pytest

from config import CorpusConfig
from data.corpus.document import Document
from data.corpus.formats import read_corpus, recognise, writers
from data.problems import Problems
from data.spans import Span
from utils.errors import UserError

TOKENS, TAGS = ["陆", "晓岚", "来", "了"], ["B-PER", "I-PER", "O", "O"]
EXPECTED = Document("0", "陆晓岚来了", (Span("PER", 0, 2),))
DATA = "data-00000-of-00001.arrow"
NAMES = ["O", "B-PER", "I-PER"]


def read(path, use="either", **settings):
    problems = Problems()
    return read_corpus(CorpusConfig(path=str(path), **settings), problems, use), problems


@pytest.fixture
def write(tmp_path):
    def write(*records, as_list=False):
        path = tmp_path / "a.json"
        path.write_text(json.dumps(records) if as_list else "\n".join(map(json.dumps, records)), encoding="utf-8")
        assert recognise(path) == "tokens"
        return path

    return write


@pytest.mark.parametrize("as_list", [False, True])
@pytest.mark.parametrize(
    ("tokens_key", "tags_key"), [("tokens", "ner_tags"), ("words", "labels"), ("text", "label"), ("sentence", "tags")]
)
def test_tokens_and_tags_under_the_usual_keys(write, tokens_key, tags_key, as_list):
    record = {tokens_key: TOKENS, tags_key: TAGS}
    documents, problems = read(write(record, record | {"id": 7}, as_list=as_list))
    assert documents == [EXPECTED, Document("7", EXPECTED.text, EXPECTED.spans)] and not problems.counts


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({"tokens": TOKENS}, "record without tags"),
        ({"tokens": TOKENS, "ner_tags": None}, "record without tags"),
        ({"tokens": TOKENS, "ner_tags": TAGS[1:]}, "tokens and tags differ in number"),
        ({"tokens": TOKENS, "ner_tags": [1, 2, 0, 0]}, "tags are numbers without names"),
        ({"tokens": TOKENS, "ner_tags": ["B-PER", None, "O", "O"]}, "tags are numbers without names"),
        ({"tokens": []}, "empty text"),
        ({"ner_tags": TAGS}, "record without tokens"),
    ],
)
def test_a_record_without_usable_tags_loses_its_document(write, record, reason):
    path = write({"tokens": TOKENS, "ner_tags": TAGS}, record)
    documents, problems = read(path)
    assert documents == [EXPECTED] and problems.counts == {reason: 1}
    texts, _ = read(path, "text")
    assert len(texts) == (1 if reason in ("empty text", "record without tokens") else 2)


def test_numbers_only_are_refused(write):
    with pytest.raises(UserError, match=r"no usable document in format tokens .*tags are numbers without names 1"):
        read(write({"tokens": TOKENS, "ner_tags": [1, 2, 0, 0]}), "labelled")


# -------------------------------------------------------------------------------------------------------------- tables


def table(features="List", names=NAMES):
    """A table as `datasets` makes it; earlier versions call a list a Sequence."""
    label = {"feature": {"names": names, "_type": "ClassLabel"}, "_type": features}
    info = {"info": {"features": {"tokens": {"_type": features}, "ner_tags": label}}}
    columns = {"tokens": [TOKENS, ["好"]], "ner_tags": [[1, 2, 0, 0], [0]]}
    return pyarrow.table(columns).replace_schema_metadata({"huggingface": json.dumps(info)})


def save(folder, own, listed=DATA):
    folder.mkdir(parents=True)
    with pyarrow.ipc.new_stream(str(folder / DATA), own.schema) as stream:
        stream.write_table(own)
    (folder / "dataset_info.json").write_text("{}")
    (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": listed}]}))
    return folder


@pytest.mark.parametrize("features", ["List", "Sequence"])
def test_a_saved_dataset_names_its_numbers(tmp_path, features):
    folder = save(tmp_path / "saved", table(features))
    assert recognise(folder) == "tokens"
    documents, problems = read(folder, "labelled")
    assert documents == [EXPECTED, Document("1", "好")] and not problems.counts


def test_a_parquet_file_of_the_same(tmp_path):
    pyarrow.parquet.write_table(table(), tmp_path / "a.parquet")
    assert read(tmp_path / "a.parquet")[0] == [EXPECTED, Document("1", "好")]


def test_a_folder_of_splits_asks_for_one(tmp_path):
    save(tmp_path / "all" / "train", table())
    (tmp_path / "all" / "dataset_dict.json").write_text('{"splits": ["train", "test"]}')
    with pytest.raises(
        UserError, match=f"holds several datasets; name one of {tmp_path}/all/train, {tmp_path}/all/test"
    ):
        read(tmp_path / "all")
    assert read(tmp_path / "all" / "train")[0][0] == EXPECTED


@pytest.mark.parametrize("what", ["cut", "elsewhere", "no list", "not json", "no metadata"])
def test_a_damaged_dataset_is_one_line(tmp_path, what):
    save(tmp_path / "other", table())
    folder = save(
        tmp_path / "saved", table(), "../other/missing.arrow" if what == "elsewhere" else "data-00000-of-00001.arrow"
    )
    data = folder / DATA
    if what == "cut":
        data.write_bytes(data.read_bytes()[:100])
    if what == "no list":
        (folder / "state.json").write_text("[]")
    if what == "not json":
        (folder / "state.json").write_text("{")
    if what == "no metadata":
        data.unlink()
        save(tmp_path / "bare", table().replace_schema_metadata(None))
        folder = tmp_path / "bare"
    with pytest.raises(
        UserError, match="tags are numbers" if what == "no metadata" else "cannot be read as a saved"
    ) as one:
        read(folder, "labelled")
    assert "\n" not in str(one.value)


def test_what_is_written_is_a_dataset_with_named_tags(tmp_path):
    """The datasets library opens such a folder: it reads the Arrow file and these three parts."""
    output, problems = tmp_path / "out", Problems()
    output.mkdir()
    overlapping = (Span("PER", 0, 2), Span("LOC", 2, 3), Span("公司 名", 4, 4))
    writers()["datasets"].write([Document("a", "陆晓岚来了", overlapping)], output, problems)
    assert problems.counts == {"span that overlaps a longer one": 1} and problems.labels_lost == 1
    assert sorted(path.name for path in output.iterdir()) == [
        "data-00000-of-00001.arrow",
        "dataset_info.json",
        "state.json",
    ]
    with pyarrow.memory_map(str(output / DATA)) as source:
        written = pyarrow.ipc.open_stream(source).read_all()
    features = json.loads(written.schema.metadata[b"huggingface"])["info"]["features"]
    assert features == json.loads((output / "dataset_info.json").read_text())["features"]
    names = features["ner_tags"]["feature"]["names"]
    (row,) = written.to_pylist()
    assert row["tokens"] == list("陆晓岚来了")
    assert [names[tag] for tag in row["ner_tags"]] == ["B-PER", "I-PER", "I-PER", "O", "B-公司 名"]
