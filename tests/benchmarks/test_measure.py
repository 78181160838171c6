"""The measuring itself: seconds, memory, and work that fails."""

import json
import time

import pytest

from benchmarks.measure import measure, print_table, save_json

pytestmark = pytest.mark.slow

MIB = 1024 * 1024


def prepare(seconds, mib):
    """Work that takes so long and holds so much above its inputs."""
    inputs = bytes(50 * MIB)

    def work():
        held = bytearray(mib * MIB)
        held[::4096] = b"x" * len(held[::4096])  # touched, or it would not be resident
        time.sleep(seconds)
        return len(inputs) + len(held)

    return work


@pytest.fixture(scope="module")
def figures():
    systems = {"slow": (0.3, 10), "large": (0.01, 80), "too large": (0.0, 4000)}
    return measure(prepare, systems, runs=4, limit_mib=2000)


def test_seconds_are_those_of_a_call(figures):
    """Of one call, not of a turn of several; with room for a machine that is busy with other things."""
    assert 0.3 <= figures["slow"]["seconds"] < 0.6
    assert 0.01 <= figures["large"]["seconds"] < 0.3


def test_the_peak_is_what_calls_need_above_the_inputs(figures):
    assert figures["slow"]["peak_mib"] == pytest.approx(10, abs=5)
    assert figures["large"]["peak_mib"] == pytest.approx(80, abs=5)


def test_work_that_finds_no_memory_is_none(figures):
    assert figures["too large"] is None


def test_the_table_and_the_file(figures, capsys, tmp_path):
    print_table({"shape": figures}, ours="slow")
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 5 and lines[4] == "| shape | too large | does not run | | | |"
    save_json({"shape": figures}, str(tmp_path / "figures.json"))
    assert json.loads((tmp_path / "figures.json").read_text()) == {"shape": figures}
