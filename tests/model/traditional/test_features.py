"""Features of characters, written out for one short text."""

import numpy as np
import pytest

from data.lattice.lattice import LatticeSlice
from model.traditional.features import features_of, kind_of


@pytest.mark.parametrize(
    ("characters", "kind"),
    [("天々", "c"), ("19９", "d"), ("aZＡé", "a"), ("，.（@", "p"), (" \n\u3000", "s"), ("\x00〇", "o")],
)
def test_kinds(characters, kind):
    assert [kind_of(one) for one in characters] == [kind] * len(characters)


def test_the_features_of_a_text_of_three():
    words = ["天地", "天地玄", "玄"]
    lattice = LatticeSlice(np.zeros(3), *(np.array(row) for row in ([1, 2, 3], [0, 0, 2], [1, 2, 2])))
    first, second, third = features_of("天地玄", lattice, words)
    assert first == [
        "1", "c-2=<s>", "c-1=<s>", "c0=天", "c1=地", "c2=玄", "c-2-1=<s><s>", "c-10=<s>天", "c01=天地", "c12=地玄",
        "c-11=<s>地", "k=c", "k3=^cc", "k5=^^ccc", "wB2", "wB=天地", "wB3", "wB=天地玄",
    ]  # fmt: skip
    assert second[-4:] == ["k5=^ccc$", "wE2", "wE=天地", "wM3"]
    assert third[-3:] == ["wE3", "wE=天地玄", "wS"]
    assert features_of("天", LatticeSlice(np.zeros(1), *(np.zeros(0, int),) * 3), [])[0][-1] == "wO"
    assert "c0=U+000A" in features_of("\n", LatticeSlice(np.zeros(1), *(np.zeros(0, int),) * 3), [])[0]
    assert features_of("", LatticeSlice(*(np.zeros(0, int),) * 4), []) == []


def test_the_features_of_tags():
    lattice = LatticeSlice(np.zeros(3), *(np.zeros(0, int),) * 3, np.array([0, 1, 1]))
    without = LatticeSlice(*lattice[:4])
    plain, rows = (features_of("天地玄", own, [], ["B-n", "E-n"]) for own in (without, lattice))
    added = [row[len(other) :] for row, other in zip(rows, plain, strict=True)]
    assert [row[: len(other)] for row, other in zip(rows, plain, strict=True)] == plain
    assert added[0] == ["t-1=<s>", "t0=B-n", "t1=E-n", "t-10=<s>B-n", "t01=B-nE-n"]
    assert added[2] == ["t-1=E-n", "t0=E-n", "t1=</s>", "t-10=E-nE-n", "t01=E-n</s>"]
