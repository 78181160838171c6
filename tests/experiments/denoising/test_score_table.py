"""The table of scores: a line for each run and part, and the difference to the first run where the labels are equal."""

import re

from experiments.denoising.score_table import score_table
from utils.files import write_json


def write(folder, part, counts, digest="a"):
    right, predicted, labelled = map(sum, zip(*counts, strict=True))
    precision, recall = right / predicted, right / labelled
    micro = {"precision": precision, "recall": recall, "f1": 2 * right / (predicted + labelled)}
    write_json(folder / f"{part}.json", {"micro": micro, "by_document": counts, "digest": digest})


def test_every_part_has_its_own_difference(tmp_path):
    first, clean = (tmp_path / name / "eval" for name in ("first", "clean"))
    write(first, "dev", [[1, 2, 2]] * 10)
    write(first, "gold_b", [[1, 2, 2]] * 10)
    write(clean, "dev", [[2, 2, 2]] * 10)
    write(clean, "gold_b", [[1, 2, 2]] * 10, digest="other labels")
    header, *lines = score_table([first, clean]).splitlines()
    assert header.split()[:5] == ["run", "part", "precision", "recall", "F1"]
    assert [line.split()[:5] for line in lines] == [
        ["first", "dev", "0.5000", "0.5000", "0.5000"],
        ["first", "gold_b", "0.5000", "0.5000", "0.5000"],
        ["clean", "dev", "1.0000", "1.0000", "1.0000"],
        ["clean", "gold_b", "0.5000", "0.5000", "0.5000"],
    ]
    gains = [re.findall(r"[+-][\d.]+", line) for line in lines]
    assert gains == [[], [], ["+0.5000", "+0.5000", "+0.5000"], []], "all documents gain alike"


def test_without_scores_it_says_so():
    assert score_table([]) == "no dev part, so there are no scores"
