import csv
import re
import zlib
from pathlib import Path

import pytest

from data.corpus.document import category_counts, to_json
from data.noise.noise import NoiseRates, add_noise
from data.sample.sample import (
    ANYWHERE,
    CATEGORIES,
    PAIRS,
    PATTERNS,
    RARE,
    THEMES,
    WORDS,
    make_documents,
    read_marks,
    write_sample,
)
from data.spans import Span
from utils.errors import UserError

DIGEST = 3509393754  # of twenty documents, the same on every platform and Python version
TRAIN = make_documents(300, 42, "train")
TEST = make_documents(100, 42, "test")
PARTS = pytest.mark.parametrize("documents", [TRAIN, TEST], ids=["train", "test"])


def surfaces(documents, *categories):
    return [
        document.text[span.begin : span.end + 1]
        for document in documents
        for span in document.spans
        if not categories or span.category in categories
    ]


def overlapping_pairs(document):
    spans = document.spans
    return [(one, other) for index, one in enumerate(spans) for other in spans[index + 1 :] if other.begin <= one.end]


# -------------------------------------------------------------------------------------------------------------- texts


def test_marks_become_spans():
    text, spans = read_marks("在<address:澜州<company:云帆集团>>的<name:王岚>")
    assert text == "在澜州云帆集团的王岚"
    assert spans == (Span("address", 1, 6), Span("company", 3, 6), Span("name", 8, 9))


def test_every_symbol_of_a_pattern_is_defined():
    themed = [pattern for theme in THEMES for patterns in theme for pattern in patterns]
    patterns = [
        *themed,
        *ANYWHERE,
        *(pattern for group in (PATTERNS, RARE) for some in group.values() for pattern in some),
    ]
    used = {symbol for pattern in patterns for symbol in re.findall(r"\{([A-Za-z_]+)\d?\}", pattern)}
    assert used <= PAIRS.keys() | WORDS.keys() | PATTERNS.keys()
    assert {mark for pattern in patterns for mark in re.findall(r"<([^:>]*):", pattern)} <= set(CATEGORIES)
    assert all(
        pattern.count(left) == pattern.count(right) for pattern in patterns for left, right in ("[]", "<>", "{}")
    )
    assert not [pattern for pattern in patterns if re.search(r"\[[^\]]*\[", pattern)], "choices cannot be nested"


@PARTS
def test_no_markup_is_left_in_a_text(documents):
    assert not [document.text for document in documents if re.search(r"[{}<>\[\]#$~]", document.text)]


@PARTS
def test_all_categories_occur(documents):
    counts = category_counts(documents)
    assert set(counts) == set(CATEGORIES)
    assert min(counts.values()) >= 15


@PARTS
def test_labels_stand_on_words(documents):
    for document in documents:
        for span in document.spans:
            surface = document.text[span.begin : span.end + 1]
            assert surface and surface == surface.strip() and 0 <= span.begin <= span.end < len(document.text)
            if span.category in ("movie", "book"):
                assert re.fullmatch("《[^《》]+》", surface)
            if span.category == "email":
                assert re.fullmatch(r"[a-z0-9._-]+@([a-z]+\.)?example\.(com|cn|org|net)", surface)
            if span.category == "mobile":
                assert re.fullmatch(r"1[3-9]\d{9}", re.sub("[ -]", "", surface))
                assert any(block in re.sub("[ -]", "", surface) for block in WORDS["fake"])
            if span.category == "QQ":
                assert re.fullmatch(r"[1-9]\d{4,10}", surface)


@PARTS
def test_a_digit_run_is_labelled_whole_or_not_at_all(documents):
    for document in documents:
        for span in document.spans:
            if span.category in ("mobile", "QQ"):
                assert not document.text[span.begin - 1].isdigit()
                assert not document.text[span.end + 1 : span.end + 2].isdigit()


def test_what_the_test_part_names_is_mostly_new():
    known = set(surfaces(TRAIN))
    new = [surface not in known for surface in surfaces(TEST)]
    assert sum(new) / len(new) > 0.8
    distinct = set(surfaces(TEST))
    assert len(distinct & known) / len(distinct) < 0.2
    assert not set(surfaces(TEST, "movie", "company", "scene")) & set(surfaces(TRAIN, "movie", "company", "scene"))


@PARTS
def test_overlaps_are_rare_and_of_different_categories(documents):
    found = [pair for document in documents for pair in overlapping_pairs(document)]
    assert all(one.category != other.category for one, other in found)
    assert 0.003 < len(found) / sum(category_counts(documents).values()) < 0.025


def test_one_surface_may_be_of_two_categories():
    seen: dict[str, set[str]] = {}
    for document in TRAIN:
        for span in document.spans:
            seen.setdefault(document.text[span.begin : span.end + 1], set()).add(span.category)
    assert {"book", "movie"} in seen.values()


def test_lengths_and_characters_vary():
    lengths = [len(document.text) for document in TRAIN]
    assert sum(40 <= length <= 350 for length in lengths) / len(lengths) > 0.85
    assert sum(length > 500 for length in lengths) >= 5
    whole = "".join(document.text for document in TRAIN)
    assert all(character in whole for character in "\n　 🙏😭ＮCEO（")
    assert any("，" in document.text and not document.text.count("\n") for document in TRAIN)


