"""What the command lines share: parsers, the choice of a command, and errors without a traceback."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, NoReturn

from utils.errors import UserError, one_line
from utils.lifeline import follow_parent


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line, without the usage before it."""

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}; see --help")

    @property
    def flags(self) -> set[str]:
        """Every flag it takes, such as `--config`."""
        return {flag for action in self._actions for flag in action.option_strings}


def add_settings_flags(parser: Parser, example: str) -> None:
    """The flags that give settings; `example` is one setting, for `--help`."""
    parser.add_argument("--config", action="append", metavar="FILE", help="settings; later files win over earlier ones")
    parser.add_argument("--set", action="append", metavar="KEY=VALUE", help=f"one setting, e.g. {example}")


class Command(NamedTuple):
    """One of the things that a command line does.

    Attributes:
        about: one line for `--help`.
        run: does it, given its options.
        add_flags: adds the flags that it takes.
    """

    about: str
    run: Callable[[argparse.Namespace], None]
    add_flags: Callable[[Parser], None]


def run_chosen(
    program: str, about: str, commands: Mapping[str, Command], chosen: str | None, arguments: Sequence[str]
) -> None:
    """Run the command that was chosen. `--help` prints its flags, or all commands if none was chosen.

    Args:
        program, about: name and purpose of the program.
        commands: by the words that choose them, such as `--mode train`.
        chosen: one of these words, or None.
        arguments: the whole command line.

    Raises:
        UserError: no command was chosen, or a flag belongs to another one.
    """
    if unusable := [one for one in arguments if "\0" in one or not _is_file_name(one)]:
        raise UserError(f"{unusable[0]!r:.80}: holds characters that no file name can have; type it again")
    asks_for_help = not {"-h", "--help"}.isdisjoint(arguments)
    if chosen is None:
        if asks_for_help:
            _overview(program, about, commands).parse_args(["--help"])
        raise UserError(f"nothing to do; name a command, such as {next(iter(commands))}; --help lists them")
    parsers = {words: _parser(program, words, command) for words, command in commands.items()}
    options, unknown = parsers[chosen].parse_known_args(["--help"] if asks_for_help else arguments)
    if not unknown:
        commands[chosen].run(options)
        return
    flag = unknown[0].partition("=")[0]
    takers = [words for words, parser in parsers.items() if flag in parser.flags]
    if takers == [flag]:
        raise UserError(f"{flag} does not belong to {chosen}; give one of them")
    if takers:
        raise UserError(f"{flag} does not belong to {chosen}, but to {' and '.join(takers)}")
    raise UserError(f"unrecognized arguments: {' '.join(unknown)}; see --help")


def _is_file_name(text: str) -> bool:
    try:
        os.fsencode(text)
    except UnicodeEncodeError:
        return False
    return True


def _parser(program: str, words: str, command: Command) -> Parser:
    parser = Parser(prog=f"{program} {words}", description=command.about)
    command.add_flags(parser)
    return parser


def _overview(program: str, about: str, commands: Mapping[str, Command]) -> Parser:
    width = 2 + max(map(len, commands))
    lines = [f"  {words:<{width}}{command.about}" for words, command in commands.items()]
    return Parser(
        prog=program,
        usage=f"{program} COMMAND [FLAGS]",
        description=about,
        epilog="\n".join(["commands:", *lines, "", f"{program} COMMAND --help lists the flags of a command."]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def _is_out_of_memory(error: Exception) -> bool:
    """Whether an error says that memory ran out. PyTorch has one for GPUs, and a RuntimeError for the processor."""
    kinds = [kind.__name__ for kind in type(error).__mro__]
    return "MemoryError" in kinds or "OutOfMemoryError" in kinds or "allocate memory" in str(error)


def run_command(program: str, command: Callable[[], None], when_stopped: str) -> int:
    """Run a command and return its exit status.

    | end                                   | status | standard error |
    |---------------------------------------|--------|----------------|
    | done, or standard output was closed   | 0      |                |
    | UserError                             | 2      | its lines      |
    | memory ran out                        | 2      | a line         |
    | any other OSError                     | 2      | its text       |
    | Ctrl-C                                | 130    | `when_stopped` |
    """
    follow_parent()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # characters that a terminal cannot show are escaped
            stream.reconfigure(errors="backslashreplace")
    status, lines = 0, list[str]()
    try:
        command()
        sys.stdout.flush()
    except UserError as error:
        status, lines = 2, error.lines
    except (MemoryError, RuntimeError) as error:
        if not _is_out_of_memory(error):
            raise
        status, lines = 2, [f"not enough memory ({one_line(str(error)):.100}); lower train.batch_size or data.max_len"]
    except KeyboardInterrupt:
        status, lines = 130, [f"stopped; {when_stopped}"]
    except BrokenPipeError:  # as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        status, lines = 2, [f"{error}; check the path, its permissions and the free space"]
    if lines:  # printed only now: progress bars have ended their line, because the error no longer keeps them alive
        with contextlib.suppress(OSError):
            sys.stdout.flush()  # keeps the order in a log that gets both streams
        for line in lines:
            print(f"{program}: {line}", file=sys.stderr)
    return status
