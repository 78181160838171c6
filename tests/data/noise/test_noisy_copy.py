import json
from pathlib import Path

import pytest

from config import CorpusConfig
from data.corpus.document import Document, category_counts, to_json
from data.corpus.format_ccf import write_ccf
from data.corpus.formats import read_corpus
from data.noise.label_errors import ERROR_KINDS, count_errors
from data.noise.noise import NoiseRates, add_noise
from data.noise.noisy_copy import FILES, noise_table, read_rates, write_noisy_copy
from data.problems import Problems
from data.sample.sample import make_documents
from data.spans import Span
from utils.errors import UserError

RATES = NoiseRates(0.2, 0.1, 0.1, 0.1)
CLUENER = {"text": "张三在北京", "label": {"name": {"张三": [[0, 1]]}, "address": {"北京": [[3, 4]]}}}
CORPORA = {
    "cluener": "".join(json.dumps(CLUENER, ensure_ascii=False) + "\n" for _ in range(20)),
    "bmes": "张 B-name\n三 E-name\n在 O\n北 B-address\n京 E-address\n\n" * 20,
    "jsonl": '{"id": "a", "text": "张\\r\\n三\u2028在北京 ", "entities": '
    '[{"category": "name", "pos_b": 0, "pos_e": 3}], "doubtful": [{"category": "*", "pos_b": 5, "pos_e": 6}]}\n',
}


@pytest.fixture(scope="module")
def documents():
    return make_documents(60, 7, "train")


@pytest.fixture(scope="module")
def corpus(documents, tmp_path_factory):
    folder = tmp_path_factory.mktemp("ccf")
    write_ccf(documents, folder / "train_data", folder / "train_label")
    return CorpusConfig(path=str(folder / "train_data"))


def write(corpus, folder, rates=RATES, given=(), seed=1):
    return write_noisy_copy(corpus, folder, rates, given, seed, Problems())


def read(path):
    problems = Problems()
    documents = read_corpus(CorpusConfig(path=str(path)), problems)
    assert not problems.counts
    return documents


def test_the_three_files_hold_noise_truth_and_record(documents, corpus, tmp_path):
    given = ["name:missing=0.9", "name:spurious=0", "QQ:type=0.5"]
    record = write(corpus, tmp_path / "out", given=given)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(FILES)
    truth, noisy = (read(tmp_path / "out" / name) for name in ("truth.jsonl", "noisy.jsonl"))
    own = {"name": NoiseRates(0.9, 0.1, 0.1, 0), "QQ": NoiseRates(0.2, 0.5, 0.1, 0.1)}
    assert truth == documents
    assert noisy == add_noise(documents, RATES, 1, own)
    assert json.loads((tmp_path / "out" / "noise.json").read_text(encoding="utf-8")) == record
    assert (record["corpus"], record["seed"], record["documents"]) == (corpus.path, 1, 60)
    assert record["rates"] == {"missing": 0.2, "type": 0.1, "boundary": 0.1, "spurious": 0.1}
    assert record["category_rates"]["name"] == {"missing": 0.9, "type": 0.1, "boundary": 0.1, "spurious": 0}
    assert set(record["category_rates"]) == {"name", "QQ"}


def test_the_record_counts_what_was_changed(documents, corpus, tmp_path):
    record = write(corpus, tmp_path)
    noisy = read(tmp_path / "noisy.jsonl")
    labels, errors = category_counts(documents), count_errors(documents, noisy)
    assert list(record["changed"]) == sorted(labels)
    for category, row in record["changed"].items():
        assert row == {
            "labels": labels[category],
            **{kind: errors.get(category, {}).get(kind, 0) for kind in ERROR_KINDS},
        }
    total = record["total"]
    assert total["labels"] == sum(labels.values())
    assert total["labels"] - total["missing"] + total["spurious"] == record["noisy_labels"]
    assert record["noisy_labels"] == sum(category_counts(noisy).values())
    assert all(total[kind] for kind in ERROR_KINDS)


def test_the_same_seed_writes_the_same_bytes(corpus, tmp_path):
    for folder, seed in (("one", 1), ("again", 1), ("other", 2)):
        write(corpus, tmp_path / folder, seed=seed)
    one, again, other = ([(tmp_path / folder / name).read_bytes() for name in FILES] for folder in
                         ("one", "again", "other"))  # fmt: skip
    assert one == again
    assert one[0] != other[0] and one[1] == other[1]