def test_documents_are_the_same_everywhere():
    digest = zlib.crc32("\n".join(map(to_json, make_documents(20, 1, "train"))).encode())
    assert digest == DIGEST, "the grammar has changed: put the new digest here, and expect other scores on the sample"


def test_fewer_documents_begin_more_and_seeds_differ():
    assert make_documents(5, 42, "train") == TRAIN[:5]
    assert make_documents(5, 43, "train") != TRAIN[:5]
    assert [document.id for document in TRAIN[:3]] == ["0", "1", "2"]
    with pytest.raises(ValueError, match="dev"):
        make_documents(1, 1, "dev")


# -------------------------------------------------------------------------------------------------------------- files


def read_labels(path: Path) -> list[Span]:
    with path.open(encoding="utf-8", newline="") as file:
        text = file.read()
    assert text.startswith("\ufeffID,Category,Pos_b,Pos_e,Privacy\n")
    rows = list(csv.reader(text.splitlines()))[1:]
    assert all(row[0] == path.stem for row in rows)
    return [Span(row[1], int(row[2]), int(row[3])) for row in rows]


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_sample_is_what_was_made(tmp_path):
    report = write_sample(tmp_path / "sample", 6, 3, 42)
    assert (report.train, report.test, report.written) == (6, 3, True)
    assert sum(report.test_spans.values()) == sum(len(document.spans) for document in TEST[:3])
    assert {path.name for path in (tmp_path / "sample").iterdir()} == {
        ".sample", "train_data", "train_label", "test_data", "test_label",
    }  # fmt: skip
    for part, documents in (("train", TRAIN[:6]), ("test", TEST[:3])):
        for document in documents:
            stored = (tmp_path / "sample" / f"{part}_data" / f"{document.id}.txt").read_bytes()
            assert stored == document.text.encode()
            labels = read_labels(tmp_path / "sample" / f"{part}_label" / f"{document.id}.csv")
            assert tuple(labels) == document.spans
    assert [path.name for path in tmp_path.iterdir()] == ["sample"]


def test_noise_keeps_the_truth_beside_it(tmp_path):
    rates = NoiseRates(0.2, 0.2, 0.2, 0.2)
    write_sample(tmp_path / "sample", 20, 2, 42, rates)
    for truth, noisy in zip(TRAIN[:20], add_noise(TRAIN[:20], rates, 42), strict=True):
        assert tuple(read_labels(tmp_path / "sample/train_label" / f"{truth.id}.csv")) == noisy.spans
        assert tuple(read_labels(tmp_path / "sample/train_label_clean" / f"{truth.id}.csv")) == truth.spans
    assert tuple(read_labels(tmp_path / "sample/test_label/1.csv")) == TEST[1].spans


def test_same_settings_leave_the_folder_alone_and_others_replace_it(tmp_path):
    first = write_sample(tmp_path / "sample", 4, 2, 42, NoiseRates(missing=0.2))
    (tmp_path / "sample/train_data/0.txt").write_text("touched", encoding="utf-8")
    again = write_sample(tmp_path / "sample", 4, 2, 42, NoiseRates(missing=0.2))
    assert not again.written and again.train_spans == first.train_spans
    assert (tmp_path / "sample/train_data/0.txt").read_text(encoding="utf-8") == "touched"
    assert write_sample(tmp_path / "sample", 4, 2, 42).written
    assert write_sample(tmp_path / "fresh", 4, 2, 42).written
    assert content(tmp_path / "sample") == content(tmp_path / "fresh")


def test_what_is_not_a_sample_is_refused_untouched(tmp_path):
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(UserError, match="not a sample"):
        write_sample(tmp_path, 1, 1, 42)
    with pytest.raises(UserError, match="not a sample"):
        write_sample(tmp_path / "notes.txt", 1, 1, 42)
    assert content(tmp_path) == {"notes.txt": b"mine"}
    write_sample(tmp_path / "sample", 1, 1, 42)
    (tmp_path / "sample/model.bin").write_text("mine", encoding="utf-8")
    with pytest.raises(UserError, match=r"model\.bin"):
        write_sample(tmp_path / "sample", 2, 1, 42)


def test_a_failure_leaves_the_old_folder_whole(tmp_path, monkeypatch):
    write_sample(tmp_path / "sample", 2, 1, 42)
    before = content(tmp_path)

    def full(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr("data.corpus.format_ccf.write_label_files", full)
    with pytest.raises(UserError, match="no space left"):
        write_sample(tmp_path / "sample", 3, 1, 42)
    assert content(tmp_path) == before


def test_an_empty_part_is_refused(tmp_path):
    with pytest.raises(UserError, match="at least 1"):
        write_sample(tmp_path / "sample", 5, 0, 42)


def test_what_a_killed_process_left_beside_a_finished_sample_is_cleared(tmp_path, leftover_of):
    write_sample(tmp_path / "sample", 2, 1, 42)
    left = leftover_of(tmp_path / "sample")
    assert not write_sample(tmp_path / "sample", 2, 1, 42).written
    assert not left.exists()
