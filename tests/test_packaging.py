"""What pyproject.toml says of the package is what the tree holds."""

import importlib
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_scripts_are_functions_that_return_a_status():
    for target in PROJECT["project"]["scripts"].values():
        module, _, function = target.partition(":")
        assert importlib.import_module(module)
        assert callable(getattr(importlib.import_module(module), function))


def test_every_package_and_module_is_packed():
    packed = {pattern.rstrip("*") for pattern in PROJECT["tool"]["setuptools"]["packages"]["find"]["include"]}
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert packages - packed == {"benchmarks"}  # which only a checkout needs
    modules = {path.stem for path in ROOT.glob("*.py")}
    assert modules - set(PROJECT["tool"]["setuptools"]["py-modules"]) == {"conftest"}
    without = [path.parent for package in packed for path in (ROOT / package).rglob("*.py")
               if not (path.parent / "__init__.py").exists()]  # fmt: skip
    assert not without  # or setuptools would leave the folder out


def test_versions_are_listed_once_and_pinned_with_a_reason():
    assert PROJECT["tool"]["setuptools"]["dynamic"]["dependencies"] == {"file": ["requirements.txt"]}
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    for line in (line for line in lines if not line.startswith("#")):
        assert re.fullmatch(r"[a-z0-9-]+==[0-9.]+ +# .+", line), line


def test_the_install_script_asks_for_the_same_python():
    least = PROJECT["project"]["requires-python"].removeprefix(">=")
    assert f"({', '.join(least.split('.'))})" in (ROOT / "set_env.sh").read_text(encoding="utf-8")
