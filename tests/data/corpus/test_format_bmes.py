"""Files of one token and its tag a line, in the layouts that people publish."""

import pytest

from config import CorpusConfig
from data.corpus.document import Document
from data.corpus.formats import read_corpus, recognise, writers
from data.problems import Problems
from data.spans import Span
from utils.errors import UserError


@pytest.fixture
def read(tmp_path):
    """Reads a file's text; gives the documents and the problems."""

    def read(content, use="either"):
        path, problems = tmp_path / "a.conll", Problems()
        path.write_bytes(content.encode())
        assert recognise(path) == "bmes"
        return read_corpus(CorpusConfig(path=str(path)), problems, use), problems

    return read


EXPECTED = [Document("0", "陆晓岚来了", (Span("PER", 0, 2),)), Document("1", "在上海", (Span("LOC", 1, 2),))]
ROWS = [("陆", "B-PER"), ("晓", "I-PER"), ("岚", "I-PER"), ("来", "O"), ("了", "O"), None,
        ("在", "O"), ("上", "B-LOC"), ("海", "I-LOC")]  # fmt: skip


def lines(form, between=""):
    return "\n".join(between if row is None else form.format(*row) for row in ROWS) + "\n"


@pytest.mark.parametrize(
    "content",
    [
        lines("{0} {1}"),
        lines("{0}\t{1}"),
        lines("{0}   {1}  "),
        lines("{0}\t{1}").replace("\n", "\r\n"),
        "\ufeff" + lines("{0}\t{1}"),
        lines("{0} -X- _ {1}"),
        lines("{0} NR B-NP {1}"),
        lines("{0}\tB-SEG\t{1}"),
        lines("{0},{1}"),
        lines("{0}|{1}"),
        lines("{0} {1}", between=" "),
        lines("{0} {1}", between="\u3000\t "),
        lines("{0} {1}", between="\n\n"),
        "-DOCSTART- -X- O O\n\n" + lines("{0} -X- _ {1}"),
        lines("{0} {1}", between="-DOCSTART- O"),
        "# id 3\n" + lines("{0} {1}", between="\n# id 4\tdomain=news"),
        lines("{0}0\t{1}"),
        lines("{0}12 {1}"),
    ],
)
def test_columns_comments_and_blank_lines_of_all_kinds(read, content):
    documents, problems = read(content)
    assert documents == EXPECTED and not problems.counts and not problems.changed


def test_tokens_that_are_marks_or_white_space(read):
    documents, problems = read("# O\n\u3000 O\n-\tB-X\n,\tO\n\u00a0\tO\n\t\tO\n \tO\nO O\n")
    assert documents == [Document("0", "#\u3000-,\u00a0\t O", (Span("X", 2, 2),))] and not problems.counts
    documents, _ = read("陆,B-PER\n,,O\n来,O\n")
    assert documents == [Document("0", "陆,来", (Span("PER", 0, 0),))]


def test_tokens_of_several_characters_stay_with_their_tag(read):
    family = "\U0001f469\u200d\U0001f467"
    content = f"买 O\niPhone B-PROD\n15 I-PROD\n送 O\nSiO2 B-PROD\n{family} O\n和 O\n20 S-NUM\n"
    documents, problems = read(content)
    text = f"买iPhone15送SiO2{family}和20"
    places = [text.index("iPhone"), text.index("SiO2"), text.index("20")]
    spans = (Span("PROD", places[0], places[0] + 7), Span("PROD", places[1], places[1] + 3),
             Span("NUM", places[2], places[2] + 1))  # fmt: skip
    assert documents == [Document("0", text, spans)] and not problems.counts


def test_numbers_are_left_out_only_after_every_character(read):
    documents, problems = read("第0 O\n20 O\n３0 O\niPhone0 B-X\n60 O\n")
    assert documents[0].text == "第2３iPhone6" and "the number after each character is left out" in problems.notes[1]
    documents, problems = read("第0 O\n" * 30 + "号 B-X\n")
    assert documents[0].text == "第" * 30 + "号", "one of many has lost its number"
    documents, problems = read("第0 O\n20 O\n号 B-X\n")
    assert documents[0].text == "第020号" and len(problems.notes) == 2
    assert read("A1 B-X\nB2 O\n")[0][0].text == "A1B2"


