"""The figures of a source tree: files and lines per folder, settings, signatures that take all settings, prose, sizes.

    python benchmarks/tree.py               this checkout
    python benchmarks/tree.py OTHER         another one, such as an older version to compare with

Only files that git tracks are counted. Nothing of the tree is imported.
"""

from __future__ import annotations

import argparse
import ast
import re
import statistics
import subprocess
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1]
LONG = 300  # lines from which a module probably holds two ideas


def main() -> int:
    """Print the figures, one a line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("tree", nargs="?", type=Path, default=ROOT)
    tree = parser.parse_args().tree
    modules = {path: (tree / path).read_text(encoding="utf-8") for path in tracked(tree, "*.py")}
    folders = Counter(folder_of(path) for path in modules)
    lines = Counter[str]()
    for path, text in modules.items():
        lines[folder_of(path)] += text.count("\n")
    for folder, files in sorted(folders.items()):
        print(f"{folder + ':':<14}{files:>4} files {lines[folder]:>6} lines")
    names, arrows = imports_between_packages(modules)
    print(f"packages and modules at the top: {len(names)}, imports between them: {len(arrows)}, "
          f"both ways: {sum((there, here) in arrows for here, there in arrows) // 2}")  # fmt: skip
    library = {path: text for path, text in modules.items() if folder_of(path) not in ("tests", "benchmarks")}
    taking = {path: count for path, text in library.items() if (count := signatures_with_config(text))}
    print(f"signatures that take Config: {sum(taking.values())} in {len(taking)} files")
    print(f"settings: {settings(modules[Path('config.py')])}")
    print(f"modules of over {LONG} lines: {sum(text.count(chr(10)) > LONG for text in library.values())}")
    words = [len(sentence.split()) for sentence in sentences((tree / "README.md").read_text(encoding="utf-8"))]
    print(f"README: {statistics.mean(words):.1f} words a sentence, {max(words)} at most, "
          f"{sum(count > 25 for count in words)} of {len(words)} over 25")  # fmt: skip
    for name in ("README.md", "README.zh-CN.md", "RESULTS.md"):
        print(f"{name}: {(tree / name).stat().st_size} bytes")
    return 0


def tracked(tree: Path, pattern: str) -> list[Path]:
    """Files of a checkout that git tracks."""
    listed = subprocess.run(["git", "ls-files", "-z", pattern], cwd=tree, capture_output=True, text=True, check=True)
    return [Path(name) for name in listed.stdout.split("\0") if name and (tree / name).exists()]


def folder_of(path: Path) -> str:
    return path.parts[0] if len(path.parts) > 1 else "top level"


def imports_between_packages(modules: dict[Path, str]) -> tuple[set[str], set[tuple[str, str]]]:
    """The packages and modules at the top of the tree, and which of them imports which. Tests are left out."""
    top = {path.parts[0].removesuffix(".py") for path in modules} - {"tests", "conftest", "docs", "notebook"}
    arrows = set()
    for path, source in modules.items():
        here = path.parts[0].removesuffix(".py")
        for node in ast.walk(ast.parse(source)):
            named = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            named += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
            arrows |= {(here, name.split(".")[0]) for name in named if name.split(".")[0] in top - {here}}
    return top, {(here, there) for here, there in arrows if here in top}


def signatures_with_config(source: str) -> int:
    """How many functions have a parameter whose type names `Config`."""
    signatures = [node.args for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)]
    return sum(
        any(one.annotation and re.search(r"\bConfig\b", ast.unparse(one.annotation))
            for one in (*own.posonlyargs, *own.args, *own.kwonlyargs))
        for own in signatures
    )  # fmt: skip


def settings(source: str) -> int:
    """Fields of all sections in config.py. A corpus counts as one setting."""
    sections = [node for node in ast.parse(source).body if isinstance(node, ast.ClassDef)]
    return sum(
        isinstance(field, ast.AnnAssign)
        for section in sections if section.name not in ("Config", "CorpusConfig")
        for field in section.body
    )  # fmt: skip


def sentences(markdown: str) -> list[str]:
    """Prose sentences, without code blocks, tables and headings. Inline code and the target of a link are one word."""
    text = re.sub(r"^```.*?^```$", "", markdown, flags=re.DOTALL | re.MULTILINE)
    text = re.sub(r"`[^`]*`", "code", re.sub(r"\]\([^)]*\)", "]", text))
    prose = "\n".join(line for line in text.splitlines() if not line.startswith(("|", "#", "![")))
    return [one for one in re.split(r"(?<=[.!?:])\s+|\n\s*\n|\n(?=[-*] )", prose) if len(one.split()) > 1]


if __name__ == "__main__":
    sys.exit(main())
