"""Measures the strength of the tests: breaks lines of model/ and data/ one at a time, and counts failing tests.

    python benchmarks/mutation.py --lines 30 --seed 1

Lines are drawn at random. A break changes an operator or a number, leaves a statement out, or returns None. The tests
run in a copy of the project: first those of the same folder, then all others. A break that no test notices is printed
as SURVIVED: a test is missing, or the line makes no difference.
"""

from __future__ import annotations

import argparse
import ast
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
LEFT_OUT = shutil.ignore_patterns(
    ".venv", ".git", "runs", "out", "origin", "addition", "processed", "vectors", ".*_cache"
)
OPERATORS = {
    ast.Lt: "<=", ast.LtE: "<", ast.Gt: ">=", ast.GtE: ">", ast.Eq: "!=", ast.NotEq: "==", ast.In: "not in",
    ast.NotIn: "in", ast.Is: "is not", ast.IsNot: "is", ast.Add: "-", ast.Sub: "+", ast.Mult: "/", ast.Div: "*",
    ast.FloorDiv: "*", ast.Mod: "//", ast.And: "or", ast.Or: "and", ast.BitAnd: "|", ast.BitOr: "&",
}  # fmt: skip


class Break(NamedTuple):
    """One way to break a line: the text from `begin` to `end` (offsets in the file) is replaced."""

    path: Path
    line: int
    begin: int
    end: int
    replacement: str

    def broken(self, source: str) -> str:
        return source[: self.begin] + self.replacement + source[self.end :]

    def describe(self, source: str) -> str:
        was = " ".join(source[self.begin : self.end].split())
        return f"{self.path}:{self.line} `{was}` -> `{self.replacement.strip()}`"


def main() -> int:
    """Break, test and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--lines", type=int, default=30, help="how many lines to break; default: 30")
    parser.add_argument("--seed", type=int, default=1, help="of the draw; default: 1")
    parser.add_argument("--processes", type=int, default=2, help="test processes; default: 2")
    options = parser.parse_args()
    sources = {path: path.read_text(encoding="utf-8") for path in source_files()}
    chosen = draw(sources, options.lines, random.Random(options.seed))
    caught = 0
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "project"
        shutil.copytree(ROOT, copy, ignore=LEFT_OUT)
        for number, one in enumerate(chosen, start=1):
            place, source = copy / one.path, sources[ROOT / one.path]
            place.write_text(one.broken(source), encoding="utf-8")
            started = time.perf_counter()
            noticed_by = first_failure(copy, one.path, options.processes)
            place.write_text(source, encoding="utf-8")
            caught += noticed_by is not None
            print(f"[{number}/{len(chosen)}] {one.describe(source)}: {noticed_by or 'SURVIVED'} "
                  f"({time.perf_counter() - started:.0f} s)", flush=True)  # fmt: skip
    print(f"{caught} of {len(chosen)} breaks were noticed (seed {options.seed})")
    return 0


def source_files() -> list[Path]:
    """Every module of model/ and data/ that holds code."""
    return sorted(path for folder in ("model", "data") for path in (ROOT / folder).rglob("*.py") if path.stat().st_size)


def draw(sources: dict[Path, str], count: int, random_lines: random.Random) -> list[Break]:
    """Breaks of that many random lines, one a line."""
    of_line: dict[tuple[Path, int], list[Break]] = {}
    for path, source in sources.items():
        for one in breaks(path.relative_to(ROOT), source):
            of_line.setdefault((one.path, one.line), []).append(one)
    places = random_lines.sample(sorted(of_line), count)
    return [random_lines.choice(of_line[place]) for place in places]


def breaks(path: Path, source: str) -> Iterator[Break]:
    """Every way to break a module. Docstrings, imports, annotations and definitions themselves are left alone."""
    starts = [0]
    for text in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(text.encode()))
    encoded = source.encode()

    def offset(line: int, column: int) -> int:
        return len(encoded[: starts[line - 1] + column].decode())

    def between(left: ast.expr, right: ast.expr, operator: type, line: int) -> Iterator[Break]:
        """The break of an operator, if only brackets and line ends are beside it between its operands."""
        begin = offset(left.end_lineno or left.lineno, left.end_col_offset or 0)
        end = offset(right.lineno, right.col_offset)
        if operator in OPERATORS and "#" not in source[begin:end]:
            gap = source[begin:end]
            bare = gap.strip("()\n\t []")
            if bare:
                place = begin + gap.index(bare)
                yield Break(path, line, place, place + len(bare), OPERATORS[operator])

    for node in code_nodes(ast.parse(source)):
        if isinstance(node, ast.Compare) and len(node.ops) == 1:
            yield from between(node.left, node.comparators[0], type(node.ops[0]), node.lineno)
        elif isinstance(node, ast.BinOp):
            yield from between(node.left, node.right, type(node.op), node.lineno)
        elif isinstance(node, ast.BoolOp):
            yield from between(node.values[0], node.values[1], type(node.op), node.lineno)
        elif isinstance(node, ast.Constant) and isinstance(node.value, (bool, int, float)):
            begin, end = offset(node.lineno, node.col_offset), offset(node.lineno, node.end_col_offset or 0)
            value = str(not node.value) if isinstance(node.value, bool) else repr(node.value + 1)
            yield Break(path, node.lineno, begin, end, value)
        elif isinstance(node, (ast.Assign, ast.AugAssign, ast.Expr, ast.Raise)):
            begin = offset(node.lineno, node.col_offset)
            yield Break(path, node.lineno, begin, offset(node.end_lineno or 0, node.end_col_offset or 0), "pass")
        elif isinstance(node, ast.Return) and node.value is not None:
            begin = offset(node.value.lineno, node.value.col_offset)
            end = offset(node.value.end_lineno or 0, node.value.end_col_offset or 0)
            yield Break(path, node.lineno, begin, end, "None")


def code_nodes(module: ast.Module) -> Iterator[ast.AST]:
    """The nodes that do something when the program runs: no docstring, no annotation, no `if TYPE_CHECKING`."""
    waiting: list[ast.AST] = list(module.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, (ast.Import, ast.ImportFrom, ast.JoinedStr)):
            continue
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            continue
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            continue
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            waiting += node.body
            continue
        if isinstance(node, ast.AnnAssign):
            waiting += [node.value] if node.value else []
            continue
        yield node
        waiting += ast.iter_child_nodes(node)


def first_failure(copy: Path, broken: Path, processes: int) -> str | None:
    """The test that notices, or None. Tests that probably do come first: those of the same folder, and fast ones."""
    near = copy / "tests" / broken.parent
    while not near.is_dir() or not any(near.glob("test_*.py")):
        near = near.parent
    variables = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    others = [str(copy / "tests"), f"--ignore={near}"]
    for arguments in (["-m", "not slow", str(near)], ["-m", "not slow", *others], ["-m", "slow", str(near)],
                      ["-m", "slow", *others]):  # fmt: skip
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", f"--numprocesses={processes}",
             "--dist=loadfile", "--tb=no", *arguments],
            cwd=copy, capture_output=True, text=True, env=variables,
        )  # fmt: skip
        if done.returncode not in (0, 5):
            lines = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
            return lines[0].split(" - ")[0] if lines else f"pytest ended with status {done.returncode}"
    return None


if __name__ == "__main__":
    sys.exit(main())
