import itertools
import random
from collections import Counter

import numpy as np
import pytest
import torch
from accelerate.data_loader import BatchSamplerShard

from data.batches.dataset import (
    BucketSampler,
    SegmentDataset,
    Window,
    collate_samples,
    collate_windows,
    padding_share,
    window_batches,
)
from data.batches.inputs import collate_characters, collate_lattices
from data.batches.labels import ChainLabeller
from data.batches.tags import TagScheme
from data.corpus.document import Document
from data.lattice.segment import window_bounds
from data.spans import Doubt, Span

CATEGORIES = ("name", "place")
WORDS = ["天地", "天地玄", "玄黄", "宇宙", "地玄", "宙洪", "黄天", "洪洪", "宙宙", "玄宇", "黄黄"]


@pytest.fixture
def processed(processed_of, documents_of):
    return processed_of(documents_of(30, 1, alphabet="天地玄黄宇宙洪"), max_len=25, words=WORDS)


def collate(samples, processed):
    """A batch of characters, words and chains of tags."""
    return collate_samples(samples, processed.vocabulary, collate_lattices, ChainLabeller(None))


def padded(rows, pad):
    """Nested lists, each row filled up to the longest."""
    longest = max(map(len, rows), default=0)
    return [list(row) + [pad] * (longest - len(row)) for row in rows]


# ------------------------------------------------------------------------------------------------------------ samples


@pytest.mark.parametrize("name", ["per_type", "bmes"])
def test_a_batch_is_the_text_the_words_and_the_tags_padded_by_hand(processed, name):
    scheme = TagScheme(name, CATEGORIES)
    dataset = SegmentDataset(processed, range(30), ChainLabeller(scheme))
    chosen = random.Random(1).sample(range(len(dataset)), 9)
    batch = collate([dataset[index] for index in chosen], processed)
    vocabulary = processed.vocabulary
    tokens, masks, ids, heads, tails, word_masks, tags = [], [], [], [], [], [], []
    for index in chosen:
        number, begin, end = processed.segments[index].tolist()
        text = processed.documents[number].text[begin:end]
        found = sorted(
            (head, head + len(word) - 1, WORDS.index(word) + 1)
            for word in WORDS
            for head in range(len(text))
            if text.startswith(word, head)
        )
        tokens.append([vocabulary.begin, *(vocabulary.row(character) for character in text), vocabulary.end])
        masks.append([True] * len(text))
        heads.append([head for head, _, _ in found])
        tails.append([tail for _, tail, _ in found])
        ids.append([word for _, _, word in found])
        word_masks.append([True] * len(found))
        spans = [s for s in processed.documents[number].spans if begin <= s.begin and s.end < end]
        tags.append(scheme.encode([Span(c, b - begin, e - begin) for c, b, e in spans], len(text))[0])
    assert sum(map(len, ids)) > 20
    assert batch["token_ids"].tolist() == padded(tokens, vocabulary.pad)
    assert batch["character_mask"].tolist() == padded(masks, False)
    assert batch["word_ids"].tolist() == padded(ids, 0)
    # Seen from character 0, a word's head and tail are the distances with their signs turned.
    length = batch["character_mask"].shape[1]
    seen = -batch["distances"][batch["positions"][:, 0, length:]]
    assert seen[:, :, 0].tolist() == seen[:, :, 2].tolist() == padded(heads, 0)
    assert seen[:, :, 1].tolist() == seen[:, :, 3].tolist() == padded(tails, 0)
    assert batch["word_mask"].tolist() == padded(word_masks, False)
    for row, expected in enumerate(tags):
        length = expected.shape[1]
        assert batch["labels"]["tags"][row, :, :length].tolist() == expected.tolist()
        assert not batch["labels"]["tags"][row, :, length:].any()
    assert batch["labels"]["tags"].shape == (9, scheme.num_chains, batch["character_mask"].shape[1])
    for key, value in (batch | batch.pop("labels")).items():
        expected = torch.bool if key.endswith("mask") or key == "unknown" else torch.int64
        assert value.dtype == (torch.int32 if key == "positions" else expected)


def test_only_segments_of_the_chosen_documents_are_there(processed):
    dataset = SegmentDataset(processed, [3, 7], ChainLabeller(TagScheme("per_type", CATEGORIES)))
    assert set(dataset.segments[:, 0]) == {3, 7}
    assert len(dataset) == int(np.isin(processed.segments[:, 0], [3, 7]).sum())
    assert dataset.lengths.tolist() == [len(dataset[index].lattice.tokens) for index in range(len(dataset))]
    assert len(SegmentDataset(processed, [], ChainLabeller(TagScheme("per_type", CATEGORIES)))) == 0


