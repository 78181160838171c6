"""A child ends with its parent, whether that ends by itself or is killed."""

import os
import signal
import subprocess
import sys
import time

import pytest

from utils.leftovers import is_running
from utils.lifeline import run_child

CHILD = "import sys, time; from utils.lifeline import follow_parent; follow_parent(); print(1, flush=True); {}"
PARENT = """
import os, sys
from utils.lifeline import run_child
run_child([sys.executable, "-c", "import os; print(os.getpid(), flush=True);" + sys.argv[1]], sys.stdout.buffer)
"""

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGTERM])
def test_the_child_of_a_killed_parent_ends(sent):
    work = CHILD.format("time.sleep(60)")
    parent = subprocess.Popen([sys.executable, "-c", PARENT, work], stdout=subprocess.PIPE, text=True)
    child = int(parent.stdout.readline())
    assert parent.stdout.readline() == "1\n" and is_running(child)
    os.kill(parent.pid, sent)
    parent.wait()
    until = time.monotonic() + 10
    while is_running(child) and time.monotonic() < until:
        time.sleep(0.05)
    assert not is_running(child)


@pytest.mark.parametrize("status", [0, 2])
def test_the_status_of_a_child_is_told(tmp_path, status):
    with (tmp_path / "log").open("wb") as log:
        assert run_child([sys.executable, "-c", CHILD.format(f"sys.exit({status})")], log) == status
    assert (tmp_path / "log").read_text() == "1\n"