@pytest.mark.parametrize("name", CORPORA)
def test_any_format_is_copied_with_all_it_holds(tmp_path, name):
    path = tmp_path / f"corpus.{name}"
    path.write_text(CORPORA[name], encoding="utf-8")
    write(CorpusConfig(path=str(path)), tmp_path, NoiseRates(boundary=0.5))
    truth = read(path)
    assert read(tmp_path / "truth.jsonl") == truth
    noisy = read(tmp_path / "noisy.jsonl")
    assert [(d.id, d.text, d.doubtful) for d in noisy] == [(d.id, d.text, d.doubtful) for d in truth]


def test_other_files_of_the_folder_stay_and_an_older_copy_goes(corpus, tmp_path):
    (tmp_path / "mine").write_text("mine")
    (tmp_path / "truth.jsonl").write_text("old")
    write(corpus, tmp_path)
    assert (tmp_path / "mine").read_text() == "mine"
    assert len(read(tmp_path / "truth.jsonl")) == 60


def test_writing_that_breaks_off_leaves_an_older_copy_whole(corpus, tmp_path, monkeypatch):
    write(corpus, tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    whole = Path.write_text

    def full(self, *arguments, **options):
        if FILES[-1] in self.name:
            raise OSError(28, "No space left on device")
        return whole(self, *arguments, **options)

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(UserError, match="No space left"):
        write(corpus, tmp_path, seed=2)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("name", ["truth.jsonl", "noisy.jsonl"])
def test_a_corpus_is_not_overwritten_by_its_own_copy(tmp_path, name):
    path = tmp_path / name
    path.write_text(to_json(Document("1", "张三", (Span("name", 0, 1),))), encoding="utf-8")
    before = path.read_bytes()
    with pytest.raises(UserError, match="overwritten by its own copy"):
        write(CorpusConfig(path=str(path)), tmp_path / "." / "")
    assert path.read_bytes() == before
    write(CorpusConfig(path=str(path)), tmp_path / "elsewhere")


def test_what_cannot_be_made_noise_of_is_refused(corpus, tmp_path, monkeypatch):
    path = tmp_path / "bare.jsonl"
    path.write_text(to_json(Document("1", "张三")), encoding="utf-8")
    with pytest.raises(UserError, match="no labels in it"):
        write(CorpusConfig(path=str(path)), tmp_path / "out")
    with pytest.raises(UserError, match="all noise rates are 0"):
        write(corpus, tmp_path / "out", NoiseRates())
    with monkeypatch.context() as patch, pytest.raises(UserError, match="cannot be written"):
        patch.setattr("data.noise.noisy_copy.read_corpus", None)  # noticed before the work
        write(corpus, path)
    assert [found.name for found in tmp_path.iterdir()] == ["bare.jsonl"]


def test_rates_of_categories_change_what_they_name_alone():
    given = ["a:b:missing=0.5", "c:type=1e-2", "c:missing=0.25", "c:type=0"]
    assert read_rates(given, RATES, ["a:b", "c", "d"]) == {
        "a:b": NoiseRates(0.5, 0.1, 0.1, 0.1),
        "c": NoiseRates(0.25, 0, 0.1, 0.1),
    }
    assert read_rates([], RATES, ["c"]) == {}


@pytest.mark.parametrize(
    ("text", "telling"),
    [
        ("nmae:missing=0.5", "unknown category nmae; did you mean name?"),
        ("QQ:missing=0.5", "unknown category QQ; known here: address, name"),
        ("name:mising=0.5", "unknown kind mising; did you mean missing?"),
        ("name:=0.5", "unknown kind ; known here: missing, type, boundary, spurious"),
        ("name=0.5", "expected CATEGORY:KIND=RATE"),
        (":missing=0.5", "expected CATEGORY:KIND=RATE"),
        ("name:missing", "expected CATEGORY:KIND=RATE"),
        ("", "expected CATEGORY:KIND=RATE"),
        ("name:missing=often", "'often'"),
        ("name:missing=1", "noise rate missing is 1.0; it must be at least 0 and below 1"),
        ("name:missing=nan", "noise rate missing is nan"),
    ],
)
def test_a_rate_that_means_nothing_is_refused_by_name(text, telling):
    with pytest.raises(UserError) as refusal:
        read_rates([text], RATES, ["address", "name"])
    assert str(refusal.value).startswith(f"--noise-rate {text}") and telling in str(refusal.value)


def test_the_table_has_a_line_for_each_category_and_one_for_all(corpus, tmp_path):
    record = write(corpus, tmp_path)
    head, *lines = noise_table(record).splitlines()
    assert head.split() == ["labels", *ERROR_KINDS]
    rows = {line.split()[0]: list(map(int, line.split()[1:])) for line in lines}
    assert rows == {name: list(row.values()) for name, row in (record["changed"] | {"all": record["total"]}).items()}