def test_spans_of_later_segments_are_shifted_to_where_they_stand(processed):
    """Decoded tags of all segments, moved back, are the document's spans: none lost, none moved."""
    scheme = TagScheme("per_type", CATEGORIES)
    dataset = SegmentDataset(processed, range(30), ChainLabeller(scheme))
    assert (dataset.segments[:, 1] > 0).any()
    found = {number: set() for number in range(30)}
    for index, (number, begin, _) in enumerate(dataset.segments.tolist()):
        found[number] |= {Span(c, b + begin, e + begin) for c, b, e in scheme.decode(dataset[index].labels.tags)}
    expected = {number: set(document.spans) for number, document in enumerate(processed.documents)}
    assert all(found[number] <= expected[number] for number in found)
    lost = sum(len(expected[number] - found[number]) for number in found)
    assert lost == dataset.left_out.total()
    assert lost < sum(map(len, expected.values())) / 5


def test_spans_that_the_scheme_cannot_write_are_counted(processed_of):
    document = Document("0", "天地玄黄宇宙", (Span("name", 0, 2), Span("place", 2, 3)))
    processed = processed_of([document])
    assert SegmentDataset(processed, [0], ChainLabeller(TagScheme("per_type", CATEGORIES))).left_out == {}
    assert SegmentDataset(processed, [0], ChainLabeller(TagScheme("bmes", CATEGORIES))).left_out == {"place": 1}


def unknown_of(processed_of, document, name="per_type", max_len=10):
    labeller = ChainLabeller(TagScheme(name, CATEGORIES))
    dataset = SegmentDataset(processed_of([document], max_len=max_len), [0], labeller)
    return [dataset[index].labels.unknown.astype(int).tolist() for index in range(len(dataset))]


def test_what_is_left_of_a_cut_span_is_unknown_in_its_own_chain(processed_of):
    document = Document("0", "天" * 24, (Span("place", 8, 21), Span("name", 1, 2)))
    bounds = processed_of([document], max_len=10).segments[:, 1:].tolist()
    assert bounds == [[0, 8], [8, 18], [18, 24]]
    none = [0] * 10
    assert unknown_of(processed_of, document) == [
        [[0] * 8, [0] * 8],
        [none, [1] * 10],
        [[0] * 6, [1, 1, 1, 1, 0, 0]],
    ]
    assert unknown_of(processed_of, document, "bmes")[1:] == [[[1] * 10], [[1, 1, 1, 1, 0, 0]]]


@pytest.mark.parametrize("end", [18, 21])
def test_the_tags_of_a_cut_span_are_not_written(processed_of, end):
    """Not even where it goes on for just one character."""
    document = Document("0", "天" * 24, (Span("place", 8, end), Span("name", 1, 2)))
    processed = processed_of([document], max_len=10)
    dataset = SegmentDataset(processed, [0], ChainLabeller(TagScheme("per_type", CATEGORIES)))
    assert [dataset[index].labels.tags.any(axis=1).tolist() for index in range(3)] == [
        [True, False],
        [False, False],
        [False, False],
    ]


def test_doubtful_stretches_are_unknown_in_their_chain_and_a_star_in_all(processed_of):
    document = Document("0", "天" * 15, (Span("name", 0, 0),), (Doubt("name", 3, 4), Doubt("*", 9, 12)))
    assert unknown_of(processed_of, document) == [
        [[0, 0, 0, 1, 1, 0, 0, 0, 0, 1], [0] * 9 + [1]],
        [[1, 1, 1, 0, 0], [1, 1, 1, 0, 0]],
    ]


def test_a_doubtful_stretch_over_whole_segments(processed_of):
    document = Document("0", "天" * 30, (Span("name", 0, 0),), (Doubt("place", 5, 24),))
    assert unknown_of(processed_of, document) == [
        [[0] * 10, [0] * 5 + [1] * 5],
        [[0] * 10, [1] * 10],
        [[0] * 10, [1] * 5 + [0] * 5],
    ]


def test_unknown_is_padded_with_known_and_left_out_where_nothing_is(processed_of):
    documents = [
        Document("0", "天地玄", (Span("name", 0, 0),), (Doubt("name", 1, 2),)),
        Document("1", "宇宙洪荒日", (Span("place", 0, 1),)),
    ]
    processed = processed_of(documents)
    dataset = SegmentDataset(processed, [0, 1], ChainLabeller(TagScheme("per_type", CATEGORIES)))
    batch = collate([dataset[0], dataset[1]], processed)
    assert batch["labels"]["unknown"].int().tolist() == [[[0, 1, 1, 0, 0], [0] * 5], [[0] * 5, [0] * 5]]
    assert batch["labels"]["unknown"].dtype == torch.bool
    assert "unknown" not in collate([dataset[1]], processed)["labels"]


