"""Labels are measured on gold, and the rates that are measured give such noise again."""

import csv
import hashlib
import io
import json
from dataclasses import asdict

import pytest

import preprocess
from data.corpus.document import Document, to_jsonl
from data.metrics import score_spans
from data.noise.label_errors import ERROR_KINDS, count_errors
from data.noise.noise import NoiseRates, add_noise
from data.noise.quality import measure_quality, rates_record, read_rates_like
from data.sample.sample import make_documents
from data.spans import Span, fit_in_chains
from utils.errors import UserError

RATES = {"name": NoiseRates(0.3, 0.1, 0.2, 0.1), "position": NoiseRates(0.1, 0.0, 0.4, 0.0)}
OTHERS = NoiseRates(0.15, 0.05, 0.1, 0.05)


@pytest.fixture(scope="module")
def truth():
    """Documents of the sample without overlapping labels, as gold labels must be."""
    documents = make_documents(400, 3, "train")
    return [Document(one.id, one.text, tuple(sorted(fit_in_chains(one.spans, lambda span: 0)[0],
                                                    key=lambda span: span.begin))) for one in documents]  # fmt: skip


@pytest.fixture(scope="module")
def quality(truth):
    noisy = add_noise(truth, OTHERS, 1, RATES)
    return measure_quality(noisy, {place: one.spans for place, one in enumerate(truth)})


def test_scores_and_kinds_are_those_of_a_plain_count(truth, quality):
    noisy = add_noise(truth, OTHERS, 1, RATES)
    scores = score_spans([one.spans for one in truth], [one.spans for one in noisy])
    assert quality.scores.micro == scores.micro and quality.documents == len(truth)
    assert quality.kinds == count_errors(truth, noisy)
    assert len(quality.errors) == sum(len(set(one.spans) ^ set(other.spans)) for one, other in
                                      zip(truth, noisy, strict=True)) - sum(
        bool(one.error.true and one.error.noisy) for one in quality.errors)  # fmt: skip


def test_only_documents_with_gold_labels_are_looked_at(truth):
    measured = measure_quality(truth, {3: truth[3].spans, 5: ()})
    assert measured.documents == 2
    assert measured.scores.micro.labelled == len(truth[3].spans)
    assert measured.scores.micro.predicted == len(truth[3].spans) + len(truth[5].spans)


def test_injecting_the_measured_rates_gives_as_many_errors_again(truth, quality):
    again = count_errors(truth, add_noise(truth, NoiseRates(), 2, quality.rates))
    for category, kinds in quality.kinds.items():
        for kind in ERROR_KINDS:
            one, other = kinds[kind], again.get(category, {}).get(kind, 0)
            assert abs(one - other) <= 5 + 4 * max(one, other) ** 0.5, (category, kind, one, other)
    assert quality.rates["name"].missing == pytest.approx(0.3, abs=0.05)
    assert quality.rates["position"].boundary == pytest.approx(0.4, abs=0.08)


def test_rates_are_read_back(tmp_path, quality):
    (tmp_path / "like.json").write_text(json.dumps(rates_record(quality)))
    assert read_rates_like(tmp_path / "like.json", list(quality.rates)) == quality.rates


def test_a_rate_of_one_can_be_injected():
    text = "张三在北京"
    measured = measure_quality([Document("0", text)], {0: (Span("name", 0, 1),)})
    assert measured.rates == {"name": NoiseRates(missing=0.99)}


@pytest.mark.parametrize(
    ("content", "telling"),
    [
        ('{"rates": {"nmae": {"missing": 0.1}}}', "rates of nmae, a category that the corpus does not have.*name"),
        ('{"rates": {"name": {"missing": 2}}}', "holds no noise rates of categories"),
        ('{"rates": {"name": {"lost": 0.1}}}', "holds no noise rates of categories"),
        ('{"rates": []}', "holds no noise rates of categories"),
        ("[]", "holds no noise rates of categories"),
        ("{", "damaged"),
    ],
)
def test_a_preset_that_does_not_fit_is_refused(tmp_path, content, telling):
    (tmp_path / "like.json").write_text(content)
    with pytest.raises(UserError, match=telling):
        read_rates_like(tmp_path / "like.json", ["name"])


# -------------------------------------------------------------------------------------------------------- the command


@pytest.fixture
def files(tmp_path):
    documents = [
        Document("a", "=张三在北京见李四", (Span("name", 0, 2), Span("place", 4, 5), Span("name", 7, 8))),
        Document("b", "王五", (Span("name", 0, 1),)),
    ]
    gold = [Span("name", 1, 2), Span("place", 4, 5)]
    line = {"id": "a", "sha256": hashlib.sha256(documents[0].text.encode()).hexdigest()[:16],
            "entities": [{"category": one.category, "pos_b": one.begin, "pos_e": one.end} for one in gold]}  # fmt: skip
    (tmp_path / "labels.jsonl").write_text(to_jsonl(documents))
    (tmp_path / "gold.jsonl").write_text(json.dumps(line) + "\n")
    return ["--quality", str(tmp_path / "labels.jsonl"), "--gold", str(tmp_path / "gold.jsonl")]


def test_the_command_prints_counts_and_no_text_unasked(files, capsys):
    assert preprocess.main(files) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[-4].split() == ["micro", "0.3333", "0.5000", "0.4000", "2", "3", "0", "0", "1", "1"]
    assert "李四" not in out
    assert preprocess.main([*files, "--examples", "1"]) == 0
    assert "label name '李四'" in capsys.readouterr().out


def test_errors_are_written_as_a_table_that_a_spreadsheet_does_not_compute(files, tmp_path):
    assert preprocess.main([*files, "--output", str(tmp_path / "out")]) == 0
    table = (tmp_path / "out" / "errors.csv").read_bytes().decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(table)))
    assert [(row["kind"], row["gold_text"], row["label_text"]) for row in rows] == [
        ("boundary", "张三", "'=张三"), ("spurious", "", "李四")
    ]  # fmt: skip
    assert rows[1]["before"] == "'=张三在北京见" and rows[0]["after"] == "在北京见李四"
    rates = json.loads((tmp_path / "out" / "noise_like.json").read_text())["rates"]
    assert rates["name"] == asdict(NoiseRates(boundary=0.99, spurious=0.99))


def test_measured_rates_make_a_noisy_copy(files, tmp_path, capsys):
    preprocess.main([*files, "--output", str(tmp_path / "out")])
    like = ["--noise-like", str(tmp_path / "out" / "noise_like.json")]
    assert preprocess.main(["--noise", files[1], *like, "--noise-rate", "name:spurious=0", "--output",
                            str(tmp_path / "copy")]) == 0  # fmt: skip
    rates = json.loads((tmp_path / "copy" / "noise.json").read_text())["category_rates"]["name"]
    assert (rates["boundary"], rates["spurious"]) == (0.99, 0.0)


def test_gold_labels_must_be_named(files, capsys):
    assert preprocess.main(files[:2]) == 2
    assert "--quality needs --gold FILE" in capsys.readouterr().err
