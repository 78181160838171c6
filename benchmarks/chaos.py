"""A campaign of kills: every command is stopped at its file operations and at random moments, and must lose nothing.

    python -m benchmarks.chaos --quick                two minutes, a part of every check-in
    python -m benchmarks.chaos --points 40 --kills 100    half an hour; without --points, every operation
    python -m benchmarks.chaos --only crash --commands train

| part    | what is done                                     | what must hold                              |
|---------|--------------------------------------------------|---------------------------------------------|
| crash   | killed before, in and after a file operation     | no half-written file; the command that goes |
| random  | killed at random moments                         | on makes what an undisturbed one makes      |
| full    | the disk is full, then it is not (needs root)    | one line, status 2, and then the same       |
| two     | two commands write to one place at the same time | one ends, the other is refused in one line  |

Exit status 1 if anything did not hold.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault("TQDM_DISABLE", "1")

import torch
from tqdm import tqdm

import main
import preprocess
from benchmarks.chaos_commands import (
    COMMANDS,
    Command,
    broken_files,
    contents,
    copy_workspace,
    left_behind,
    make_workspace,
)
from benchmarks.crash_points import MOMENTS, CrashPoint, count_operations, crash_at

QUICK_DISKS = ("preprocess", "train", "pretrain", "predict")
PARTS = ("crash", "random", "full", "two")
QUICK_POINTS, FEW_POINTS = 3, 4  # of a command that runs in this process, and of one that starts others


class Ended(NamedTuple):
    """How a command ended: status (negative for a signal), standard error, seconds."""

    status: int
    error: str
    seconds: float


@dataclass
class Row:
    """The table's line for a part and a command."""

    part: str
    command: str
    tries: int = 0
    failures: list[str] = field(default_factory=list)