def test_beliefs_of_a_chain_are_their_mean_and_ordinary_batches_have_none(processed_of):
    doubts = (Doubt("name", 0, 0, 0.5), Doubt("name", 2, 3, 1.0), Doubt("*", 4, 4, 0.25))
    documents = [
        Document("0", "天地玄黄宇", (Span("name", 0, 0),), doubts),
        Document("1", "宇宙洪荒日", (Span("place", 0, 1),), weight=0.5),
        Document("2", "宇宙洪荒日", (Span("place", 0, 1),), (Doubt("name", 1, 1),)),
    ]
    processed = processed_of(documents)
    for scheme, expected in (("per_type", [(0.5 + 1 + 0.25) / 3, 0.25]), ("bmes", [(0.5 + 1 + 0.25) / 3])):
        dataset = SegmentDataset(processed, [0, 1, 2], ChainLabeller(TagScheme(scheme, CATEGORIES)))
        batch = collate([dataset[0], dataset[1], dataset[2]], processed)
        assert batch["labels"]["belief"].tolist() == [pytest.approx(expected), [0] * len(expected), [0] * len(expected)]
        assert batch["weights"].tolist() == [1, 0.5, 1]
        plain = collate([dataset[2]], processed)
        assert "weights" not in plain and "belief" not in plain["labels"]


def test_a_batch_without_a_word_has_no_columns_for_words(processed_of, documents_of):
    processed = processed_of(documents_of(3, 1))
    windows = [Window(0, 0, 5), Window(1, 0, 4)]
    batch = collate_windows(processed.lattices, windows, processed.vocabulary, collate_lattices)
    for name in ("word_ids", "word_mask"):
        assert batch[name].shape == (2, 0)
    assert batch["positions"].shape == (2, 5, 5)


def test_a_network_without_words_gets_none(processed):
    batch = collate_windows(processed.lattices, [Window(0, 0, 5)], processed.vocabulary, collate_characters)
    assert set(batch) == {"token_ids", "character_mask"}


def test_tags_of_characters_are_padded_with_zeros(processed):
    processed.lattices.tags = np.arange(1, len(processed.lattices.tokens) + 1, dtype=np.int16)
    windows = [Window(0, 1, 3), Window(1, 0, 4)]
    batch = collate_windows(processed.lattices, windows, processed.vocabulary, collate_characters)
    first = int(processed.lattices.token_offsets[1]) + 1
    assert batch["tags"].tolist() == [[2, 3, 0, 0], list(range(first, first + 4))]


def test_windows_are_collated_as_the_slices_they_are(processed):
    windows = [Window(0, 2, 5), Window(3, 0, 5)]
    expected = collate_lattices([processed.lattices.slice(*window) for window in windows], processed.vocabulary)
    batch = collate_windows(processed.lattices, windows, processed.vocabulary, collate_lattices)
    assert batch.keys() == expected.keys()
    assert all(torch.equal(batch[key], expected[key]) for key in batch)
    assert batch["character_mask"].sum(dim=1).tolist() == [3, 5]


# ------------------------------------------------------------------------------------------------------------ sampler


LENGTHS = np.random.default_rng(1).integers(1, 150, 1003)
BOUNDS = [{}, {"batch_tokens": 2400}]


def in_epoch(epoch, *arguments, **more):
    sampler = BucketSampler(*arguments, **more)
    sampler.set_epoch(epoch)
    return list(sampler)


@pytest.mark.parametrize("bound", BOUNDS)
def test_every_segment_comes_once_in_every_epoch(bound):
    sampler = BucketSampler(LENGTHS, 16, seed=1, **bound)
    for epoch in range(3):
        sampler.set_epoch(epoch)
        batches = list(sampler)
        assert Counter(index for batch in batches for index in batch) == Counter(range(1003))
        assert len(batches) == len(sampler)
        if not bound:
            assert sorted(map(len, batches)) == [11] + [16] * 62


def test_batches_stay_in_the_budget_and_are_as_full_as_it_allows():
    batches = in_epoch(2, LENGTHS, 16, 1, batch_tokens=2400)
    filled = [int(LENGTHS[batch].max()) * len(batch) for batch in batches]
    assert max(filled) <= 2400
    assert sorted(filled)[1] > 2400 - 152 - 8 * max(map(len, batches))
    assert max(map(len, batches)) > 64 > 16 >= min(map(len, batches))


