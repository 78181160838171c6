"""Word sets and frequencies against a count of every word at every place of every text."""

import random

import numpy as np
import pytest
import torch

from data.batches.dataset import Window, collate_windows
from data.batches.word_sets import collate_word_sets, covered, word_frequencies

WORDS = ["天", "天地", "天地玄", "地玄", "玄地天", "地天", "天地天地"]


@pytest.fixture
def processed(processed_of, documents_of):
    documents = documents_of(30, 2, alphabet="天地玄")
    parts = ["train"] * 20 + ["dev"] * 5 + ["unlabelled"] * 5
    return processed_of(documents, parts, max_len=25, words=WORDS)


def sets_by_hand(text):
    """For each character the words that begin, contain, end with or are it, in order of their places."""
    sets = [[[], [], [], []] for _ in text]
    for head in range(len(text)):
        for tail in range(head, len(text)):
            word = text[head : tail + 1]
            if word not in WORDS:
                continue
            number = WORDS.index(word) + 1
            if head == tail:
                sets[head][3].append(number)
                continue
            sets[head][0].append(number)
            sets[tail][2].append(number)
            for inside in range(head + 1, tail):
                sets[inside][1].append(number)
    return sets


def test_sets_are_those_of_every_substring(processed):
    windows = [Window(number, *bounds) for number, *bounds in processed.segments.tolist()]
    chosen = random.Random(3).sample(windows, 12)
    batch = collate_windows(processed.lattices, chosen, processed.vocabulary, collate_word_sets)
    sets, length = batch["word_sets"], batch["character_mask"].shape[1]
    largest = 0
    for row, (number, begin, end) in enumerate(chosen):
        expected = sets_by_hand(processed.documents[number].text[begin:end])
        largest = max(largest, *(len(own) for character in expected for own in character))
        for place in range(length):
            for kind in range(4):
                found = [word for word in sets[row, place, kind].tolist() if word]
                assert found == (expected[place][kind] if place < len(expected) else [])
    assert sets.shape == (12, length, 4, largest) and largest > 1
    assert sets.dtype == torch.int64


def test_a_batch_without_a_word_has_empty_sets(processed_of, documents_of):
    processed = processed_of(documents_of(3, 1))
    batch = collate_windows(processed.lattices, [Window(0, 0, 5)], processed.vocabulary, collate_word_sets)
    assert batch["word_sets"].tolist() == [[[[0]] * 4] * 5]


def test_frequencies_count_what_no_longer_word_holds_in_the_documents_named(processed):
    expected = np.zeros(len(WORDS) + 1, dtype=int)
    everywhere = np.zeros(len(WORDS) + 1, dtype=int)
    for document, part in zip(processed.documents, processed.parts, strict=True):
        text = document.text
        places = [(head, tail) for head in range(len(text)) for tail in range(head, len(text))
                  if text[head : tail + 1] in WORDS]  # fmt: skip
        for head, tail in places:
            inside = any(h <= head and tail <= t and (h, t) != (head, tail) for h, t in places)
            number = WORDS.index(text[head : tail + 1]) + 1
            everywhere[number] += 1
            if part != "dev" and not inside:
                expected[number] += 1
    counted = [number for number, part in enumerate(processed.parts) if part != "dev"]
    assert word_frequencies(processed.lattices, counted, len(WORDS)).tolist() == expected.tolist()
    assert (expected < everywhere).sum() > 3


@pytest.mark.parametrize("seed", range(5))
def test_covered_words_are_those_inside_another(seed):
    draw = np.random.default_rng(seed)
    pairs = sorted({tuple(sorted(pair)) for pair in draw.integers(0, 12, (15, 2)).tolist()})
    heads, tails = np.array(pairs).T
    expected = [any(h <= head and tail <= t and (h, t) != (head, tail) for h, t in pairs) for head, tail in pairs]
    assert covered(heads, tails).tolist() == expected
    assert covered(heads[:0], tails[:0]).tolist() == []
