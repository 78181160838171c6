"""`--mode dictionary`: rounds of the loop, stopped and resumed, span candidates, one line for what cannot be done."""

import csv
import json
import random
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

import experiments.dictionary.command as dictionary
import experiments.dictionary.loop as dictionary_loop
from config import CorpusConfig, load_config
from data.corpus.dictionary import Matcher, read_dictionary
from data.corpus.document import to_json
from data.corpus.formats import read_corpus
from data.problems import Problems
from data.sample.sample import make_documents, write_sample
from data.spans import ScoredSpan, Span
from experiments.dictionary.loop import DictionaryLoop
from experiments.dictionary.table import markdown
from experiments.dictionary.texts import add_where_free, read_texts
from main import main
from model.prepare import prepare
from preprocess import main as preprocess_main
from utils.errors import UserError


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """The sample corpus and a dictionary of half of its labels."""
    folder = tmp_path_factory.mktemp("dictionary")
    write_sample(folder / "sample", 16, 4, 3)
    assert preprocess_main(["--dictionary", str(folder / "sample/train_data"), "--share", "0.5", "--seed", "1",
                            "--output", str(folder / "half.tsv")]) == 0  # fmt: skip
    return folder


@pytest.fixture
def settings(corpus, tmp_path):
    """A config file for a tiny network."""
    values = {
        "run": {"name": "tiny", "folder": str(tmp_path / "runs"), "threads": 1},
        "data": {"train": str(corpus / "sample/train_data"), "max_len": 60},
        "encoder": {"name": "scratch", "hidden": 16, "heads": 2, "depth": 1, "feed_forward": 16},
        "flat": {"hidden": 16, "heads": 2, "feed_forward": 16},
        "lexicon": {"dimension": 8},
        "train": {"epochs": 1, "encoder_rate": 1e-2, "other_rate": 1e-2},
        "predict": {"overlap": 20},
        "dictionary": {"path": str(corpus / "half.tsv"), "taken_from": str(corpus / "half.documents"),
                       "method": "loop", "rounds": 2},
    }  # fmt: skip
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    return path


@pytest.fixture
def config_of(settings):
    """A function: the settings with changes."""
    return lambda *changes: load_config([settings], list(changes))


def learn(config):
    """What the mode does, with this program's preprocessing."""
    return dictionary.learn(config, Problems(), prepare)


def given(config):
    """The dictionary to begin with."""
    return read_dictionary(Path(config.dictionary.path), Problems())


def files_of(folder):
    """Contents of all files below a folder that do not tell the time."""
    contents = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != "train.log":
            raw = path.read_bytes()
            if path.name in ("scores.json", "table.json"):
                raw = "\n".join(line for line in raw.decode().splitlines() if '"seconds"' not in line).encode()
            if path.name not in ("table.md", "manifest.json"):
                contents[str(path.relative_to(folder))] = raw
    return contents


# -------------------------------------------------------------------------------------------------- a loop that learns


def test_a_loop_from_the_command_line(settings, config_of, capsys):
    config = config_of()
    assert main(["--mode", "dictionary", "--config", str(settings), "--set", "dictionary.agreement=0.01",
                 "--set", "dictionary.positive_weight=50", "--set", "dictionary.minimum_count=1"]) == 0  # fmt: skip
    out = capsys.readouterr().out
    folder = config.dictionary_folder
    assert f"results: {folder}" in out and (folder / "table.md").read_text(encoding="utf-8") in out
    records = json.loads((folder / "table.json").read_text(encoding="utf-8"))
    assert [record["round"] for record in records] == list(range(len(records))) and len(records) >= 2
    assert records[0]["matching"] == records[0]["found"] == records[0]["both"]
    texts = read_texts(config, Problems())
    for record in records:
        labels = read_corpus(CorpusConfig(path=str(folder / f"round_{record['round']}/labels.jsonl")), Problems())
        assert [(one.id, one.text) for one in labels] == [(one.id, one.text) for one in texts.documents]
        micro = record["both"]["micro"]
        assert micro["predicted"] == sum(len(labels[number].spans) for number in texts.scored)
        assert len(texts.scored) == record["scored_documents"] == 8
    for record in records[1:]:
        assert (folder / f"round_{record['round']}/last/model.safetensors").exists()
        assert all(0 < prior < 1 for prior in record["priors"].values())
    before = files_of(folder)
    assert main(["--mode", "dictionary", "--config", str(settings), "--set", "dictionary.agreement=0.01",
                 "--set", "dictionary.positive_weight=50", "--set", "dictionary.minimum_count=1"]) == 0  # fmt: skip
    assert files_of(folder) == before


