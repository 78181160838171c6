"""The interface of readers: every format has one, and a new one needs a module and a name only."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from config import CorpusConfig
from data.corpus import formats
from data.corpus.corpus_files import read_text
from data.corpus.document import Document
from data.corpus.formats import read_corpus
from data.corpus.reader import Located, Reader
from data.problems import Problems
from utils.errors import UserError


def test_every_format_of_the_settings_has_a_reader_that_says_what_it_reads():
    readers = formats.readers()
    assert list(readers) == list(formats.NAMES)
    for name, reader in readers.items():
        assert isinstance(reader, Reader) and name in formats.describe_formats()


def test_a_reader_needs_a_module_and_a_name_in_the_settings_only(tmp_path, monkeypatch):
    def read_mine(corpus, problems):
        for number, line in enumerate(read_text(Path(corpus.path)).split("\n")):
            yield Located(f"{corpus.path}:{number + 1}", Document(str(number), line.removeprefix("mine ")))

    mine = Reader("nowhere", read_mine, recognises_lines=lambda lines: "mine" in lines[0])
    monkeypatch.setitem(sys.modules, "data.corpus.format_mine", SimpleNamespace(READER=mine))
    monkeypatch.setattr(formats, "NAMES", (*formats.NAMES, "mine"))
    formats.readers.cache_clear()
    try:
        (tmp_path / "corpus").write_text("mine 张三\nmine 李四", encoding="utf-8")
        corpus = CorpusConfig(path=str(tmp_path / "corpus"))
        assert [document.text for document in read_corpus(corpus, Problems(), "either")] == ["张三", "李四"]
        with pytest.raises(UserError, match="no labels in it, read as mine, which has them in nowhere; name the right"):
            read_corpus(corpus, Problems())
        (tmp_path / "foreign").write_text("foreign", encoding="utf-8")
        with pytest.raises(UserError, match="brat or mine, as in"):
            read_corpus(CorpusConfig(path=str(tmp_path / "foreign")), Problems())
    finally:
        monkeypatch.undo()
        formats.readers.cache_clear()
