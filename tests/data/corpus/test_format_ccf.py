"""Writing a corpus in the CCF format. How it is read is tested in test_formats.py."""

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
