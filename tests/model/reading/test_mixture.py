"""Several runs as one: votes with weights, categories that not all know, patterns that help or decide."""

from types import SimpleNamespace

import pytest

from config import MixConfig, PredictConfig
from data.corpus.document import Document
from data.spans import ScoredSpan
from model.reading.mixture import Mixture
from utils.errors import UserError

TEXT = "电话13812345678，邮箱a@b.cn，张伟"
NAME, PHONE = ScoredSpan("name", 24, 25, 0.8), ScoredSpan("mobile", 2, 12, 0.6)
EMAIL = ScoredSpan("email", 16, 21, 0.9)


def tagger(name, categories, spans, nests=False, unsure=()):
    """A run that finds the same in every text. It has recorded the spans in `unsure`, but does not find them."""
    return SimpleNamespace(
        parts=SimpleNamespace(folder=SimpleNamespace(name=name)),
        categories=categories,
        nests=nests,
        read=lambda documents: ((document, list(spans)) for document in documents),
        judge=lambda documents: ((document, [*spans, *unsure]) for document in documents),
    )


ALL = ["name", "mobile", "email"]


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch):
    """Five documents make three chunks."""
    monkeypatch.setattr("model.reading.chunks.CHUNK", 2)


def found(taggers, min_probability=0.0, **settings):
    predict = PredictConfig(min_probability=min_probability, min_probability_of=settings.pop("least_of", {}))
    mixture = Mixture(taggers, MixConfig(**settings), predict)
    results = list(mixture.predict_documents([Document(str(number), TEXT) for number in range(5)]))
    assert [document.id for document, _ in results] == list("01234")
    assert all(spans == results[0][1] for _, spans in results)
    return {span[:3]: round(span.probability, 4) for span in results[0][1]}


def test_one_run_alone_says_what_it_says():
    assert found([tagger("a", ALL, [PHONE, NAME])]) == {PHONE[:3]: 0.6, NAME[:3]: 0.8}


def test_votes_count_by_weight():
    runs = [tagger("a", ALL, [NAME]), tagger("b", ALL, [PHONE]), tagger("c", ALL, [])]
    assert found(runs) == {}
    assert found(runs, weights={"a": 3}) == {NAME[:3]: round(3 * 0.8 / 5, 4)}
    assert found(runs, weights={"b": 0, "c": 0}) == {NAME[:3]: 0.8}, "all votes that count"
    assert found(runs, min_votes_of={"mobile": 0.3}) == {PHONE[:3]: 0.2}
    assert found(runs, min_votes=0.3) == {NAME[:3]: round(0.8 / 3, 4), PHONE[:3]: 0.2}


def test_a_span_must_be_probable_after_the_vote():
    runs = [tagger("a", ALL, [NAME, PHONE]), tagger("b", ALL, [PHONE._replace(probability=0.2)]), tagger("c", ALL, [])]
    assert found(runs, min_votes=0.3, min_probability=0.25) == {NAME[:3]: 0.2667, PHONE[:3]: 0.2667}
    assert found(runs, min_votes=0.3, min_probability=0.27) == {}
    assert found(runs, min_votes=0.3, min_probability=0.9, back_up=["mobile"]) == {PHONE[:3]: 1.0}


def test_of_spans_that_overlap_the_most_probable_stays_unless_a_run_finds_such():
    longer = ScoredSpan("name", 23, 25, 0.9)
    for nests, expected in ((False, {longer[:3]: 0.45}), (True, {longer[:3]: 0.45, NAME[:3]: 0.4})):
        runs = [tagger("a", ALL, [NAME]), tagger("b", ALL, [longer], nests)]
        assert found(runs, min_votes=0.3) == expected


def test_a_tie_is_no_majority_whatever_the_last_digit():
    runs = [tagger("a", ALL, [NAME]), tagger("b", ALL, [])]
    assert found(runs, weights={"a": 2.1, "b": 0.9}, min_votes=0.7) == {}


def test_who_does_not_know_a_category_has_no_vote_on_it():
    runs = [tagger("a", ALL, [PHONE, NAME]), tagger("b", ["name"], []), tagger("c", ["mobile"], [PHONE])]
    assert found(runs) == {PHONE[:3]: 0.6}
    assert Mixture(runs, MixConfig(), PredictConfig()).categories == ALL


def test_patterns_add_what_was_outvoted_too():
    runs = [tagger("a", ALL, [PHONE]), tagger("b", ALL, []), tagger("c", ALL, [])]
    assert found(runs) == {} and found(runs, back_up=["mobile"]) == {PHONE[:3]: 1.0}


def test_patterns_add_what_is_missing_or_decide_alone():
    half_a_number = ScoredSpan("mobile", 2, 9, 0.7)
    run = [tagger("a", ALL, [half_a_number, NAME])]
    assert found(run, back_up=["mobile", "email"]) == {half_a_number[:3]: 0.7, EMAIL[:3]: 1.0, NAME[:3]: 0.8}
    assert found(run, override=["mobile"]) == {PHONE[:3]: 1.0, NAME[:3]: 0.8}
    nothing_there = [tagger("a", ALL, [ScoredSpan("email", 0, 1, 0.9)])]
    assert found(nothing_there, override=["email"]) == {EMAIL[:3]: 1.0}


@pytest.mark.parametrize(
    ("settings", "telling"),
    [
        ({"weights": {"d": 1}}, "names d, but the runs are a, twice"),
        ({"weights": {"twice": 2}}, "several of the runs"),
        ({"back_up": ["QQ"]}, "mix.back_up: unknown category QQ; known here: name, mobile, email"),
        ({"override": ["mobile", "vx"]}, "mix.override: unknown category vx"),
        ({"min_votes_of": {"name": 0.3, "nmae": 0.3}}, r"mix.min_votes_of: unknown category nmae; did you mean name\?"),
    ],
)
def test_settings_that_fit_no_run_are_refused(settings, telling):
    with pytest.raises(UserError, match=telling):
        Mixture(
            [tagger("a", ALL, []), tagger("twice", ALL, []), tagger("twice", ALL, [])],
            MixConfig(**settings),
            PredictConfig(),
        )


def test_by_probability_a_span_that_no_run_finds_may_win():
    unsure = [NAME._replace(probability=0.4)]
    runs = [tagger("a", ALL, [PHONE], unsure=unsure), tagger("b", ALL, [], unsure=unsure), tagger("c", ALL, [])]
    assert found(runs) == {}
    assert found(runs, 0.25, by="probability") == {NAME[:3]: round(0.8 / 3, 4)}
    assert found(runs, 0.25, by="probability", least_of={"name": 0.3}) == {}
    assert found(runs, 0.25, by="probability", weights={"b": 0, "c": 0}) == {NAME[:3]: 0.4, PHONE[:3]: 0.6}
    assert found(runs, 0.25, by="probability", override=["mobile"]) == {NAME[:3]: 0.2667, PHONE[:3]: 1.0}


def test_a_logistic_mixture_of_one_run_calibrates_it():
    run = tagger("a", ALL, [NAME])
    odds = (0.8 / 0.2) ** 0.5 * 2.718281828**-1
    assert found([run], 0.1, by="logistic", weights={"a": 0.5}, bias=-1.0) == {NAME[:3]: round(odds / (1 + odds), 4)}


def test_thresholds_of_unknown_categories_are_refused():
    with pytest.raises(UserError, match=r"predict\.min_probability_of"):
        found([tagger("a", ALL, [])], least_of={"nmae": 0.5})