class Campaign:
    """Runs commands in copies of a workspace. The current folder changes with every copy.

    Args:
        home: a folder for the workspace and its copies.
        quick: try a few points only.
        points: of each command that are tried otherwise.
        seed: of random choices.
    """

    def __init__(self, home: Path, quick: bool, points: int, seed: int) -> None:
        self.home, self.quick, self.points = home, quick, points
        self.random = random.Random(seed)
        self.place = home / "work"  # every copy is at the same path, because settings and manifests hold paths
        self.rows: list[Row] = []

    def prepare(self) -> None:
        """Make the workspace."""
        self.place.mkdir()
        with self.quiet():
            make_workspace(self.place, preprocess.main)
        shutil.move(self.place, self.home / "base")

    @contextlib.contextmanager
    def quiet(self) -> Iterator[None]:
        """In the workspace, without output."""
        before = Path.cwd()
        os.chdir(self.place)
        try:
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
                yield
        finally:
            os.chdir(before)

    def start(self, line: str, prepare: Callable[[], None] = lambda: None) -> int:
        """Start a command in a fork of this process, in the workspace; returns its number."""
        child = os.fork()
        if child:
            return child
        os.setpgid(0, 0)
        os.chdir(self.place)
        with (self.home / f"error{os.getpid()}").open("w", encoding="utf-8") as error:
            os.dup2(os.open(os.devnull, os.O_RDWR), 1)
            os.dup2(error.fileno(), 2)
            sys.stdout, sys.stderr = open(os.devnull, "w"), error  # noqa: SIM115 - for the rest of the process
            prepare()
            program = main.main if "--mode" in line else preprocess.main
            try:
                status = program(line.split())
            except BaseException as unexpected:
                import traceback

                traceback.print_exception(unexpected)
                status = 1
            error.flush()
        os._exit(status)

    def wait(self, child: int, seconds: float = 600) -> Ended:
        """Wait for a started command. It is killed after some seconds."""
        started = time.monotonic()
        while True:
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                break
            if time.monotonic() - started > seconds:
                os.kill(child, signal.SIGKILL)
            time.sleep(0.005)
        log = self.home / f"error{child}"
        error = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
        log.unlink(missing_ok=True)
        return Ended(os.waitstatus_to_exitcode(status), error, time.monotonic() - started)

    def run(self, line: str, prepare: Callable[[], None] = lambda: None) -> Ended:
        return self.wait(self.start(line, prepare))

    def fresh(self, command: Command) -> None:
        """A workspace as it is before a command."""
        ready = self.home / f"ready-{abs(hash(tuple(command.needs)))}"
        if not ready.exists():
            copy_workspace(self.home / "base", self.place)
            for needed in command.needs:
                assert self.run(needed).status == 0, needed
            shutil.move(self.place, ready)
        copy_workspace(ready, self.place)

    def reference(self, command: Command) -> tuple[dict[str, str], int, float]:
        """What an undisturbed run leaves, the number of its file operations, and its seconds."""
        self.fresh(command)
        counted = self.home / "counted"

        child = os.fork()
        if not child:
            tell = count_operations(self.place)
            status = self.run_here(command.arguments)
            counted.write_text(str(tell()))
            os._exit(status)
        ended = self.wait(child)
        assert ended.status == 0, f"{command.arguments}: {ended}"
        return contents(self.place), int(counted.read_text()), ended.seconds

    def run_here(self, line: str) -> int:
        """Run a command in this process."""
        with self.quiet():
            return (main.main if "--mode" in line else preprocess.main)(line.split())

    # ------------------------------------------------------------------------------------------------------- parts

    def crash(self, name: str, command: Command) -> None:
        """Kill at file operations, then go on."""
        row = self.row("crash", name)
        expected, operations, _ = self.reference(command)
        points = [CrashPoint(number, moment) for number in range(operations) for moment in MOMENTS]
        print(f"crash, {name}: {len(points)} points", flush=True)
        limit = FEW_POINTS if command.starts_processes else QUICK_POINTS if self.quick else self.points
        for point in sorted(self.random.sample(points, min(limit, len(points)))):
            self.fresh(command)
            ended = self.run(command.arguments, lambda point=point: crash_at(point, self.place))  # type: ignore[misc]
            row.tries += 1
            if ended.status not in (-signal.SIGKILL, 0):
                row.failures.append(f"{point}: status {ended.status}, {last_line(ended.error)}")
            self.go_on(row, str(point), command, expected)

    def kill_at_random(self, name: str, command: Command, kills: int) -> None:
        """Kill at random moments, again and again, until the command has been killed often enough."""
        row = self.row("random", name)
        expected, _, seconds = self.reference(command)
        while row.tries < kills:
            self.fresh(command)
            line, killed = command.arguments, 0
            while row.tries < kills and killed < 3:  # three kills in one run, then it may end
                child = self.start(line)
                time.sleep(self.random.uniform(0, seconds))
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)
                row.tries, killed = row.tries + 1, killed + 1
                if (ended := self.wait(child)).status not in (-signal.SIGKILL, 0):
                    row.failures.append(f"kill {row.tries}: status {ended.status}, {last_line(ended.error)}")
                line = self.again(command)
            self.go_on(row, f"kill {row.tries}", command, expected)

    def fill_disk(self, name: str, command: Command) -> None:
        """Run on a disk that is too small, then on the same disk when it has become larger."""
        row = self.row("full", name)
        expected, _, _ = self.reference(command)
        used = sum(path.stat().st_size for path in self.place.rglob("*") if path.is_file())
        self.fresh(command)
        begin = sum(path.stat().st_size for path in self.place.rglob("*") if path.is_file())
        self.fresh(command)
        steps = 3 if self.quick or command.starts_processes else 6
        for step in range(steps):
            self.fresh(command)
            with self.small_disk():
                more = int((used - begin + 2**16) * step / steps)
                taken = shutil.disk_usage(self.place).used
                self.resize(taken + more)
                ended = self.run(command.arguments)
                row.tries += 1
                lines = ended.error.strip().splitlines()
                told = len(lines) == 1 and ("No space left" in ended.error or "written" in ended.error)
                if ended.status != 0 and (ended.status != 2 or not told):
                    row.failures.append(f"{more} bytes free: status {ended.status}, {last_line(ended.error)}")
                self.resize(taken + 2**28)
                self.go_on(row, f"{more} bytes free", command, expected)

    def resize(self, size: int) -> None:
        """Set the size in bytes of the disk that the workspace is on."""
        subprocess.run(["mount", "-o", f"remount,size={size}", str(self.place)], check=True)

    @contextlib.contextmanager
    def small_disk(self) -> Iterator[None]:
        """Put the workspace on a disk in memory."""
        aside = self.home / "aside"
        shutil.move(self.place, aside)
        self.place.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1g", "tmpfs", str(self.place)], check=True)
        try:
            copy_workspace_into(aside, self.place)
            yield
        finally:
            subprocess.run(["umount", "-l", str(self.place)], check=True)
            shutil.rmtree(aside)

    def two_at_once(self, name: str, command: Command, refused: bool) -> None:
        """Start a command twice at once. `refused` says whether one of them must be."""
        row = self.row("two", name)
        expected, _, seconds = self.reference(command)
        for _ in range(2 if self.quick else 10):
            self.fresh(command)
            first = self.start(command.arguments)
            time.sleep(self.random.uniform(0, seconds / 2))
            second = self.start(command.arguments)
            ends = [self.wait(first), self.wait(second)]
            row.tries += 1
            lines = [last_line(end.error) for end in ends if end.status != 0]
            told = all("is written to by process" in line or "already" in line for line in lines)
            if not told or len(lines) > 1 or (refused and len(lines) != 1):
                row.failures.append(f"status {[end.status for end in ends]}: {lines}")
            self.compare(row, "two", expected)

    # ------------------------------------------------------------------------------------------------------ checks

    def again(self, command: Command) -> str:
        """The command line that goes on after a kill."""
        if "--overwrite" in command.arguments:
            # What has not taken the earlier run's place yet begins anew. What has, or is doing so, goes on.
            settings = self.place / "runs/tiny/config.yaml"
            seed = re.search(r"^ +seed: (\d+)$", settings.read_text() if settings.exists() else "", re.MULTILINE)
            if seed and seed[1] != "7":
                return command.arguments
            return command.arguments.replace("--overwrite", "--resume")
        return f"{command.arguments} {command.again}"

    def go_on(self, row: Row, what: str, command: Command, expected: dict[str, str]) -> None:
        """Check what a kill left, give the command again, and compare with an undisturbed run."""
        if broken := broken_files(self.place):
            row.failures.append(f"{what}: half-written {broken[0]}")
        ended = self.run(self.again(command))
        if ended.status == 2 and "is there already" in ended.error:  # the kill came after the last operation
            ended = ended._replace(status=0)
        if ended.status:
            row.failures.append(f"{what}: going on ended with status {ended.status}, {last_line(ended.error)}")
            return
        self.compare(row, what, expected)

    def compare(self, row: Row, what: str, expected: dict[str, str]) -> None:
        found = contents(self.place)
        differ = sorted(name for name in {*found, *expected} if found.get(name) != expected.get(name))
        if differ := [name for name in differ if name not in left_behind(self.place)]:
            row.failures.append(f"{what}: {len(differ)} files differ, among them {differ[0]}")
        if left := left_behind(self.place):
            row.failures.append(f"{what}: left behind {left[0]}")

    def row(self, part: str, name: str) -> Row:
        self.rows.append(Row(part, name))
        return self.rows[-1]


