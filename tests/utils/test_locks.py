import json
import os
import re
import socket
import subprocess
import sys
import time

import pytest

from utils.errors import UserError
from utils.locks import locked

HOLDER = """
import sys, time
from pathlib import Path
from utils.locks import locked
with locked(Path(sys.argv[1]), "it", "wait"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    """A process that holds the lock."""
    child = subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path / "lock")], stdout=subprocess.PIPE, text=True)
    assert child.stdout.readline() == "held\n"
    yield child
    child.kill()
    child.wait()


def test_the_message_names_process_and_host(tmp_path, holder):
    telling = re.escape(f"runs/a: is written to by process {holder.pid} on {socket.gethostname()}; wait until it ends")
    with pytest.raises(UserError, match=telling), locked(tmp_path / "lock", "runs/a", "wait until it ends"):
        pass


def test_the_lock_of_a_killed_process_is_no_obstacle(tmp_path, holder):
    holder.kill()
    holder.wait()
    started = time.monotonic()
    with locked(tmp_path / "lock", "runs/a", "wait"):
        assert json.loads((tmp_path / "lock").read_text()) == {"process": os.getpid(), "host": socket.gethostname()}
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("content", ["", "{", "[]", '{"process": "x"}', "\x00", "[" * 100_000])
def test_whatever_stands_in_a_lock_file_is_no_obstacle(tmp_path, content):
    (tmp_path / "lock").write_text(content)
    with locked(tmp_path / "lock", "runs/a", "wait"):
        pass


def test_a_lock_is_free_after_an_error(tmp_path):
    for _ in range(2):
        with pytest.raises(RuntimeError), locked(tmp_path / "deep" / "lock", "runs/a", "wait"):
            raise RuntimeError
