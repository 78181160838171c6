"""What both command lines share: one line for every error that the user can mend, and no traceback for a stop."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Callable
from typing import NoReturn

from utils.errors import UserError


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, without the usage before it."""

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}; see --help")


def run_command(program: str, command: Callable[[], None], when_stopped: str) -> int:
    """Run a command; returns the exit status.

    | end                                            | status | standard error   |
    |------------------------------------------------|--------|------------------|
    | done, or nobody reads standard output any more | 0      |                  |
    | UserError                                      | 2      | its lines        |
    | an OSError that nobody foresaw                 | 2      | its line         |
    | Ctrl-C                                         | 130    | `when_stopped`   |
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a terminal that cannot show a character gets its number
            stream.reconfigure(errors="backslashreplace")
    status, lines = 0, list[str]()
    try:
        command()
        sys.stdout.flush()
    except UserError as error:
        status, lines = 2, error.lines
    except KeyboardInterrupt:
        status, lines = 130, [f"stopped; {when_stopped}"]
    except BrokenPipeError:  # as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        status, lines = 2, [f"{error}; check that place, its rights and the room there"]
    if lines:  # only now that the error is gone and with it all progress bars, which end their line then
        with contextlib.suppress(OSError):
            sys.stdout.flush()  # in a log that both go to, what was said before stands before it
        for line in lines:
            print(f"{program}: {line}", file=sys.stderr)
    return status
