"""Commands in processes of their own: what they print, how they fail."""

import pytest

from experiments.commands import run_script

pytestmark = pytest.mark.slow


def test_a_command_adds_what_it_prints_to_its_log_and_returns_the_last_line_of_a_failure(tmp_path):
    log, folder = tmp_path / "logs" / "log", tmp_path / "sample"
    assert run_script(log, "preprocess.py", "--sample", "4", f"--sample-folder={folder}") == ""
    printed = log.read_text(encoding="utf-8")
    assert printed.startswith(f"wrote {folder}: 4 training documents")
    failure = run_script(log, "preprocess.py", "--sample", "3")
    assert failure == "preprocess.py: --sample 3: a sample corpus needs at least 4 documents"
    assert log.read_text(encoding="utf-8") == f"{printed}{failure}\n"
    assert run_script(log, "main.py", "--mode", "nothing").startswith("main.py: ")