def test_a_labelled_corpus_of_a_round_can_be_trained_on(settings, config_of):
    config = config_of("dictionary.method=match")
    learn(config)
    corpus = config.dictionary_folder / "round_0/labels.jsonl"
    trained = config_of(f"data.train={corpus}", f"data.processed={config.run_folder}_processed")
    assert set(prepare(trained).categories) <= set(given(config).values())


def test_no_label_of_a_text_is_learned_from(settings, corpus, config_of, tmp_path, monkeypatch):
    """The same texts without labels give the same dictionary, the same findings, and no scores."""
    bare = tmp_path / "bare.jsonl"
    documents = read_corpus(CorpusConfig(path=str(corpus / "sample/train_data")), Problems())
    bare.write_text("".join(to_json(type(one)(one.id, one.text)) + "\n" for one in documents), encoding="utf-8")
    changes = ["dictionary.rounds=1", "dictionary.positive_weight=50"]
    learn(config_of(*changes))
    out = learn(config_of(*changes, f"data.train={bare}", "run.name=bare"))
    labelled, unlabelled = (files_of(tmp_path / "runs" / name) for name in ("tiny_dictionary", "bare_dictionary"))
    for name in labelled:
        if name.startswith("round_") and not name.endswith("scores.json"):
            assert labelled[name] == unlabelled[name], name
    assert "labelled" not in out
    assert json.loads((tmp_path / "runs/bare_dictionary/round_1/scores.json").read_bytes())["both"] is None


# ------------------------------------------------------------------------------------------------- what the loop does


class Finder:
    """Stands in for the classifiers: round n finds the dictionary's matches and the first n of some new forms."""

    def __init__(self, new, stop_in=None):
        self.new, self.stop_in, self.rounds = new, stop_in, []

    def __call__(self, loop, number, labelled, priors):
        self.rounds.append(number)
        if number == self.stop_in:
            raise KeyboardInterrupt
        matches = [document.spans for document in labelled.documents]
        matcher = Matcher(dict.fromkeys(self.new[:number], labelled.categories[0]))
        return [
            sorted({*spans, *(one for one in matcher.match(text) if not overlaps(one, spans))}, key=lambda s: s.begin)
            for text, spans in zip(loop.texts.texts, matches, strict=True)
        ]


def overlaps(one, spans):
    return any(one.begin <= span.end and span.begin <= one.end for span in spans)


@pytest.fixture
def new_forms(config_of):
    """Two forms that stand in the texts three times or more and in no entry of the dictionary."""
    config = config_of()
    texts = read_texts(config, Problems()).texts
    known = "".join(given(config))
    counts = Counter(text[at : at + 2] for text in texts for at in range(len(text) - 1))
    free = [form for form, count in counts.most_common() if form.isalpha() and not set(form) & set(known)]
    chosen = [form for form in free if not form.isascii()][:40]
    first = chosen[0]
    second = next(form for form in chosen[1:] if not set(form) & set(first))
    return [first, second]


@pytest.fixture
def looped(config_of, monkeypatch):
    """A function: the records of a loop whose classifiers are a `Finder`."""

    def run(finder, *changes):
        config = config_of("dictionary.minimum_count=2", "dictionary.agreement=0.5", *changes)
        monkeypatch.setattr(DictionaryLoop, "_train_and_predict", lambda loop, *given: finder(loop, *given))
        loop = DictionaryLoop(config, read_texts(config, Problems()), given(config))
        return loop.run(prepare(loop.reading_config()))

    return run


def test_the_loop_stops_when_nothing_joins(looped, new_forms):
    finder = Finder(new_forms)
    records = looped(finder, "dictionary.rounds=9")
    assert [record.get("joined") for record in records] == [None, 1, 1, 0]
    assert finder.rounds == [1, 2, 3]
    assert [record["entries"] for record in records] == [records[0]["entries"] + more for more in (0, 1, 2, 2)]


def test_the_loop_stops_after_its_rounds_and_may_be_given_more(looped, new_forms, config_of):
    assert len(looped(Finder(new_forms), "dictionary.rounds=1")) == 2
    finder = Finder(new_forms)
    assert len(looped(finder, "dictionary.rounds=5")) == 4
    assert finder.rounds == [2, 3]
    grown = read_dictionary(config_of().dictionary_folder / "round_3/dictionary.tsv", Problems())
    assert set(new_forms) <= set(grown)


