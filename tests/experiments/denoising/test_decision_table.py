"""Decisions as a table that goes out and comes back, and as a page."""

import csv

import pytest

from data.corpus.document import Document
from data.problems import Problems
from data.spans import Span
from experiments.denoising.decision_table import keep_corrections, read_decisions, write_report
from experiments.denoising.decisions import Decision
from experiments.denoising.votes import Tally
from utils.errors import UserError

DOCUMENTS = [
    Document("0", "请联系<b>张伟</b>，\n电话13800138000。", (Span("name", 6, 7),)),
    Document("甲,乙", '他说"好"\r\n然后走了'),
]
DECISIONS = [
    Decision("0", "doubtful", Span("name", 6, 7), Tally(0, 4, 0.0125), 0.0125, "mask"),
    Decision("甲,乙", "missing", Span("book", 2, 4), Tally(3, 4, 0.75), 0.75, "add"),
    Decision("甲,乙", "missing", Span("book", 4, 6), Tally(2, 4, 0.5), 0.5, "ignore"),
]


@pytest.fixture
def table(tmp_path):
    write_report(DECISIONS, DOCUMENTS, tmp_path, "运行 <1>")
    return tmp_path / "decisions.csv"


def rows_of(table):
    with table.open(encoding="utf-8-sig", newline="") as stream:
        return list(csv.DictReader(stream))


def rewrite(table, rows):
    with table.open("w", encoding="utf-8-sig", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def test_the_table_comes_back_as_it_went(table):
    problems = Problems()
    assert read_decisions(table, DOCUMENTS, problems) == DECISIONS
    assert not problems.counts
    assert table.read_bytes().startswith(b"\xef\xbb\xbf"), "or a spreadsheet takes the Chinese for something else"
    rows = rows_of(table)
    assert [row["privacy"] for row in rows] == ["张伟", '"好"', '"\r\n']
    assert (rows[0]["before"], rows[0]["after"]) == ("请联系<b>", "</b>，\n电话13800138000。")


def test_a_lone_carriage_return_comes_back(tmp_path):
    """Python before 3.13 leaves it unquoted where rows end in a newline alone, and then cannot read the table."""
    document, span = Document("0", "张\r伟，\r电话"), Span("name", 0, 2)
    decision = Decision("0", "missing", span, Tally(1, 4, 0.25), 0.25, "mask")
    write_report([decision], [document], tmp_path, "运行")
    assert read_decisions(tmp_path / "decisions.csv", [document], Problems()) == [decision]
    (row,) = rows_of(tmp_path / "decisions.csv")
    assert (row["privacy"], row["after"]) == ("张\r伟", "，\r电话")


def test_corrections_are_read(table):
    rows = rows_of(table)
    rows[0] |= {"action": "remove"}
    rows[1] |= {"pos_b": "2", "pos_e": "3", "category": "title"}
    added = {"id": "0", "kind": "missing", "category": "mobile", "pos_b": "14", "pos_e": "24", "action": "add"}
    rewrite(table, [*rows[:2], added])
    first, second, third = read_decisions(table, DOCUMENTS, Problems())
    assert first == DECISIONS[0]._replace(action="remove")
    assert second == DECISIONS[1]._replace(span=Span("title", 2, 3))
    assert (third.span, third.action, third.tally) == (Span("mobile", 14, 24), "add", Tally(0, 0, 0))


def test_a_doubtful_row_knows_its_label_whatever_becomes_of_its_bounds(table):
    rows = rows_of(table)
    rows[0] |= {"category": "company", "pos_b": "3", "action": "keep"}
    rewrite(table, rows)
    decision, *_ = read_decisions(table, DOCUMENTS, Problems())
    assert (decision.span, decision.corrected) == (Span("company", 3, 7), Span("name", 6, 7))
    rows[0] |= {"label": ""}
    rewrite(table, rows)
    problems = Problems()
    assert len(read_decisions(table, DOCUMENTS, problems)) == 2
    assert problems.counts == {"no such label to doubt": 1}


def test_a_table_that_was_corrected_is_kept_under_another_name(table):
    assert keep_corrections(table.parent) is None and table.exists(), "it is as it was written"
    for number in (1, 2):
        table.write_text(f"corrected {number}")
        kept = keep_corrections(table.parent)
        assert kept.read_text() == f"corrected {number}" and not table.exists()
        write_report(DECISIONS, DOCUMENTS, table.parent, "again")
    assert keep_corrections(table.parent) is None
    table.with_suffix(".html").unlink()
    assert keep_corrections(table.parent), "nobody knows what was written"
    assert keep_corrections(table.parent) is None, "there is no table"


def test_rows_that_fit_no_text_are_dropped_and_reported(table):
    rows = rows_of(table)
    rows[0]["id"] = "nobody"
    rows[1]["pos_e"] = "99"
    rewrite(table, rows)
    problems = Problems()
    assert read_decisions(table, DOCUMENTS, problems) == DECISIONS[2:]
    assert problems.counts == {"no document of this id": 1, "offsets outside the text": 1}
    assert "decisions.csv, row 2" in problems.messages[0]


@pytest.mark.parametrize(
    ("column", "value", "telling"),
    [("kind", "wrong", "decisions.csv, row 2: kind 'wrong'"), ("action", "add", "of a doubtful span it is keep, mask"),
     ("action", "", "action ''")],
)  # fmt: skip
def test_words_that_mean_nothing_are_refused(table, column, value, telling):
    rows = rows_of(table)
    rows[0][column] = value
    rewrite(table, rows)
    with pytest.raises(UserError, match=telling):
        read_decisions(table, DOCUMENTS, Problems())


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("votes", "inf"),
        ("voters", "nan"),
        ("share", "-inf"),
        ("probability", "0,5"),
        ("share", "1.2"),
        ("share", "-0.1"),
        ("probability", "50"),
        ("votes", "-1"),
        ("voters", "1e300"),
    ],
)
def test_a_number_that_is_none_is_refused(table, column, value):
    rows = rows_of(table)
    rows[1][column] = value
    rewrite(table, rows)
    with pytest.raises(
        UserError, match=rf"decisions\.csv, row 3: {column} '{value}'; it is a number (from 0 to 1|of votes), or empty"
    ):
        read_decisions(table, DOCUMENTS, Problems())


