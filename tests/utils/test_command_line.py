"""A command line of several commands: each takes its own flags and refuses those of the others."""

import pytest
import torch

from utils.command_line import Command, Parser, run_chosen, run_command
from utils.errors import UserError

DONE = []


def paint_flags(parser: Parser) -> None:
    parser.add_argument("--paint", action="store_true")
    parser.add_argument("--colour")


def wash_flags(parser: Parser) -> None:
    parser.add_argument("--wash", action="store_true")
    parser.add_argument("--soap", action="store_true")
    parser.add_argument("--colour")


def dry_flags(parser: Parser) -> None:
    parser.add_argument("--dry", action="store_true")


COMMANDS = {
    "--paint": Command("paint a wall", lambda options: DONE.append(options), paint_flags),
    "--wash": Command("wash a wall", lambda options: DONE.append(options), wash_flags),
    "--dry": Command("wait", lambda options: DONE.append(options), dry_flags),
}


def run(chosen, *arguments):
    DONE.clear()
    run_chosen("house.py", "Work on walls.", COMMANDS, chosen, arguments)
    return vars(DONE.pop())


def test_a_command_gets_its_own_options():
    assert run("--paint", "--paint", "--colour=red") == {"paint": True, "colour": "red"}


@pytest.mark.parametrize(
    ("chosen", "arguments", "telling"),
    [
        ("--paint", ["--paint", "--soap"], "--soap does not belong to --paint, but to --wash"),
        ("--dry", ["--dry", "--colour=red"], "--colour does not belong to --dry, but to --paint and --wash"),
        ("--dry", ["--dry", "--paint"], "--paint does not belong to --dry; give one of them"),
        ("--dry", ["--dry", "--sun"], "unrecognized arguments: --sun"),
        (None, ["--sun"], "nothing to do; name a command, such as --paint"),
    ],
)
def test_a_flag_of_another_command_is_refused(chosen, arguments, telling):
    with pytest.raises(UserError, match=telling):
        run(chosen, *arguments)


def test_help_lists_the_commands_or_the_flags_of_one(capsys):
    with pytest.raises(SystemExit):
        run(None, "--help")
    overview = capsys.readouterr().out
    assert all(f"{words}" in overview and command.about in overview for words, command in COMMANDS.items())
    assert "--soap" not in overview
    with pytest.raises(SystemExit):
        run("--wash", "--wash", "--help")
    assert "--soap" in (of_one := capsys.readouterr().out) and "paint a wall" not in of_one


def test_an_error_is_one_line_and_status_2(capsys):
    def fail():
        raise UserError("the wall\nis gone")

    assert run_command("house.py", fail, "nothing was painted") == 2
    assert capsys.readouterr().err == "house.py: the wall is gone\n"


@pytest.mark.parametrize(
    "error", [MemoryError("a"), RuntimeError("DefaultCPUAllocator: can't allocate memory"), torch.OutOfMemoryError("b")]
)
def test_memory_that_runs_out_is_one_line(capsys, error):
    def work():
        raise error

    assert run_command("main.py", work, "") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("main.py: not enough memory (") and "lower train.batch_size" in line


def test_other_errors_of_libraries_are_not_hidden():
    def work():
        raise RuntimeError("a mistake of ours")

    with pytest.raises(RuntimeError, match="ours"):
        run_command("main.py", work, "")


@pytest.mark.parametrize("argument", ["a\0b", "\ud800"])
def test_an_argument_that_no_file_can_have_is_one_line(argument):
    with pytest.raises(UserError, match="holds characters that no file name can have"):
        run_chosen("main.py", "", {}, None, ["--input", argument])