def test_each_round_learns_from_the_dictionary_that_the_one_before_left(looped, new_forms, config_of):
    finder, seen = Finder(new_forms), {}

    def watch(loop, number, labelled, priors):
        seen[number] = {
            document.text[span.begin : span.end + 1] for document in labelled.documents for span in document.spans
        }
        return finder(loop, number, labelled, priors)

    looped(watch)
    assert new_forms[0] not in seen[1] and new_forms[0] in seen[2]


def test_a_killed_loop_goes_on_and_comes_out_the_same(looped, new_forms, config_of, tmp_path):
    folder = config_of().dictionary_folder
    with pytest.raises(KeyboardInterrupt):
        looped(Finder(new_forms, stop_in=2), "dictionary.rounds=5")
    kept = files_of(folder / "round_1")
    finder = Finder(new_forms)
    records = looped(finder, "dictionary.rounds=5")
    assert finder.rounds == [2, 3]
    assert files_of(folder / "round_1") == kept
    whole = looped(Finder(new_forms), "dictionary.rounds=5", "run.name=whole")
    for one, other in zip(records, whole, strict=True):
        assert one | {"seconds": 0} == other | {"seconds": 0}


def test_a_category_that_longer_entries_have_swallowed_is_no_end(config_of):
    config = config_of("dictionary.rounds=1")
    loop = DictionaryLoop(config, read_texts(config, Problems()), given(config))
    processed = prepare(loop.reading_config())
    gone = processed.categories[0]
    bare = [replace(document, spans=tuple(span for span in document.spans if span.category != gone))
            for document in loop._match(given(config))]  # fmt: skip
    labelled = replace(processed, documents=bare)
    found = loop._train_and_predict(1, labelled, loop._priors(labelled, []))
    assert len(found) == len(bare)


def test_a_training_stopped_between_epochs_goes_on_with_the_next(config_of, monkeypatch):
    config = config_of("train.epochs=3", "dictionary.rounds=1")
    epochs = []

    class Stop(dictionary_loop.Checkpoint):
        def on_epoch_end(self, trainer):
            super().on_epoch_end(trainer)
            epochs.append(trainer.state.epoch)
            if epochs == [0, 1]:
                raise KeyboardInterrupt

    monkeypatch.setattr(dictionary_loop, "Checkpoint", Stop)
    with pytest.raises(KeyboardInterrupt):
        learn(config)
    learn(config)
    assert epochs == [0, 1, 2]


def test_classifiers_that_were_trained_but_not_scored_are_not_trained_again(config_of, monkeypatch):
    config = config_of("dictionary.rounds=1", "dictionary.positive_weight=50")
    learn(config)
    folder = config.dictionary_folder
    before = files_of(folder)
    (folder / "round_1/scores.json").unlink()
    (folder / "round_1/labels.jsonl").unlink()
    monkeypatch.setattr(dictionary_loop.Trainer, "fit", None)
    learn(config)
    assert files_of(folder) == before


@pytest.mark.parametrize(("unit", "least"), [("word", 1), ("word", 3), ("character", 1), ("character", 3)])
def test_what_is_believed_follows_unit_and_length(config_of, unit, least):
    config = config_of(f"dictionary.unit={unit}", f"dictionary.minimum_length={least}")
    loop = DictionaryLoop(config, read_texts(config, Problems()), given(config))
    found = [ScoredSpan("name", 2, 3, 0.5), ScoredSpan("name", 7, 7, 0.5)]
    ends = {"word": [(2, 4), (7, 7)], "character": [(2, 3), (7, 7)]}[unit]
    believed = loop._believed("我在博物馆工作，好", found)
    assert [(span.begin, span.end) for span in believed] == [(b, e) for b, e in ends if e - b + 1 >= least]


