import pytest

from utils.errors import LONGEST_LINE, UserError, one_line


def test_a_message_is_one_line_that_a_terminal_shows_and_does_not_obey():
    assert UserError("a\n  b", "c").lines == ["a b", "c"]
    assert one_line("red \x1b[31m and \u202e back, 中\u3000文 é") == "red \\x1b[31m and \\u202e back, 中\u3000文 é"
    assert one_line("\ud800") == "\\ud800"


@pytest.mark.parametrize("length", [LONGEST_LINE + 1, 5000, 3_000_000])
def test_a_long_message_keeps_its_begin_and_its_end(length):
    shown = one_line("what is wrong" + "x" * length + "what to do")
    assert len(shown) == LONGEST_LINE
    assert shown.startswith("what is wrongx") and " ... " in shown and shown.endswith("xwhat to do")
    assert one_line("x" * LONGEST_LINE) == "x" * LONGEST_LINE


def test_paths_are_not_cut():
    path = "/" + "folder/" * 15
    message = f"{path}: " + "x" * 280 + f" {path}"
    assert one_line(message) == message
    assert len(one_line("/" + "x" * 10_000)) < 500
