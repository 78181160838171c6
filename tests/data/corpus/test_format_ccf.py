"""Writing a corpus in the CCF format, and its label files that are odd. The rest is tested in test_formats.py."""

import pytest

from config import CorpusConfig
from data.corpus.document import Document
from data.corpus.format_ccf import write_ccf
from data.corpus.formats import read_corpus
from data.problems import Problems
from data.spans import Span
from utils.errors import UserError


def test_ccf_keeps_line_ends_and_quotes(tmp_path):
    document = Document("7", '他说"好,吧"\r\n再见', (Span("name", 2, 6),))
    write_ccf([document], tmp_path / "texts", tmp_path / "labels")
    assert (tmp_path / "texts/7.txt").read_bytes() == document.text.encode()
    (header, *rows) = (tmp_path / "labels/7.csv").read_text(encoding="utf-8-sig").splitlines()
    assert (header, rows) == ("ID,Category,Pos_b,Pos_e,Privacy", ['7,name,2,6,"""好,吧"""'])


@pytest.mark.parametrize("line_end", ["\r", "\r\n", "\n"])
def test_ccf_comes_back_whatever_ends_its_lines(tmp_path, line_end):
    document = Document("7", f"在云帆{line_end}集团", (Span("company", 1, 4 + len(line_end)),))
    write_ccf([document], tmp_path / "texts", tmp_path / "labels")
    problems = Problems()
    corpus = CorpusConfig(path=str(tmp_path / "texts"), labels=str(tmp_path / "labels"))
    assert read_corpus(corpus, problems) == [document] and not problems.counts


@pytest.mark.parametrize("name", ["", "../up", "a/b"])
def test_an_id_that_is_no_file_name_is_refused(tmp_path, name):
    with pytest.raises(UserError, match="cannot name a file"):
        write_ccf([Document(name, "文")], tmp_path / "texts", tmp_path / "labels")


# -------------------------------------------------------------------------------------------------------- label files


def read_with(tmp_path, *label_files):
    """Documents 陆晓岚 with these label files, named by their numbers; and the problems."""
    for number, content in enumerate(label_files):
        for name, value in (("x_data", "陆晓岚"), ("x_label", content)):
            path = tmp_path / name / f"{number}.{'txt' if name == 'x_data' else 'csv'}"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(value.encode("utf-8", "surrogatepass"))
    problems = Problems()
    return read_corpus(CorpusConfig(path=str(tmp_path / "x_data")), problems), problems


GOOD = "ID,Category,Pos_b,Pos_e,Privacy\n0,name,0,2,陆晓岚\n"
LABELLED = (Span("name", 0, 2),)


@pytest.mark.parametrize(
    "content",
    [
        "ID, Category, Pos_b, Pos_e, Privacy\n1, name, 0, 2, 陆晓岚\n",
        "\ufeffID, Category, Pos_b, Pos_e, Privacy\r\n1, name, 0, 2, 陆晓岚\r\n",
        "id,category,POS_B,pos_e,privacy\n1,name,0,2,陆晓岚\n",
        "ID;Category;Pos_b;Pos_e;Privacy\n1;name;0;2;陆晓岚\n",
        "ID\tCategory\tPos_b\tPos_e\tPrivacy\n1\tname\t0\t2\t陆晓岚\n",
        '"ID","Category","Pos_b","Pos_e","Privacy"\n"1","name","0","2","陆晓岚"\n',
        "Privacy,Pos_e,Pos_b,Category\n陆晓岚,2,0,name\n\n",
    ],
)
def test_headers_in_other_forms(tmp_path, content):
    documents, problems = read_with(tmp_path, GOOD, content)
    assert documents == [Document("0", "陆晓岚", LABELLED), Document("1", "陆晓岚", LABELLED)]
    assert not problems.counts and not problems.changed


@pytest.mark.parametrize(
    ("content", "reason", "found"),
    [
        ("", "empty label file", "0 bytes"),
        ("\ufeff\n", "empty label file", "4 bytes"),
        (
            "ID,类别,Pos_b,Pos_e\n",
            "label file without its columns",
            "its header is 'ID,类别,Pos_b,Pos_e', expected ID,",
        ),
        (GOOD + '1,name,0,2,"陆', "not valid CSV from here on", "unexpected end of data"),
    ],
)
def test_a_label_file_that_cannot_be_read_loses_its_document_only(tmp_path, content, reason, found):
    documents, problems = read_with(tmp_path, GOOD, content)
    assert documents == [Document("0", "陆晓岚", LABELLED)]
    assert problems.counts == {reason: 1} and found in problems.messages[0] and "1.csv" in problems.messages[0]


def test_label_files_that_are_all_empty_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"no usable document .*empty label file 2; first .*0\.csv: empty label file"):
        read_with(tmp_path, "", "")


def test_damaged_surrogates_are_mended(tmp_path):
    documents, problems = read_with(tmp_path, "ID,Category,Pos_b,Pos_e,Privacy\n0,na\ud83dme,0,2,陆晓岚\n")
    assert documents == [Document("0", "陆晓岚", (Span("na\ufffdme", 0, 2),))]
    assert problems.changed == {"half a surrogate pair, replaced by U+FFFD": 1}