def test_priors_are_given_estimated_or_found(looped, new_forms):
    prior = "dictionary.priors={name: 0.125}"
    (_, first, second, *_) = looped(Finder(new_forms), prior, "dictionary.coverage=0.8")
    (_, other, *_) = looped(Finder(new_forms), prior, "dictionary.coverage=0.4", "run.name=half")
    assert first["priors"]["name"] == 0.125
    grown = min(first["priors"])  # the Finder's category; more of it is labelled than was guessed
    assert first["priors"] | {grown: 0} == second["priors"] | {grown: 0}
    assert first["priors"][grown] < second["priors"][grown]
    del first["priors"]["name"], other["priors"]["name"]
    assert other["priors"] == pytest.approx({name: 2 * prior for name, prior in first["priors"].items()})
    (_, first, second, *_) = looped(Finder(new_forms), prior, "dictionary.prior=found", "run.name=found")
    assert first["priors"]["name"] == 0.125
    assert second["priors"] == pytest.approx(first["found_shares"])
    (_, first, *_) = looped(Finder(new_forms), prior, "dictionary.prior=elkan_noto", "run.name=elkan_noto")
    assert first["priors"]["name"] == 0.125
    assert all(0 < prior <= 0.5 for prior in first["priors"].values())


@pytest.mark.parametrize("seed", range(5))
def test_found_spans_stand_beside_matches(seed):
    draw = random.Random(seed)

    def spans(category, count):
        begins = sorted(draw.sample(range(0, 60, 3), count))
        return [ScoredSpan(category, begin, begin + draw.randrange(3), 0.5) for begin in begins]

    matches, found = [Span(*one[:3]) for one in spans("a", 6)], spans("b", 8)
    taken = {place for span in matches for place in range(span.begin, span.end + 1)}
    free = [Span(*one[:3]) for one in found if not taken & set(range(one.begin, one.end + 1))]
    assert add_where_free(matches, found) == sorted([*matches, *free], key=lambda span: span.begin)


def test_the_table_has_a_line_for_each_round_and_category(looped, new_forms):
    records = looped(Finder(new_forms))
    lines = markdown(records).splitlines()
    assert len(lines) == 2 + len(records) + 1 + 2 + len(records[0]["both"]["categories"])
    widths = [line.count("|") for line in lines if line]
    assert len(set(widths[: 2 + len(records)])) == 1 and len(set(widths[2 + len(records) :])) == 1


# --------------------------------------------------------------------------------------------------- span candidates


def rows_of(path):
    with path.open(encoding="utf-8", newline="") as table:
        return list(csv.DictReader(table))


@pytest.mark.parametrize("method", ["direct", "bagging", "negatives"])
def test_candidates_are_ranked_written_and_scored(settings, config_of, tmp_path, method):
    negatives = tmp_path / "negatives.txt"
    negatives.write_text("我们\n可以\n电话\n的\n", encoding="utf-8")
    changes = [f"dictionary.method={method}", "dictionary.category=name", "dictionary.bags=3",
               f"dictionary.negatives={negatives}", "dictionary.threshold=0.6"]  # fmt: skip
    config = config_of(*changes)
    out = learn(config)
    folder = config.dictionary_folder / f"{method}_name"
    rows, facts = rows_of(folder / "candidates.csv"), json.loads((folder / "scores.json").read_bytes())
    documents = {one.id: one for one in read_texts(config, Problems()).documents}
    scores = [float(row["score"]) for row in rows]
    assert scores == sorted(scores, reverse=True) and len(rows) == facts["ranked"]
    for row in rows:
        text = documents[row["document"]].text
        assert text[int(row["begin"]) : int(row["end"]) + 1] == row["form"]
    names = {form for form, category in given(config).items()
             if category == "name"}  # fmt: skip
    assert facts["average_precision"] > 2 * facts["right_share"]
    assert f"{100 * facts['average_precision']:.2f}" in out
    if method == "negatives":
        assert not {row["form"] for row in rows} & {"我们", "可以", "电话"}
    labelled = read_corpus(CorpusConfig(path=str(folder / "labels.jsonl")), Problems())
    above = {(row["document"], int(row["begin"])) for row in rows if float(row["score"]) > 0.6}
    for document in labelled:
        ends = [-1, *(span.end for span in document.spans)]
        assert all(span.begin > end for span, end in zip(document.spans, ends, strict=False))
        for span in document.spans:
            form = document.text[span.begin : span.end + 1]
            assert form in names or (document.id, span.begin) in above


# -------------------------------------------------------------------------------------------------- one line for errors


