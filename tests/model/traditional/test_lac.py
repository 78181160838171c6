"""Words of LAC as spans: the counts, the probabilities, and what is read."""

import itertools

import pytest

from data.corpus.document import Document
from data.lattice.lattice import build_lattices
from data.lattice.lexicon import Lexicon
from data.lattice.word_tags import word_tagger
from data.processed import load_processed
from data.spans import JudgedSpan, ScoredSpan, Span
from model import load_tagger
from model.reading.evaluation import score_split
from model.run_folder import load_parts
from model.traditional.lac import System
from model.training.folds import train
from utils.files import read_json

TAGS = word_tagger("lac").tags
LEXICON = Lexicon([], "none", "lac")
TEXTS = ["张三在北京市工作", "李四和王五住上海", "", "联系人：欧阳修文，广东省深圳市的李华", "公司员工"]
LABELS = [[("name", 0, 1), ("place", 3, 5)], [("name", 0, 1)], [], [("name", 4, 7), ("place", 9, 14)], [("name", 2, 3)]]


@pytest.fixture
def processed(processed_of):
    documents = [Document(str(number), text, tuple(Span(*span) for span in spans))
                 for number, (text, spans) in enumerate(zip(TEXTS, LABELS, strict=True))]  # fmt: skip
    processed = processed_of(documents)
    processed.lexicon = LEXICON
    processed.lattices = build_lattices(TEXTS, processed.vocabulary, LEXICON)
    return processed


def f1_from(least, system, processed):
    """F1 on the labels if every word whose best category has probability `least` is a span, overlapping or not."""
    right = found = 0
    for document, spans in zip(processed.documents, words_with_pairs(), strict=True):
        for tag, begin, end in spans:
            shares = system.probabilities(f"{tag} {document.text[end]}")
            best = max(shares, key=lambda category: (shares[category], category))
            if shares[best] >= least:
                found += 1
                right += Span(best, begin, end) in document.spans
    return 2 * right / (found + sum(len(one.spans) for one in processed.documents))


def words_with_pairs():
    for words in word_tagger("lac").read(TEXTS):
        pairs = [(f"{one.tag}+{two.tag}", one.begin, two.end) for one, two in itertools.pairwise(words)
                 if one.tag == two.tag and one.tag in ("PER", "LOC", "ORG", "TIME", "nz", "nw")]  # fmt: skip
        yield [*words, *pairs]


def test_probabilities_by_hand():
    system = System({"PER": 8, "PER 三": 2}, {"PER": {"name": 5}, "PER 三": {"name": 2}}, 0.5, ["name", "place"], TAGS)
    of_tag = {"name": 6 / 11, "place": 1 / 11}
    assert system.probabilities("PER 三") == pytest.approx(
        {"name": (2 + 4 * of_tag["name"]) / 6, "place": 4 * of_tag["place"] / 6}
    )
    assert system.probabilities("PER 四") == pytest.approx(of_tag)
    assert system.probabilities("w  ") == pytest.approx({"name": 0, "place": 0})
    assert system.parameters == 4


def test_fit_counts_words_and_labels_and_chooses_the_best_threshold(processed, tmp_path):
    path = tmp_path / System.filename
    assert System.fit(processed, range(5), path) == 1
    written = read_json(path, "")
    words, spans = {}, {}
    for number, found in enumerate(words_with_pairs()):
        for tag, begin, end in found:
            for key in (tag, f"{tag} {TEXTS[number][end]}"):
                words[key] = words.get(key, 0) + 1
                for category, *place in LABELS[number]:
                    if place == [begin, end]:
                        spans.setdefault(key, {}).setdefault(category, 0)
                        spans[key][category] += 1
    assert (written["words"], written["spans"]) == (words, spans)
    assert words["PER"] == 5 and spans["PER"] == {"name": 3} and spans["LOC+LOC"] == {"place": 1}
    assert words["n"] >= 2 and "n+n" not in words
    system = System(**written, categories=processed.categories, tags=TAGS)
    shares = {share for key in words if " " in key for share in system.probabilities(key).values()}
    best = max(f1_from(share, system, processed) for share in shares)
    assert f1_from(written["least"], system, processed) == best > 0.5


def test_fit_counts_only_the_documents_it_may_read(processed, tmp_path):
    System.fit(processed, [1, 2], tmp_path / System.filename)
    assert "LOC 市" not in read_json(tmp_path / System.filename, "")["words"]
    System.fit(processed, [], tmp_path / System.filename)
    assert read_json(tmp_path / System.filename, "")["words"] == {}


def test_the_most_probable_of_overlapping_words_is_read(processed):
    words, spans = {"LOC": 9, "LOC+LOC": 9}, {"LOC": {"place": 4}, "LOC+LOC": {"place": 7, "name": 1}}
    system = System(words, spans, 0.4, ["name", "place"], TAGS)
    document = Document("x", "广东省深圳市")
    lattices = build_lattices([document.text], processed.vocabulary, LEXICON)
    name, place, both = 1 / 12, 5 / 12, 8 / 12
    expected = [("name", 0, 2, name, False), ("place", 0, 2, place, False), ("name", 0, 5, 2 / 12, False),
                ("place", 0, 5, both, True), ("name", 3, 5, name, False), ("place", 3, 5, place, False)]  # fmt: skip
    (judged,) = system.candidates([document], lattices)
    assert [span[:3] for span in judged] == [span[:3] for span in expected]
    assert [span.found for span in judged] == [span[4] for span in expected]
    assert [span.probability for span in judged] == pytest.approx([span[3] for span in expected])
    assert isinstance(judged[0], JudgedSpan)
    assert system.read([document], lattices) == [[ScoredSpan("place", 0, 5, pytest.approx(both))]]
    sure = System(words, spans, 0.9, ["name", "place"], TAGS)
    assert sure.read([document], lattices) == [[]]
    assert {span.found for span in sure.candidates([document], lattices)[0]} == {False}


def test_improbable_candidates_are_left_out(processed):
    system = System(dict.fromkeys(TAGS, 100), {}, 0.04, ["name", "place"], TAGS)
    lattices = build_lattices(TEXTS, processed.vocabulary, LEXICON)
    assert system.candidates(processed.documents, lattices) == [[]] * 5


def test_a_run_of_lac_is_scored_and_reads_any_text(small_config):
    config = small_config("lac", "model.name=lac", "lexicon.tags=lac", "lexicon.match=none")
    (metrics,) = train(config, load_processed(config))
    assert metrics["parameters"] > 100 and metrics["history"][0]["f1"] > 0.1
    assert score_split([load_parts(config.run_folder)], "test").scores.categories["name"].f1 > 0.3
    found = load_tagger(config.run_folder).predict(["", "\ud83d ", "联系人：李华", "没有标点" * 3000])
    assert found[0] == found[1] == []
    assert [(span.category, span.text) for span in found[2]] == [("name", "李华")]
