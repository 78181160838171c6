"""Decisions are measured on true labels, joined by id and text."""

from dataclasses import replace

import pytest

from data.corpus.document import Document, to_jsonl
from data.spans import Span
from experiments.denoising.decision_table import write_report
from experiments.denoising.decisions import Decision
from experiments.denoising.files import DenoiseFiles, write_documents
from experiments.denoising.known_truth import describe_truth, truth_stage, with_true_labels
from experiments.denoising.votes import Tally
from utils.errors import UserError

TRUE = [
    Document("0", "张三在北京见李四", (Span("name", 0, 1), Span("place", 3, 4), Span("name", 6, 7))),
    Document("1", "王五"),
]
NOISY = [
    replace(TRUE[0], spans=(Span("name", 0, 1), Span("name", 3, 4))),
    replace(TRUE[1], spans=(Span("name", 0, 0),)),
]


def decided(document, kind, *span):
    return Decision(document, kind, Span(*span), Tally(0, 2, 0.01), 0.01, "mask")


def test_decisions_and_labels_are_counted_against_the_truth(tmp_path):
    files = DenoiseFiles(tmp_path)
    write_documents(files.train, NOISY)
    truth = tmp_path / "truth.jsonl"
    truth.write_text(to_jsonl(reversed(TRUE)), encoding="utf-8")
    decisions = [decided("0", "doubtful", "name", 3, 4), decided("0", "doubtful", "name", 0, 1),
                 decided("0", "missing", "place", 3, 4)]  # fmt: skip
    write_report(decisions, NOISY, files.round(1).folder, "title")
    truth_stage(files, 1, truth).work()
    # Doubtful: one of two is wrong, and one of two wrong labels is found. Missing: one of one, one of two. As they
    # came: one of three labels is right, of three true ones. Cleaned: place is right, the others are 王 and nothing.
    expected = [("doubtful labels", 0.5, 0.5, 0.5), ("missing spans", 1, 0.5, 2 / 3),
                ("labels as they came", 1 / 3, 1 / 3, 1 / 3), ("cleaned labels", 0.5, 1 / 3, 0.4)]  # fmt: skip
    lines = describe_truth(files.round(1).truth).splitlines()[1:]
    assert lines == [f"{name:<20}{p:>10.4f}{r:>10.4f}{f1:>10.4f}" for name, p, r, f1 in expected]


def test_the_truth_of_other_texts_is_refused(tmp_path):
    truth = tmp_path / "truth.jsonl"
    truth.write_text(to_jsonl([TRUE[0], replace(TRUE[1], text="王六")]), encoding="utf-8")
    with pytest.raises(UserError, match="no document '1' with the text of the training corpus"):
        with_true_labels(NOISY, truth)