@pytest.mark.parametrize(
    ("change", "telling"),
    [
        ("dictionary.path=", "dictionary.path is empty"),
        ("dictionary.path=nowhere.tsv", "nowhere.tsv: no such file"),
        ("dictionary.taken_from=nowhere", "nowhere: no such file"),
        ("data.train=", "data.train is empty"),
        ("dictionary.method=bagging", "dictionary.category must name"),
        ("dictionary={method: direct, category: planet}", "dictionary.category is planet, but .*name"),
        ("dictionary={method: negatives, category: name}", "dictionary.negatives must name"),
        ("dictionary={method: negatives, category: name, negatives: nowhere}", "nowhere: no such file"),
        ("dictionary.priors={name: 1.0}", r"dictionary.priors.name \(1.0\) must be"),
        ("dictionary.priors={name: 0}", r"dictionary.priors.name \(0.0\) must be"),
        ("dictionary.priors={name: much}", r"dictionary.priors.name \('much'\) must be"),
        ("dictionary.priors={planet: 0.1}", "dictionary.priors names planet"),
        ("dictionary.coverage=0", r"dictionary.coverage \(0.0\) must be"),
        ("dictionary.coverage=2", r"dictionary.coverage \(2.0\) must be"),
        ("dictionary.rounds=0", r"dictionary.rounds \(0\) must be"),
        ("model.name=mrc", "model.name is mrc, but the loop trains classifiers"),
        ("model.name=rules", "model.name is rules, but the loop trains classifiers"),
        ("adversarial.method=fgm", "adversarial.method"),
        ("regularisation.r_drop=1", "regularisation.r_drop"),
        ("regularisation.label_smoothing=0.1", "regularisation.label_smoothing"),
        ("averaging={method: swa, start_epoch: 0}", "averaging.method"),
    ],
)
def test_what_cannot_be_done_is_one_line(settings, capsys, change, telling):
    capsys.readouterr()
    assert main(["--mode", "dictionary", "--config", str(settings), "--set", change]) == 2
    err = capsys.readouterr().err
    line = err.splitlines()[-1]
    assert line.startswith("main.py: ") and re.search(telling, line), err
    assert "Traceback" not in err


def test_a_dictionary_that_the_texts_do_not_know(config_of, tmp_path):
    (tmp_path / "other.tsv").write_text("不存在的词组\tname\n", encoding="utf-8")
    with pytest.raises(UserError, match="none of its 1 forms stands in the texts"):
        learn(config_of(f"dictionary.path={tmp_path / 'other.tsv'}"))


def test_documents_that_are_not_in_the_corpus(config_of, tmp_path):
    (tmp_path / "ids").write_text("0\n99\n", encoding="utf-8")
    with pytest.raises(UserError, match="names document '99'"):
        learn(config_of(f"dictionary.taken_from={tmp_path / 'ids'}"))


def test_rounds_that_began_with_other_settings_are_not_gone_on_with(looped, new_forms, config_of):
    looped(Finder(new_forms))
    with pytest.raises(UserError, match=r"began with another dictionary\.loss"):
        looped(Finder(new_forms), "dictionary.loss=absolute")
    with pytest.raises(UserError, match=r"began with another train\.epochs"):
        looped(Finder(new_forms), "train.epochs=7")
    with pytest.raises(UserError, match=r"began with another context\.hidden"):
        looped(Finder(new_forms), "context.hidden=8")


@pytest.mark.parametrize(
    ("text", "telling"), [("{", r"scores\.json: damaged"), ("{}", "not what this version writes"), ("[]", "not what")]
)
def test_a_damaged_round_is_one_line(looped, new_forms, config_of, text, telling):
    looped(Finder(new_forms))
    (config_of().dictionary_folder / "round_1/scores.json").write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=telling):
        looped(Finder(new_forms))


def test_texts_of_train_and_unlabelled_are_read_and_ids_are_kept_apart(config_of, tmp_path):
    more = tmp_path / "more.jsonl"
    documents = make_documents(3, 9, "test")
    more.write_text("".join(to_json(one) + "\n" for one in documents), encoding="utf-8")
    texts = read_texts(config_of(f"data.unlabelled={more}", "dictionary.taken_from="), Problems())
    assert len(texts.documents) == 19 and texts.scored == list(range(16))
    assert [one.id for one in texts.documents[16:]] == [f"unlabelled-{one.id}" for one in documents]
    right = [list(one.spans) for one in texts.documents]
    assert texts.score(right, ["name"]).micro.f1 < 1 or all(
        span.category == "name" for spans in right[:16] for span in spans
    )
    assert texts.score([[Span("name", 0, 0)]] * 19, ["name"]).micro.predicted == 16
