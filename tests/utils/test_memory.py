"""Peak memory, against what Linux says of the process."""

import subprocess
import sys
from pathlib import Path

import pytest

from utils.memory import peak_memory_mib


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells it a second way")
def test_peak_memory_is_in_mebibytes():
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    mebibytes = int(status["VmHWM"].split()[0]) / 1024
    assert peak_memory_mib() == pytest.approx(mebibytes, rel=0.1)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="elsewhere a child may count what its parent holds")
def test_peak_memory_is_that_of_the_process_alone():
    held = bytearray(b"x" * 400 * 2**20)
    code = "from utils.memory import peak_memory_mib; print(peak_memory_mib())"
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 5 < float(child.stdout) < len(held) / 2**20 / 2
