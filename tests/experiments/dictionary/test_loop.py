"""`--mode dictionary`: rounds of the loop, stopped and resumed, span candidates, one line for what cannot be done."""

import csv
import json
import random
import re
from collections import Counter
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import yaml

import experiments.dictionary.command as dictionary
import experiments.dictionary.loop as dictionary_loop
from config import CorpusConfig, load_config
from data.corpus.dictionary import Matcher, read_dictionary
from data.corpus.document import Document, to_json
from data.corpus.formats import read_corpus
from data.problems import Problems
from data.sample.sample import make_documents, write_sample
from data.spans import ScoredSpan, Span
from experiments.dictionary import classifiers, ranking, risk
from experiments.dictionary.candidate_scores import bagged_scores
from experiments.dictionary.candidates import Candidate
from experiments.dictionary.classifiers import train_and_find
from experiments.dictionary.growth import grow
from experiments.dictionary.learning_texts import add_where_free, read_learning_texts
from experiments.dictionary.loop import DictionaryLoop, kept_spans
from experiments.dictionary.table import markdown
from main import main
from model.prepare import prepare
from preprocess import main as preprocess_main
from utils.errors import UserError

pytestmark = pytest.mark.slow


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
    """A config file for a tiny network without words, which the loop does not need."""
    values = {
        "run": {"name": "tiny", "folder": str(tmp_path / "runs"), "threads": 1},
        "data": {"train": str(corpus / "sample/train_data"), "max_len": 80},
        "encoder": {"name": "scratch", "hidden": 16, "heads": 2, "depth": 1, "feed_forward": 16},
        "model": {"name": "encoder"},
        "lexicon": {"match": "none", "vectors": "none"},
        "train": {"epochs": 1, "encoder_rate": 1e-2, "other_rate": 1e-2},
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
    return dictionary.learn(config, Problems())


def texts_of(config):
    return read_learning_texts(config.data, config.dictionary.taken_from, Problems())


@pytest.fixture
def generous(monkeypatch):
    """Classifiers of a single epoch that find something, of which forms join the dictionary."""
    monkeypatch.setitem(risk.POSITIVE_WEIGHT, "cross_entropy", 50.0)
    monkeypatch.setattr(dictionary_loop, "grow", partial(grow, minimum_count=1, agreement=0.01))


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


def test_a_loop_from_the_command_line(settings, config_of, generous, capsys):
    config = config_of()
    assert main(["--mode", "dictionary", "--config", str(settings)]) == 0
    out = capsys.readouterr().out
    folder = config.dictionary_folder
    assert f"results: {folder}" in out and (folder / "table.md").read_text(encoding="utf-8") in out
    records = json.loads((folder / "table.json").read_text(encoding="utf-8"))
    assert [record["round"] for record in records] == list(range(len(records))) and len(records) >= 2
    assert records[0]["matching"] == records[0]["found"] == records[0]["both"]
    texts = texts_of(config)
    assert records[1]["joined"] > 0
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
    assert main(["--mode", "dictionary", "--config", str(settings)]) == 0
    assert files_of(folder) == before


def test_a_labelled_corpus_of_a_round_can_be_trained_on(settings, config_of):
    config = config_of("dictionary.method=match")
    learn(config)
    corpus = config.dictionary_folder / "round_0/labels.jsonl"
    trained = config_of(f"data.train={corpus}", f"data.processed={config.run_folder}_processed")
    assert set(prepare(trained).categories) <= set(given(config).values())


def test_no_label_of_a_text_is_learned_from(corpus, config_of, generous, tmp_path):
    """The same texts without labels give the same dictionary, the same findings, and no scores."""
    bare = tmp_path / "bare.jsonl"
    documents = read_corpus(CorpusConfig(path=str(corpus / "sample/train_data")), Problems())
    bare.write_text("".join(to_json(type(one)(one.id, one.text)) + "\n" for one in documents), encoding="utf-8")
    learn(config_of("dictionary.rounds=1"))
    out = learn(config_of("dictionary.rounds=1", f"data.train={bare}", "run.name=bare"))
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

    def __call__(self, config, labelled, priors, folder):
        number = int(folder.name.removeprefix("round_"))
        self.rounds.append(number)
        if number == self.stop_in:
            raise KeyboardInterrupt
        matches = [document.spans for document in labelled.documents]
        matcher = Matcher(dict.fromkeys(self.new[:number], labelled.categories[0]))
        return [
            [ScoredSpan(*one, 1.0) for one in
             sorted({*spans, *(one for one in matcher.match(document.text) if not overlaps(one, spans))},
                    key=lambda span: span.begin)]
            for document, spans in zip(labelled.documents, matches, strict=True)
        ]  # fmt: skip


def overlaps(one, spans):
    return any(one.begin <= span.end and span.begin <= one.end for span in spans)


@pytest.fixture
def new_forms(config_of):
    """Two forms that stand in the texts three times or more and in no entry of the dictionary."""
    config = config_of()
    texts = texts_of(config).texts
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
        config = config_of("dictionary.unit=character", *changes)
        return DictionaryLoop(config, texts_of(config), given(config), finder).run()

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

    def watch(config, labelled, priors, folder):
        seen[folder.name] = {
            document.text[span.begin : span.end + 1] for document in labelled.documents for span in document.spans
        }
        return finder(config, labelled, priors, folder)

    looped(watch)
    assert new_forms[0] not in seen["round_1"] and new_forms[0] in seen["round_2"]


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
    reading = DictionaryLoop(config, texts_of(config), given(config)).reading_config()
    processed = prepare(reading)
    gone = processed.categories[0]
    bare = [replace(document, spans=tuple(span for span in document.spans if span.category != gone))
            for document in processed.documents]  # fmt: skip
    priors = dict.fromkeys(processed.categories, 0.1) | {gone: 0.0}
    found = train_and_find(reading, replace(processed, documents=bare), priors, config.dictionary_folder / "round_1")
    assert len(found) == len(bare)


def test_a_training_stopped_between_epochs_goes_on_with_the_next(config_of, monkeypatch):
    config = config_of("train.epochs=3", "dictionary.rounds=1")
    epochs = []

    class Stop(classifiers.Checkpoint):
        def on_epoch_end(self, trainer):
            super().on_epoch_end(trainer)
            epochs.append(trainer.state.epoch)
            if epochs == [0, 1]:
                raise KeyboardInterrupt

    monkeypatch.setattr(classifiers, "Checkpoint", Stop)
    with pytest.raises(KeyboardInterrupt):
        learn(config)
    learn(config)
    assert epochs == [0, 1, 2]


def test_classifiers_that_were_trained_but_not_scored_are_not_trained_again(config_of, generous, monkeypatch):
    config = config_of("dictionary.rounds=1")
    learn(config)
    folder = config.dictionary_folder
    before = files_of(folder)
    (folder / "round_1/scores.json").unlink()
    (folder / "round_1/labels.jsonl").unlink()
    monkeypatch.setattr(classifiers.Trainer, "fit", None)
    learn(config)
    assert files_of(folder) == before


@pytest.mark.parametrize("words", [None, ["我", "在", "博物馆", "工作", "，", "好"]])
@pytest.mark.parametrize("shortest", [1, 2, 3])
def test_what_is_kept_follows_words_and_length(words, shortest):
    found = [ScoredSpan("name", 2, 3, 0.5), ScoredSpan("name", 7, 7, 0.5)]
    ends = [(2, 4 if words else 3), (7, 7)]
    kept = kept_spans("我在博物馆工作，好", found, words, shortest)
    assert [(span.begin, span.end) for span in kept] == [(b, e) for b, e in ends if e - b + 1 >= shortest]
    if shortest == 2:
        assert kept == kept_spans("我在博物馆工作，好", found, words), "two characters unless told otherwise"


@pytest.mark.parametrize(("unit", "counted"), [("word", 0), ("character", 1)])
def test_a_part_of_a_word_joins_only_where_characters_are_decided_one_by_one(looped, config_of, unit, counted):
    config, part = config_of(), "物馆"  # of a word that jieba knows
    corpus = Path(config.dictionary_folder).parent / "museums.jsonl"
    texts = [Document("0", "他在博物馆工作。"), *(Document(str(n), f"博物馆第{n}次开放。") for n in (1, 2, 3))]
    corpus.parent.mkdir(parents=True)
    corpus.write_text("".join(to_json(one) + "\n" for one in texts), encoding="utf-8")
    (corpus.parent / "work.tsv").write_text("工作\tname\n", encoding="utf-8")

    def find(config, labelled, priors, folder):
        begins = [document.text.index(part) for document in labelled.documents]
        return [[ScoredSpan("name", begin, begin + 1, 0.9)] for begin in begins]

    records = looped(find, f"dictionary.unit={unit}", "dictionary.rounds=1", f"data.train={corpus}",
                     f"dictionary.path={corpus.parent / 'work.tsv'}", "dictionary.taken_from=")  # fmt: skip
    grown = read_dictionary(config.dictionary_folder / "round_1/dictionary.tsv", Problems())
    assert records[1]["joined"] == 1 and set(grown) == {"工作", part if counted else "博物馆"}


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
def test_candidates_are_ranked_written_and_scored(config_of, tmp_path, method, monkeypatch):
    negatives = tmp_path / "negatives.txt"
    negatives.write_text("我们\n可以\n电话\n的\n", encoding="utf-8")
    monkeypatch.setattr(ranking, "bagged_scores", partial(bagged_scores, bags=3))
    config = config_of(f"dictionary.method={method}", "dictionary.category=name", f"dictionary.negatives={negatives}")
    out = learn(config)
    folder = config.dictionary_folder / f"{method}_name"
    rows, facts = rows_of(folder / "candidates.csv"), json.loads((folder / "scores.json").read_bytes())
    documents = {one.id: one for one in texts_of(config).documents}
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
    above = {(row["document"], int(row["begin"])) for row in rows if float(row["score"]) > 0.5}
    for document in labelled:
        ends = [-1, *(span.end for span in document.spans)]
        assert all(span.begin > end for span, end in zip(document.spans, ends, strict=False))
        for span in document.spans:
            form = document.text[span.begin : span.end + 1]
            assert form in names or (document.id, span.begin) in above


def test_better_candidates_are_labelled_first_and_none_at_the_threshold():
    candidates = [Candidate(0, 0, 1, 1), Candidate(0, 1, 2, 1), Candidate(0, 4, 5, 1), Candidate(0, 7, 8, 1),
                  Candidate(1, 0, 1, 1), Candidate(1, 3, 4, 1)]  # fmt: skip
    scores = np.array([0.7, 0.9, 0.5, np.nan, 0.8, 0.99])
    ranked = np.array([True] * 5 + [False])
    matched = [[Span("name", 10, 11)], [Span("name", 1, 2)]]
    found = ranking.choose(candidates, ranked, scores, "name", matched)
    assert found == [[Span("name", 1, 2), Span("name", 10, 11)], [Span("name", 1, 2)]]
    (first, _) = ranking.choose(candidates, ranked, scores, "name", matched, threshold=0.4)
    assert first == [Span("name", 1, 2), Span("name", 4, 5), Span("name", 10, 11)]


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
    with pytest.raises(UserError, match="none of its 1 forms occurs in the texts"):
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
    texts = texts_of(config_of(f"data.unlabelled={more}", "dictionary.taken_from="))
    assert len(texts.documents) == 19 and texts.scored == list(range(16))
    assert [one.id for one in texts.documents[16:]] == [f"unlabelled-{one.id}" for one in documents]
    right = [list(one.spans) for one in texts.documents]
    categories = {span.category for spans in right for span in spans}
    assert len(categories) > 1 and texts.score(right, sorted(categories)).micro.f1 == 1
    assert texts.score([[Span("name", 0, 0)]] * 19, ["name"]).micro.predicted == 16