def test_lines_without_token_or_tag_bend_no_span(read):
    documents, problems = read("陆 B-PER\nI-PER\n岚 I-PER\n来 O\n了\n在 S-LOC\n")
    assert documents == [Document("0", "陆岚来了在", (Span("LOC", 4, 4),))]
    assert problems.counts == {"line without a token": 1, "span beside an unknown tag": 1}
    assert problems.changed == {"no tag, read as O": 2}


@pytest.mark.parametrize(
    "content",
    [
        "1\t陆\t_\tB-PER\n2\t晓\t_\tI-PER\n3\t岚\t_\tI-PER\n4\t来\t_\tO\n5\t了\t_\tO\n\n1\t在\t_\tO\n2\t上\t_\tB-LOC\n3\t海\t_\tI-LOC\n",
        "sentence,word,tag\n" + "\n".join("" if row is None else f"7,{row[0]},{row[1]}" for row in ROWS),
        "id word ner\n" + "\n".join("" if row is None else f"7 {row[0]} {row[1]}" for row in ROWS),
        "token\tlabel\n" + lines("{0}\t{1}"),
    ],
)
def test_columns_that_count_and_lines_that_name_columns_are_no_text(read, content):
    documents, problems = read(content)
    assert documents == EXPECTED and not problems.counts and not problems.changed


def test_numbers_as_tokens_stay_where_there_is_no_other_token(read):
    documents, _ = read("2 B-NUM\n0 I-NUM\n2 I-NUM\n4 I-NUM\n")
    assert documents == [Document("0", "2024", (Span("NUM", 0, 3),))]


def test_a_tag_that_is_no_tag_does_not_change_the_scheme(read):
    documents, problems = read("陆 B-PER\n晓 I-PER\n来 0\n在 B-LOC\n这 is this line\n里 O\n\n" * 3)
    assert all(document.spans == (Span("PER", 0, 1), Span("LOC", 3, 3)) for document in documents)
    assert problems.changed == {"unknown tag '0', read as O": 3, "unknown tag 'line', read as O": 3}


def test_tags_of_words_only_are_refused_by_name(read):
    with pytest.raises(UserError, match=r"no labels in it, read as bmes.*its tags are 'NR' 2, 'VV' 1; name the right"):
        read("陆 NR\n晓 NR\n来 VV\n", use="labelled")


def test_tags_without_a_letter_are_refused_by_name(read):
    with pytest.raises(UserError, match=r"no labels in it, read as bmes.*its tags are 'O' 3, 'PER' 2; name the right"):
        read("陆 PER\n晓 PER\n来 O\n了 O\n。 O\n", use="labelled")


@pytest.mark.parametrize("content", ["的 12\n来 3\n", "他说：你好\n", "的 0.1 0.2\n在 0.3 0.4\n", "id,text\n1,你好\n"])
def test_other_files_are_not_taken_for_it(tmp_path, content):
    path = tmp_path / "a"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(UserError, match=f"format not recognised, its first line is '{content.splitlines()[0]}'"):
        recognise(path)


def test_what_the_format_cannot_hold_is_counted(tmp_path):
    spans = (Span("PER", 0, 2), Span("LOC", 2, 4), Span("公司 名", 6, 6), Span("LOC", 6, 6))
    documents = [Document("a", "陆晓岚在上海\n好", spans), Document("b", "")]
    for name in ("bmes", "bio"):
        problems = Problems()
        writers()[name].write(documents, tmp_path / name, problems)
        assert problems.counts == {
            "category with white space": 1, "span that overlaps a longer one": 1, "empty text": 1
        }  # fmt: skip
        assert problems.labels_lost == 2 and problems.changed == {"line break, written as a blank": 1}
        (found,) = read_corpus(CorpusConfig(path=str(tmp_path / name)), Problems())
        assert found == Document("0", "陆晓岚在上海 好", (Span("PER", 0, 2), Span("LOC", 6, 6)))
    assert (tmp_path / "bmes").read_text().split() == (
        ["陆", "B-PER", "晓", "M-PER", "岚", "E-PER", "在", "O", "上", "O", "海", "O", "S-LOC", "好", "O"]
    )


def test_a_text_that_begins_with_a_byte_order_mark_keeps_it(tmp_path):
    documents = [Document("0", "\ufeff陆晓岚", (Span("PER", 1, 3),)), Document("1", "\ufeff好")]
    writers()["bio"].write(documents, tmp_path / "a", Problems())
    assert read_corpus(CorpusConfig(path=str(tmp_path / "a")), Problems()) == documents
