"""What the command lines share: mistakes of the user are reported without usage and traceback."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Callable
from typing import NoReturn

from utils.errors import UserError


class Parser(argparse.ArgumentParser):
    """Raises UserError for a mistake, instead of printing the usage and exiting."""

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}; see --help")


def run_command(program: str, command: Callable[[], None], when_stopped: str) -> int:
    """Run a command and return its exit status.

    | end                                   | status | standard error |
    |---------------------------------------|--------|----------------|
    | done, or standard output was closed   | 0      |                |
    | UserError                             | 2      | its text       |
    | any other OSError                     | 2      | its text       |
    | Ctrl-C                                | 130    | `when_stopped` |
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # characters that a terminal cannot show are escaped
            stream.reconfigure(errors="backslashreplace")
    status, line = 0, ""
    try:
        command()
        sys.stdout.flush()
    except UserError as error:
        status, line = 2, str(error)
    except KeyboardInterrupt:
        status, line = 130, f"stopped; {when_stopped}"
    except BrokenPipeError:  # as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        status, line = 2, f"{error}; check the path, its permissions and the free space"
    if line:  # printed only now: progress bars have ended their line, because the error no longer keeps them alive
        with contextlib.suppress(OSError):
            sys.stdout.flush()  # keeps the order in a log that gets both streams
        print(f"{program}: {line}", file=sys.stderr)
    return status
