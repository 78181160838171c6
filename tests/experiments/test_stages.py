"""Stages are done once, and again from where something has changed."""

from dataclasses import replace

import pytest

from experiments.stages import Plan, Stage
from utils.errors import UserError


class Chain:
    """Three stages, each of which writes what the one before wrote and its own name; and what was done."""

    def __init__(self, folder):
        self.folder, self.done, self.setting, self.fails = folder, [], 1, None
        (folder / "0").write_text("begin")

    def plan(self):
        return Plan(self.folder, [self.stage(number) for number in (1, 2, 3)])

    def stage(self, number):
        before, after = self.folder / str(number - 1), self.folder / str(number)

        def work():
            if self.fails == number:
                raise UserError("failed")
            after.write_text(before.read_text() + f" {number}:{self.setting if number == 2 else ''}")
            self.done.append(number)

        settings = self.setting if number == 2 else None
        return Stage(f"stage {number}", f"writes {number}", work, [before], [after], settings)

    def run(self):
        self.done = []
        self.plan().run()
        return self.done


@pytest.fixture
def chain(tmp_path):
    return Chain(tmp_path)


def test_nothing_is_done_twice(chain):
    assert chain.run() == [1, 2, 3]
    assert chain.run() == []


def test_what_has_changed_is_done_again_from_there_on(chain):
    chain.run()
    (chain.folder / "2").write_text("corrected by hand")
    assert chain.run() == [3], "the stage that wrote it does not undo the correction"
    assert (chain.folder / "3").read_text().startswith("corrected by hand")
    chain.setting = 2
    assert chain.run() == [2, 3]
    (chain.folder / "0").write_text("other")
    assert chain.run() == [1, 2, 3]


def test_an_input_that_comes_out_the_same_changes_nothing(chain):
    chain.run()
    (chain.folder / "1").unlink()
    assert chain.run() == [1]


def test_a_stage_that_was_stopped_is_done_again_and_those_before_are_not(chain):
    chain.fails = 2
    with pytest.raises(UserError):
        chain.run()
    assert chain.done == [1]
    (chain.folder / "2").write_text("half")
    chain.fails = None
    assert chain.run() == [2, 3]


def test_a_stage_that_was_stopped_with_other_settings_is_not_taken_for_done(chain):
    chain.run()
    chain.setting, chain.fails = 2, 2
    with pytest.raises(UserError):
        chain.run()
    (chain.folder / "2").write_text("half of it with the other setting")
    chain.setting, chain.fails = 1, None
    assert chain.run() == [2]
    assert (chain.folder / "2").read_text() == "begin 1: 2:1"


def test_what_changes_during_the_work_is_not_what_a_stage_was_made_from(chain):
    first = chain.stage(1)

    def work():
        first.work()
        (chain.folder / "0").write_text("later")

    Plan(chain.folder, [replace(first, work=work)]).run()
    assert chain.run()[0] == 1


def test_an_input_that_is_gone_is_one_line(chain):
    (chain.folder / "0").unlink()
    with pytest.raises(UserError, match="no such file"):
        chain.run()


def test_the_plan_says_what_is_done_and_what_follows_from_it(chain):
    def states():
        return [line.split("] ")[1].split("  ")[0].split(" stage")[0].strip() for line in chain.plan().describe()]

    assert states() == ["to do"] * 3
    chain.run()
    assert states() == ["done"] * 3
    chain.setting = 2
    assert states() == ["done", "to do", "to do"], "the third will find another input"
    assert chain.plan().describe()[1].endswith("stage 2: writes 2")
    assert not (chain.folder / "4").exists() and chain.done == [1, 2, 3], "describing does nothing"


def test_a_damaged_record_is_one_line(chain):
    chain.run()
    (chain.folder / "stages.json").write_text("{")
    with pytest.raises(UserError, match="remove it"):
        chain.run()
