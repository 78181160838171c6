"""Properties of what is read and written, over inputs that hypothesis draws.

Labels equal their slice of the text; what is refused leaves nothing; what is written comes back.
"""

from __future__ import annotations

import json
import string
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from config import Config, CorpusConfig, from_dict, load_config, to_dict
from data.batches.tags import TagScheme
from data.corpus.document import Document, to_jsonl
from data.corpus.formats import read_corpus, writers
from data.corpus.label_check import check_label
from data.lattice.segment import cut_spans, segment_bounds
from data.problems import Problems
from data.spans import JudgedSpan, Span, fit_in_chains, sorted_spans
from experiments.denoising.decision_table import read_decisions, write_report
from experiments.denoising.decisions import Decision, apply_decisions
from experiments.denoising.votes import Tally, count_votes
from model.reading.vote_files import write_votes
from utils.errors import UserError
from utils.recorded_files import RecordedFiles, read_sealed, write_sealed
from utils.yaml_files import YamlError, parse_yaml

settings.register_profile(
    "tests", max_examples=60, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
settings.load_profile("tests")

CHARACTERS = st.one_of(
    st.sampled_from("张伟，。电话 \n\r\t\u3000\u2028\ufeff😀=+-@'\"<[{&*!:#,0"),
    st.characters(exclude_categories=["Cs"]),
)
TEXTS = st.text(CHARACTERS, min_size=1, max_size=60).filter(lambda text: text.strip())
CATEGORIES = st.sampled_from(["name", "公司", "x y", "a-b"])


@st.composite
def documents(draw: st.DrawFn) -> list[Document]:
    """Documents with spans that may overlap."""
    found = []
    for number in range(draw(st.integers(1, 3))):
        text = draw(TEXTS)
        spans = []
        for _ in range(draw(st.integers(0, 4))):
            begin = draw(st.integers(0, len(text) - 1))
            spans.append(Span(draw(CATEGORIES), begin, draw(st.integers(begin, min(begin + 6, len(text) - 1)))))
        found.append(Document(f"{number}", text, sorted_spans(spans)))
    return found


# ------------------------------------------------------------------------------------------------------------ corpora


@given(documents())
def test_documents_come_back_from_json_lines(tmp_path: Path, given_documents: list[Document]) -> None:
    (tmp_path / "a.jsonl").write_text(to_jsonl(given_documents), encoding="utf-8", newline="")
    read = read_corpus(CorpusConfig(path=str(tmp_path / "a.jsonl"), format="jsonl"), Problems(), "either")
    assert read == given_documents


@pytest.mark.parametrize("to", sorted(writers()))
@given(given_documents=documents())
def test_what_a_writer_writes_is_read_and_every_label_is_its_slice(
    tmp_path_factory: pytest.TempPathFactory, to: str, given_documents: list[Document]
) -> None:
    output, problems = tmp_path_factory.mktemp("written") / "out", Problems()
    if writers()[to].folder:
        output.mkdir()
    writers()[to].write(given_documents, output, problems)
    form = {"bio": "bmes", "bmes": "bmes", "datasets": "tokens"}.get(to, to)
    try:
        read = read_corpus(CorpusConfig.model_validate({"path": str(output), "format": form}), Problems(), "either")
    except UserError:  # nothing could be written
        assert problems.counts or not any(document.spans for document in given_documents)
        return
    before = {document.text.strip() for document in given_documents}
    for document in read:
        assert all(0 <= span.begin <= span.end < len(document.text) for span in document.spans)
    if to == "jsonl":
        assert {document.text.strip() for document in read} == before


@given(TEXTS, st.one_of(st.none(), st.integers(), st.text(max_size=4)), st.one_of(st.integers(), st.text(max_size=30)),
       st.one_of(st.none(), TEXTS))  # fmt: skip
@example("张伟", 0, "9" * 5000, None)
def test_a_label_is_its_slice_or_is_reported(text: str, begin: object, end: object, expected: str | None) -> None:
    problems = Problems()
    span = check_label(text, "name", begin, end, expected, "a:1", problems)
    if span is None:
        assert problems.counts.total() == 1
    else:
        found = text[span.begin : span.end + 1]
        assert found and (expected is None or "".join(found.split()) == "".join(expected.split()))


@given(st.binary(max_size=300), st.sampled_from(["jsonl", "bmes", "doccano", "labelstudio", "cluener", "auto"]))
@example(b"[" * 100_000, "auto")
@example(b'{"text": "a", "entities": [' + b"9" * 5000 + b"]}", "jsonl")
def test_any_bytes_are_read_or_refused(tmp_path: Path, raw: bytes, form: str) -> None:
    (tmp_path / "corpus").write_bytes(raw)
    try:
        read_corpus(
            CorpusConfig.model_validate({"path": str(tmp_path / "corpus"), "format": form}), Problems(), "either"
        )
    except UserError as error:
        assert all("\n" not in line and len(line) < 800 for line in error.lines)


# ------------------------------------------------------------------------------------------------- tags and segments


@given(documents(), st.sampled_from(["per_type", "bmes"]))
def test_tags_hold_exactly_the_spans_that_fit(given_documents: list[Document], scheme: str) -> None:
    tags = TagScheme(scheme, ["name", "公司", "x y", "a-b"])
    for document in given_documents:
        encoded, _ = tags.encode(document.spans, len(document.text))
        held, _ = fit_in_chains(document.spans, lambda span: span.category if scheme == "per_type" else 0)
        assert set(tags.decode(encoded)) == set(held)


@given(documents(), st.integers(2, 30))
def test_segments_join_to_the_text_and_no_span_is_cut_unless_it_is_reported(
    given_documents: list[Document], longest: int
) -> None:
    for document in given_documents:
        bounds = segment_bounds(document.text, document.spans, longest)
        assert "".join(document.text[begin:end] for begin, end in bounds) == document.text
        assert all(0 < end - begin <= longest for begin, end in bounds)
        whole = [span for span in document.spans if any(b <= span.begin and span.end < e for b, e in bounds)]
        assert set(whole) | set(cut_spans(document.spans, bounds)) == set(document.spans)


# ---------------------------------------------------------------------------------------------------------- denoising


@given(documents())
def test_votes_come_back(tmp_path: Path, given_documents: list[Document]) -> None:
    judged = [[JudgedSpan(*span, 0.5, True) for span in document.spans] for document in given_documents]
    write_votes(tmp_path / "votes.jsonl", given_documents, judged)
    for document in given_documents:
        ballot = count_votes([tmp_path / "votes.jsonl"] * 2)[document.id]
        assert ballot.voters == 2 and ballot.spans == {span: Tally(2, 2, 0.5) for span in document.spans}


@given(documents(), st.data())
def test_decisions_come_back_and_leave_what_they_do_not_name(
    tmp_path: Path, given_documents: list[Document], data: st.DataObject
) -> None:
    decisions = [
        Decision(document.id, "doubtful", span, Tally(0, 4, 0.25), 0.25, data.draw(st.sampled_from(["keep", "remove"])))
        for document in given_documents for span in document.spans if data.draw(st.booleans())
    ]  # fmt: skip
    write_report(decisions, given_documents, tmp_path, "title")
    assert read_decisions(tmp_path / "decisions.csv", given_documents, Problems()) == decisions
    removed = {(one.document, one.span) for one in decisions if one.action == "remove"}
    for before, after in zip(given_documents, apply_decisions(given_documents, decisions), strict=True):
        assert set(after.spans) == {span for span in before.spans if (before.id, span) not in removed}


# ---------------------------------------------------------------------------------------------- settings and manifests

NAMES = st.text(string.ascii_letters + string.digits + "_.", min_size=1, max_size=12).filter(
    lambda name: name.strip(".") and name.lower() not in ("true", "false", "null")
)


@given(st.text(max_size=80))
@example("a: &a [*a, *a]")
@example("? [a]\n: 1")
@example("run: {name: \x0b}")
@example("[" * 10_000)
def test_any_text_is_yaml_or_refused_and_holds_plain_values(text: str) -> None:
    try:
        found = parse_yaml(text)
    except YamlError as error:
        assert "\n" not in error.reason
        return
    assert type(found).__name__ in ("NoneType", "str", "list", "dict", "Typed")


@given(NAMES, st.integers(0, 2**31 - 1), st.lists(NAMES, max_size=3, unique=True))
def test_settings_mean_the_same_in_a_file_and_on_the_command_line(
    tmp_path: Path, name: str, seed: int, categories: list[str]
) -> None:
    listed = f"[{', '.join(categories)}]"
    path = tmp_path / "c.yaml"
    path.write_text(f"run: {{name: {name}, seed: {seed}}}\ndata: {{categories: {listed}}}\n", encoding="utf-8")
    of_file = load_config([path])
    of_line = load_config([], [f"run.name={name}", f"run.seed={seed}", f"data.categories={listed}"])
    assert of_file == of_line and of_file.run.name == name and of_file.data.categories == categories
    assert from_dict(to_dict(of_file), "c") == of_file
    assert of_file != Config() or (name, seed, categories) == ("default", 42, [])


@given(st.dictionaries(st.text(max_size=8), st.one_of(st.integers(), st.text(max_size=8), st.booleans()), max_size=4),
       st.integers(0, 10_000), st.integers(1, 255))  # fmt: skip
def test_a_sealed_file_says_the_same_or_is_refused(tmp_path: Path, value: dict, place: int, change: int) -> None:
    path = tmp_path / "sealed.json"
    write_sealed(path, value | {"files": {}})
    expected = read_sealed(path, "make it again")
    raw = bytearray(path.read_bytes())
    raw[place % len(raw)] ^= change
    path.write_bytes(raw)
    try:
        assert read_sealed(path, "make it again") == expected
    except UserError as error:
        assert str(error).endswith("make it again")


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_a_recorded_file_is_accepted_exactly_as_it_was_written(tmp_path: Path, first: bytes, other: bytes) -> None:
    files = RecordedFiles(tmp_path, "make it again")
    with files.write(tmp_path / "file") as temporary:
        temporary.write_bytes(first)
    (tmp_path / "file").write_bytes(other)
    if first == other:
        files.check(tmp_path / "file")
    else:
        with pytest.raises(UserError, match="make it again"):
            files.check(tmp_path / "file")


# ------------------------------------------------------------------------------------------------------- found before

FOUND = sorted((Path(__file__).parent / "found").glob("*"))


@pytest.mark.parametrize("path", FOUND, ids=lambda path: path.name)
def test_inputs_that_once_gave_a_traceback_are_read_or_refused(path: Path) -> None:
    read = {
        ".yaml": lambda: load_config([path]),
        ".arrow": lambda: read_corpus(CorpusConfig(path=str(path), format="tokens"), Problems(), "either"),
        ".json": lambda: json.dumps(read_sealed(path, "make it again")),
    }[path.suffix]
    try:
        read()
    except UserError as error:
        assert all("\n" not in line for line in error.lines)
