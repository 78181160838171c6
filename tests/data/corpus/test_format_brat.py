"""brat's standoff files, out and in."""

import zipfile

import pytest

from config import CorpusConfig
from data.corpus.document import Document
from data.corpus.formats import read_corpus, recognise, writers
from data.problems import Problems
from data.spans import Span
from utils.errors import UserError

TEXT = "听说沈晓岚离开了云帆软件公司。"


def write(folder, **files):
    for name, content in files.items():
        path = folder / name.replace("_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode())
    return folder


def read(path, use="either"):
    problems = Problems()
    return read_corpus(CorpusConfig(path=str(path)), problems, use), problems


def test_folders_and_zips_are_read_and_ids_are_paths(tmp_path):
    spans = "T1\tPER 2 5\t沈晓岚\nT2\tORG 8 14\t云帆软件公司\n"
    folder = write(tmp_path / "x", **{"10_txt": TEXT, "10_ann": spans, "9_txt": TEXT, "9_ann": ""})
    write(folder / "a", **{"9_txt": TEXT, "9_ann": "\ufeff" + spans.replace("\n", "\r\n")})
    assert recognise(folder) == "brat"
    expected = (Span("PER", 2, 4), Span("ORG", 8, 13))
    documents, problems = read(folder, "labelled")
    assert documents == [Document("9", TEXT), Document("a/9", TEXT, expected), Document("10", TEXT, expected)]
    assert not problems.counts
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        for file in folder.rglob("*.*"):
            archive.write(file, file.relative_to(folder))
    assert read(tmp_path / "x.zip")[0] == documents


def test_lines_that_are_not_spans(tmp_path):
    lines = [
        "T1\tPER 2 5\t沈晓岚", "T2\tORG 8 10;12 14\t云帆 公司", "R1\tworks Arg1:T1 Arg2:T2", "A1\tSure T1",
        "#1\tNote T1\t嗯", "E1\tBe:T1", "*\tEquiv T1 T2", "", "T3 PER 2 5", "what", "T4\tPER 2 99\t沈晓岚",
        "T5\tPER 2 5\t白如霜",
        f"T6\tPER 2 {'9' * 5000}\tx", "T7\tPER 2 5",
    ]  # fmt: skip
    folder = write(tmp_path / "x", **{"1_txt": TEXT, "1_ann": "\n".join(lines)})
    documents, problems = read(folder)
    assert documents == [Document("1", TEXT, (Span("PER", 2, 4),))]
    assert problems.counts == {
        "span of several pieces": 1, "line is not an annotation": 3, "offsets outside the text": 1,
        "label text differs": 1,
    }  # fmt: skip
    assert problems.labels_lost == 5, "what is no span"
    assert problems.notes[-1] == f"{folder}: 5 lines of relations, events, attributes and notes are not read"


def test_line_ends_and_blanks_do_not_move_labels(tmp_path):
    spans = "T1\tPER 8 11\t沈晓岚\nT2\tADDR 4 11\t来自 沈晓岚\n"
    folder = write(
        tmp_path / "x",
        **{"1_txt": "第一行\r\n来自\r\n沈晓岚", "1_ann": spans.replace("8 11", "7 10").replace("4 11", "4 10")},
    )
    ((document,), problems) = read(folder)
    assert [document.text[span.begin : span.end + 1] for span in document.spans] == ["来自\r\n沈晓岚", "沈晓岚"]
    assert problems.changed == {"label placed by its text": 2}


def test_files_without_their_partner(tmp_path):
    folder = write(tmp_path / "x", **{"1_txt": TEXT, "1_ann": "T1\tPER 2 5\t沈晓岚", "2_txt": TEXT, "3_ann": ""})
    documents, problems = read(folder, "labelled")
    assert [document.id for document in documents] == ["1"]
    assert problems.counts == {"document without an annotation file": 1, "annotation file without a document": 1}
    assert len(read(folder, "text")[0]) == 2


def test_a_folder_of_empty_annotation_files_is_refused(tmp_path):
    folder = write(tmp_path / "x", **{"1_txt": TEXT, "1_ann": ""})
    with pytest.raises(UserError, match=r"no labels in it, read as brat, which has them in N\.ann beside N\.txt"):
        read(folder, "labelled")


@pytest.mark.parametrize("identity", ["", ".", "..", "../x", "/x", "a/../../x", ".hidden", "a\0b"])
def test_an_id_that_cannot_name_a_file_is_refused(tmp_path, identity):
    with pytest.raises(UserError, match="cannot name a file"):
        writers()["brat"].write([Document(identity, "文")], tmp_path, Problems())
    assert not list(tmp_path.iterdir())


def test_a_category_with_white_space_cannot_be_held(tmp_path):
    problems = Problems()
    writers()["brat"].write([Document("a/1", "陆晓岚", (Span("a b", 0, 1), Span("c", 0, 2)))], tmp_path, problems)
    assert problems.counts == {"category with white space": 1} and problems.labels_lost == 1
    assert read(tmp_path)[0] == [Document("a/1", "陆晓岚", (Span("c", 0, 2),))]