def test_a_segment_longer_than_the_budget_is_a_batch_of_its_own():
    batches = in_epoch(0, np.array([200, 5, 199, 3]), 16, 1, batch_tokens=100)
    assert sorted(map(sorted, batches)) == [[0], [1, 3], [2]]


@pytest.mark.parametrize("bound", BOUNDS)
def test_the_order_follows_from_seed_and_epoch_alone(bound):
    def batches(seed, epoch):
        return in_epoch(epoch, LENGTHS, 16, seed, **bound)

    assert batches(1, 0) == batches(1, 0)
    used = BucketSampler(LENGTHS, 16, 1, **bound)
    list(used)
    used.set_epoch(3)
    assert list(used) == batches(1, 3), "what was drawn before does not matter"
    for other in (batches(1, 1), batches(2, 0)):
        assert other != batches(1, 0)
        assert {tuple(sorted(batch)) for batch in other} != {tuple(sorted(batch)) for batch in batches(1, 0)}
    assert batches(1, 2) != batches(2, 1)


@pytest.mark.parametrize("bound", BOUNDS)
def test_batches_hold_segments_of_similar_length_in_no_order_of_length(bound):
    batches = in_epoch(0, LENGTHS, 16, 1, **bound)
    order = np.random.default_rng(1).permutation(1003)
    at_random = [order[start : start + 16] for start in range(0, 1003, 16)]
    assert padding_share(LENGTHS, batches) < 0.1 < 0.4 < padding_share(LENGTHS, at_random)
    longest = np.array([LENGTHS[batch].max() for batch in batches])
    assert abs(np.corrcoef(longest, np.arange(len(batches)))[0, 1]) < 0.5


def test_segments_of_a_batch_are_together_by_chance():
    """Batches that held the same segments in every epoch would be no random batches."""
    together = [
        {frozenset(pair) for batch in in_epoch(epoch, LENGTHS, 16, 1) for pair in itertools.combinations(batch, 2)}
        for epoch in (0, 1)
    ]
    assert len(together[0] & together[1]) < 0.4 * len(together[0])


def test_the_padding_share_of_a_batch_counted_by_hand():
    assert padding_share(np.array([4, 1, 3, 2]), [[0, 1], [3, 2]]) == pytest.approx(1 - 10 / 14)


@pytest.mark.parametrize("processes", [2, 3])
@pytest.mark.parametrize("bound", BOUNDS)
def test_processes_share_the_batches_evenly_and_lose_none(processes, bound):
    sampler = BucketSampler(LENGTHS, 16, seed=1, processes=processes, **bound)
    shards = [BatchSamplerShard(sampler, processes, rank, even_batches=False) for rank in range(processes)]
    for epoch in range(4):
        sampler.set_epoch(epoch)
        of_ranks = [list(shard) for shard in shards]
        assert len(set(map(len, of_ranks))) == 1
        assert {index for batches in of_ranks for batch in batches for index in batch} == set(range(1003))
        assert sum(map(len, of_ranks)) == len(sampler) < len(BucketSampler(LENGTHS, 16, 1, **bound)) + processes


@pytest.mark.parametrize("count", [1, 5])
@pytest.mark.parametrize("processes", [1, 4])
def test_few_segments(count, processes):
    sampler = BucketSampler(np.ones(count), 4, seed=1, processes=processes)
    batches = list(sampler)
    assert {index for batch in batches for index in batch} == set(range(count))
    assert len(batches) == len(sampler) == (-(-count // 4) if processes == 1 else processes)


# ------------------------------------------------------------------------------------------------------------ windows


@pytest.mark.parametrize("budget", [1, 40, 300, 10**6])
def test_window_batches_hold_each_window_once_and_stay_in_the_budget(budget):
    draw = random.Random(budget)
    windows = [
        Window(document, *bounds)
        for document in range(50)
        for bounds in window_bounds(draw.choice([1, 7, 30, 31, 200]), 30, 10)
    ]
    batches = list(window_batches(windows, budget))
    assert Counter(window for batch in batches for window in batch) == Counter(windows)
    for batch in batches:
        longest = max(window.end - window.begin for window in batch)
        assert longest * len(batch) <= budget or len(batch) == 1
    lengths = [window.end - window.begin for batch in batches for window in batch]
    assert lengths == sorted(lengths, reverse=True), "so that memory runs out at once or never"


def test_window_batches_are_as_full_as_the_budget_allows():
    windows = [Window(number, 0, 10) for number in range(7)]
    assert [len(batch) for batch in window_batches(windows, 30)] == [3, 3, 1]
    assert [len(batch) for batch in window_batches(windows, 29)] == [2, 2, 2, 1]
    assert list(window_batches([], 30)) == []