def copy_workspace_into(source: Path, target: Path) -> None:
    """Copy into a folder that is there."""
    shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True)


def last_line(text: str) -> str:
    """The last line that is not blank, cut."""
    lines = [line for line in text.strip().splitlines() if line.strip()]
    return f"{lines[-1]:.160}" if lines else "no message"


def table(rows: Iterable[Row]) -> str:
    """The rows in Markdown, and below them what did not hold."""
    lines = ["| part | command | tries | did not hold |", "|---|---|---:|---:|"]
    lines += [f"| {row.part} | {row.command} | {row.tries} | {len(row.failures)} |" for row in rows]
    lines += [f"  {row.part}, {row.command}: {failure}" for row in rows for failure in row.failures[:5]]
    return "\n".join(lines)


def can_mount() -> bool:
    """Whether this process may mount a disk in memory."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(["mount", "-t", "tmpfs", "tmpfs", folder], capture_output=True, check=False)
        if done.returncode == 0:
            subprocess.run(["umount", folder], check=True)
    return done.returncode == 0


def campaign(options: argparse.Namespace, home: Path) -> list[Row]:
    """Do the parts that the options name; returns the table's rows."""
    own = Campaign(home, options.quick, options.points, options.seed)
    own.prepare()
    commands = {name: command for name, command in COMMANDS.items() if name in (options.commands or COMMANDS)}
    quick = {name: command for name, command in commands.items() if not (options.quick and command.starts_processes)}
    if "crash" in options.only:
        for name, command in quick.items():
            own.crash(name, command)
    if "random" in options.only:
        chosen = [
            name for name in ("train", "train, folds and swa", "train --overwrite", "pretrain") if name in commands
        ]
        for name in chosen:
            own.kill_at_random(name, commands[name], -(-options.kills // len(chosen)))
    if "full" in options.only:
        if can_mount():
            for name, command in quick.items():
                if not options.quick or name in QUICK_DISKS:
                    own.fill_disk(name, command)
        else:
            print("full: skipped, because this user may not mount a disk in memory", flush=True)
    if "two" in options.only:
        for name, refused in (("train", True), ("pretrain", True), ("preprocess", False)):
            if name in commands:
                own.two_at_once(name, commands[name], refused)
    return own.rows


def run(arguments: list[str] | None = None) -> int:
    """Run the campaign; returns the exit status."""
    parser = argparse.ArgumentParser(prog="chaos", description="kill every command, and look whether anything is lost")
    parser.add_argument("--quick", action="store_true", help="a few points of each command")
    parser.add_argument("--points", type=int, default=10**6, help="crash points of a command, drawn at random")
    parser.add_argument("--kills", type=int, default=12, help="random kills in all")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--commands", nargs="+", choices=list(COMMANDS), metavar="NAME")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    tqdm.set_lock(threading.RLock())  # the default is shared with forks, and a killed one would keep it
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="chaos-") as home:
        rows = campaign(options, Path(os.path.realpath(home)))
    print(table(rows))
    failures = sum(len(row.failures) for row in rows)
    print(f"{sum(row.tries for row in rows)} tries, {failures} did not hold; {time.monotonic() - started:.0f} s")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(run())
