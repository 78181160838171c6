"""Labels that a head cannot hold are counted by category, and what is named holds them."""

import random
from collections import Counter

import pytest

from config import load_config
from data.batches.labels import ChainLabeller
from data.batches.span_labels import SpanLabeller
from data.batches.tags import TagScheme
from data.corpus.document import Document
from data.held_labels import count_unheld, describe_unheld
from data.spans import Span, fit_in_chains, sorted_spans

CATEGORIES = ["ORG", "PER", "地址"]


def random_documents(seed):
    draw = random.Random(seed)
    for number in range(60):
        begins = [draw.randrange(10) for _ in range(draw.randrange(6))]
        spans = (Span(draw.choice(CATEGORIES), begin, begin + draw.randrange(5)) for begin in begins)
        yield Document(str(number), "字" * 15, sorted_spans(spans))


@pytest.mark.parametrize("scheme", ["per_type", "bmes"])
def test_the_rule_is_that_of_the_tags(scheme):
    tags = TagScheme(scheme, CATEGORIES)
    for document in random_documents(scheme):
        held, left_out = fit_in_chains(document.spans, lambda span: span.category if scheme == "per_type" else "")
        written, expected = tags.encode(document.spans, 15)
        assert left_out == expected and sorted(held) == sorted(tags.decode(written))


@pytest.mark.parametrize(
    ("settings", "labeller"),
    [
        (["model.head=crf"], ChainLabeller(TagScheme("per_type", CATEGORIES))),
        (["model.head=softmax"], ChainLabeller(TagScheme("per_type", CATEGORIES))),
        (["model.head=crf", "crf.scheme=bmes"], ChainLabeller(TagScheme("bmes", CATEGORIES))),
        (["model.name=feature_crf"], ChainLabeller(TagScheme("bmes", CATEGORIES))),
        (["model.head=span"], SpanLabeller(CATEGORIES)),
        (["model.name=mrc"], SpanLabeller(CATEGORIES)),
    ],
)
def test_counts_are_those_of_the_labels_that_training_writes(settings, labeller):
    config = load_config([], settings)
    documents = list(random_documents(7))
    expected = Counter(span.category for document in documents for span in labeller.write(document.spans, [], 15)[1])
    assert count_unheld(config, documents) == expected
    said = describe_unheld(config, expected)
    assert bool(said) == bool(expected) == (config.model.head != "span" and config.model.name != "mrc")
    if said:
        assert f"cannot hold {expected.total()} labels" in said and "model.head span of a network holds all" in said
        assert all(f"{category} {count}" in said for category, count in expected.items())
        assert ("crf.scheme per_type holds those" in said) == ("crf.scheme=bmes" in settings)