def test_a_file_that_is_no_table_of_decisions_is_refused(tmp_path):
    for content, telling in ((b"id,kind\n", "no column category, pos_b"), ("名字".encode("gbk"), "not UTF-8")):
        (tmp_path / "x.csv").write_bytes(content)
        with pytest.raises(UserError, match=telling):
            read_decisions(tmp_path / "x.csv", DOCUMENTS, Problems())
    with pytest.raises(UserError, match="cannot be read"):
        read_decisions(tmp_path / "nowhere.csv", DOCUMENTS, Problems())


def test_a_stray_quote_in_a_long_table_is_one_line(table):
    header, row = "id,kind,category,pos_b,pos_e,action\n", "0,doubtful,name,6,7,mask\n"
    table.write_text(header + '"' + 6000 * row, encoding="utf-8-sig")
    assert table.stat().st_size > csv.field_size_limit()
    with pytest.raises(UserError, match=r"decisions\.csv, line \d+: not CSV .* look for a stray quote"):
        read_decisions(table, DOCUMENTS, Problems())


def test_the_page_shows_texts_as_they_are_and_counts_by_category(table):
    page = table.with_suffix(".html").read_text(encoding="utf-8")
    assert "&lt;b&gt;<mark>张伟</mark>&lt;/b&gt;" in page and "<b>" not in page
    assert "<title>运行 &lt;1&gt;</title>" in page
    assert "<tr><td>book</td><td>0</td><td>2</td></tr>" in page
    assert page.index("张伟") < page.index("然后走了")


@pytest.mark.parametrize("first", [*"=+-@＝＋－＠'\t", "''", "'="])
def test_no_cell_is_a_formula_and_every_cell_comes_back(tmp_path, first):
    text = f"{first}1+1，{first}张伟"
    document = Document(f"{first}id", text, (Span(f"{first}name", 0, 1),))
    decisions = [Decision(document.id, "doubtful", document.spans[0], Tally(0, 4, 0.01), 0.01, "mask"),
                 Decision(document.id, "missing", Span("book", 3, 4), Tally(4, 4, 0.9), 0.9, "add")]  # fmt: skip
    write_report(decisions, [document], tmp_path, "运行")
    cells = [cell for row in rows_of(tmp_path / "decisions.csv") for cell in row.values()]
    assert not [cell for cell in cells if cell[:1] in tuple("=+-@＝＋－＠\t")]
    assert read_decisions(tmp_path / "decisions.csv", [document], Problems()) == decisions


@pytest.mark.parametrize(
    ("changes", "telling"),
    [
        ([{}, {}, {"action": "add"}], "row 3: book 2 4 overlaps book 4 6, another label of its category"),
        ([{}, {}, {"action": "weight"}], "overlaps book 4 6"),
        ([{"category": "place", "pos_b": "10", "pos_e": "11"}, {}, {}], "row 2: place 10 11 overlaps place 11 13"),
    ],
)
def test_rows_that_make_two_labels_of_a_category_overlap_are_refused(table, changes, telling):
    documents = [Document("0", DOCUMENTS[0].text, (Span("name", 6, 7), Span("place", 11, 13))), DOCUMENTS[1]]
    rows = rows_of(table)
    for row, change in zip(rows, changes, strict=True):
        row.update(change)
    rewrite(table, rows)
    with pytest.raises(UserError, match=telling):
        read_decisions(table, documents, Problems())
