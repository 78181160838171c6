"""The lattice transformer against the formula of the paper, written as nested loops."""

import math

import pytest
import torch
from torch.nn.functional import softmax

from benchmarks.reference import seed_attention
from config import FlatConfig
from data.batches.positions import relative_positions
from model.layers.attention import RelativeAttention
from model.layers.flat_encoder import FlatEncoder
from model.layers.position import FUSIONS, RelativePositions, sinusoids
from model.layers.sampled import make_pattern, sampled_product

LENGTH, WORDS, HIDDEN, HEADS = 6, 3, 8, 2


def random_lattice(batch=2, seed=0):
    """Word heads and tails inside LENGTH characters, and a mask of all nodes with some pads of both kinds."""
    generator = torch.Generator().manual_seed(seed)
    heads = torch.randint(0, LENGTH - 1, (batch, WORDS), generator=generator)
    tails = torch.minimum(heads + torch.randint(1, 4, (batch, WORDS), generator=generator), torch.tensor(LENGTH - 1))
    mask = torch.ones(batch, LENGTH + WORDS, dtype=torch.bool)
    mask[1, LENGTH - 2 : LENGTH] = False
    mask[1, -1] = False
    heads[1, -1] = tails[1, -1] = 0
    return heads, tails, mask


def positions_of(length, heads, tails):
    """`relative_positions` of tensors, as tensors."""
    return map(torch.from_numpy, relative_positions(length, heads.numpy(), tails.numpy()))


def looped_row(positions, head_i, tail_i, head_j, tail_j):
    """R_ij from its four distances, by equations 5 to 7 of FLAT."""
    fusion = positions.fusion
    distances = [head_i - head_j, head_i - tail_j, tail_i - head_j, tail_i - tail_j]
    vectors = [positions.table[distance + positions.max_distance] for distance in distances]
    if fusion.fusion == "ff":
        return torch.relu(fusion.project(torch.cat(vectors)))
    if fusion.fusion == "ff_linear":
        return fusion.project(torch.cat(vectors))
    if fusion.fusion == "ff_two":
        return torch.relu(fusion.project(torch.cat([vectors[0], vectors[3]])))
    score = fusion.score(torch.cat(vectors))
    if fusion.fusion == "attn":
        weights = softmax(score, dim=0)
        return sum(weights[k] * fusion.project(vectors[k]) for k in range(4))
    weights = softmax(score.view(4, -1), dim=0)
    return sum(weights[k] * fusion.project(vectors[k]) for k in range(4))


def looped_attention(attention, positions, nodes, mask, word_heads, word_tails):
    """A*_ij = (W_q x_i + u)^T W_k x_j + (W_q x_i + v)^T W_R R_ij, then softmax and values, four nested loops."""
    batch, count, hidden = nodes.shape
    size = hidden // attention.heads
    outputs = torch.zeros_like(nodes)
    for b in range(batch):
        heads = list(range(LENGTH)) + word_heads[b].tolist()
        tails = list(range(LENGTH)) + word_tails[b].tolist()
        query, key, value = attention.query(nodes[b]), attention.key(nodes[b]), attention.value(nodes[b])
        for a in range(attention.heads):
            part = slice(a * size, (a + 1) * size)
            u, v = attention.content_bias[part], attention.position_bias[part]
            for i in range(count):
                logits = []
                for j in range(count):
                    row = attention.position(looped_row(positions, heads[i], tails[i], heads[j], tails[j]))
                    logit = (query[i, part] + u) @ key[j, part] + (query[i, part] + v) @ row[part]
                    logits.append(logit if mask[b, j] else torch.tensor(-math.inf, dtype=nodes.dtype))
                outputs[b, i, part] = softmax(torch.stack(logits), dim=0) @ value[:, part]
    return attention.output(outputs)


@pytest.mark.parametrize("fusion", FUSIONS)
def test_attention_equals_the_four_loops(fusion):
    torch.manual_seed(1)
    positions = RelativePositions(HIDDEN, 9, fusion).double()
    attention = RelativeAttention(HIDDEN, HEADS).double()
    torch.nn.init.normal_(attention.content_bias)
    torch.nn.init.normal_(attention.position_bias)
    heads, tails, mask = random_lattice()
    nodes = torch.randn(2, LENGTH + WORDS, HIDDEN, dtype=torch.float64, requires_grad=True)
    parameters = [*attention.parameters(), *positions.parameters(), nodes]

    distances, index = positions_of(LENGTH, heads, tails)
    fast = attention(nodes, mask, positions(distances), make_pattern(index, len(distances)))
    slow = looped_attention(attention, positions, nodes, mask, heads, tails)
    torch.testing.assert_close(fast, slow, rtol=0, atol=1e-10)

    weights = torch.randn_like(fast)
    fast_gradients = torch.autograd.grad((fast * weights).sum(), parameters)
    slow_gradients = torch.autograd.grad((slow * weights).sum(), parameters)
    for fast_gradient, slow_gradient in zip(fast_gradients, slow_gradients, strict=True):
        torch.testing.assert_close(fast_gradient, slow_gradient, rtol=0, atol=1e-8)


def test_every_pair_gets_its_four_distances_and_no_position_is_listed_twice():
    heads, tails, _ = random_lattice(seed=4)
    distances, index = positions_of(LENGTH, heads, tails)
    assert len(set(map(tuple, distances.tolist()))) == len(distances)
    assert sorted(set(index.flatten().tolist())) == list(range(len(distances)))
    for b in range(2):
        h = list(range(LENGTH)) + heads[b].tolist()
        t = list(range(LENGTH)) + tails[b].tolist()
        for i in range(LENGTH + WORDS):
            for j in range(LENGTH + WORDS):
                expected = [h[i] - h[j], h[i] - t[j], t[i] - h[j], t[i] - t[j]]
                assert distances[index[b, i, j]].tolist() == expected


@pytest.mark.parametrize("sparse", [True, False], ids=["sparse products", "other devices"])
def test_sampled_products_and_their_gradients_are_those_of_the_whole_product(sparse, monkeypatch):
    torch.manual_seed(0)
    index = torch.randint(0, 7, (2, 5, 6), dtype=torch.int32)  # row 7 of 8 is never used
    pattern = make_pattern(index, 8)
    query = torch.randn(3, 10, 4, dtype=torch.float64, requires_grad=True)
    rows = torch.randn(3, 8, 4, dtype=torch.float64, requires_grad=True)
    if not sparse:
        monkeypatch.setattr("model.layers.sampled.WITH_SPARSE_PRODUCTS", ())
    fast = sampled_product(query, rows, pattern).view(3, 10, 6)
    slow = torch.stack([
        torch.stack([query[a, q] @ rows[a, k] for q in range(10) for k in index.view(10, 6)[q]]) for a in range(3)
    ]).view(3, 10, 6)  # fmt: skip
    torch.testing.assert_close(fast, slow)
    weights = torch.randn_like(fast)
    fast_gradients = torch.autograd.grad((fast * weights).sum(), [query, rows])
    for one, other in zip(fast_gradients, torch.autograd.grad((slow * weights).sum(), [query, rows]), strict=True):
        torch.testing.assert_close(one, other)
    assert not fast_gradients[1][:, 7].any()


def test_a_distance_means_the_same_in_every_batch():
    """Earlier code indexed the table by the batch's length, so that padding moved every position."""
    positions = RelativePositions(HIDDEN, 9)
    heads, tails = torch.tensor([[1]]), torch.tensor([[2]])
    (short, short_index), (long, long_index) = (positions_of(length, heads, tails) for length in (4, 8))
    nodes = [*range(4), -1]  # four characters and the word
    for i in nodes:
        for j in nodes:
            left, right = positions(short)[short_index[0, i, j]], positions(long)[long_index[0, i, j]]
            torch.testing.assert_close(left, right)


@pytest.mark.parametrize("fusion", FUSIONS)
def test_attention_agrees_with_the_plain_formula_on_large_lattices(fusion):
    """The four loops are too slow beyond toys; the reference of the benchmark takes over, in float64."""
    torch.manual_seed(2)
    length, words, hidden, heads = 40, 25, 16, 4
    positions = RelativePositions(hidden, length - 1, fusion).double()
    attention = RelativeAttention(hidden, heads).double()
    word_heads = torch.randint(0, length - 8, (3, words))
    word_tails = word_heads + torch.randint(1, 8, (3, words))
    mask = torch.rand(3, length + words) < 0.9
    nodes = torch.randn(3, length + words, hidden, dtype=torch.float64, requires_grad=True)
    characters = torch.arange(length).expand(3, -1)
    all_heads, all_tails = (torch.cat([characters, part], dim=1) for part in (word_heads, word_tails))
    distances, index = positions_of(length, word_heads, word_tails)

    fast = attention(nodes, mask, positions(distances), make_pattern(index, len(distances)))
    slow = seed_attention(attention, positions, nodes, mask, all_heads, all_tails)
    torch.testing.assert_close(fast, slow, rtol=0, atol=1e-10)
    parameters = [*attention.parameters(), *positions.parameters(), nodes]
    weights = torch.randn_like(fast)
    gradients = [torch.autograd.grad((output * weights).sum(), parameters) for output in (fast, slow)]
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-8)


def test_sinusoids_are_those_of_the_paper():
    table = sinusoids(3, 4)
    assert table.shape == (7, 4)
    for distance in range(-3, 4):
        slow = [math.sin(distance), math.sin(distance / 10000), math.cos(distance), math.cos(distance / 10000)]
        torch.testing.assert_close(table[distance + 3], torch.tensor(slow))


def flat_encoder(layers=2, **settings):
    torch.manual_seed(0)
    config = FlatConfig(layers=layers, hidden=HIDDEN, heads=HEADS, feed_forward=16, **settings)
    return FlatEncoder(config, character_size=5, word_size=3, max_distance=20).eval()


def inputs_heads(batch=3, words=WORDS):
    """First characters of the words that `inputs` has; each word is two characters long."""
    return torch.randint(0, 3, (batch, words), generator=torch.Generator().manual_seed(2))


def inputs(batch=3, length=LENGTH, words=WORDS):
    heads = inputs_heads(batch, words)
    generator = torch.Generator().manual_seed(3)
    distances, positions = positions_of(length, heads, heads + 1)
    return {
        "characters": torch.randn(batch, length, 5, generator=generator),
        "character_mask": torch.arange(length) < torch.tensor([length, length - 2, 3])[:batch, None],
        "words": torch.randn(batch, words, 3, generator=generator),
        "distances": distances,
        "positions": positions,
        "word_mask": torch.arange(words) < torch.tensor([words, words - 1, 0])[:batch, None],
    }


@torch.no_grad()
def test_a_batch_equals_its_samples():
    encoder, batch = flat_encoder(), inputs()
    together = encoder(**batch)
    for row in range(3):
        length, words = int(batch["character_mask"][row].sum()), int(batch["word_mask"][row].sum())
        alone = {
            name: tensor[row : row + 1, : words if name.startswith("word") else length]
            for name, tensor in batch.items()
            if name not in ("distances", "positions")
        }
        kept = [*range(length), *range(LENGTH, LENGTH + words)]
        alone |= {"distances": batch["distances"], "positions": batch["positions"][row : row + 1, kept][:, :, kept]}
        torch.testing.assert_close(encoder(**alone)[0], together[row, :length], rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_more_padding_changes_nothing_and_pads_are_zero():
    encoder, batch = flat_encoder(), inputs()
    padded = {
        name: torch.nn.functional.pad(tensor, (0, 0) * (tensor.dim() - 2) + (0, 4))
        for name, tensor in batch.items()
        if name not in ("distances", "positions")
    }
    heads, tails = (torch.nn.functional.pad(inputs_heads() + more, (0, 4)) for more in (0, 1))
    distances, positions = positions_of(LENGTH + 4, heads, tails)
    plain, more = encoder(**batch), encoder(**padded, distances=distances, positions=positions)
    torch.testing.assert_close(more[:, :LENGTH], plain, rtol=1e-4, atol=1e-5)
    assert not more[~padded["character_mask"]].any()


@torch.no_grad()
def test_the_order_of_words_does_not_matter_and_their_places_do():
    encoder, batch = flat_encoder(), inputs(batch=1)
    plain = encoder(**batch)
    order = torch.tensor([2, 0, 1])
    nodes = torch.cat([torch.arange(LENGTH), LENGTH + order])
    shuffled = {name: tensor[:, order] if name.startswith("word") else tensor for name, tensor in batch.items()}
    shuffled["positions"] = batch["positions"][:, nodes][:, :, nodes]
    torch.testing.assert_close(encoder(**shuffled), plain, rtol=1e-4, atol=1e-5)
    heads = inputs_heads(batch=1) + 1
    distances, positions = positions_of(LENGTH, heads, heads + 1)
    assert not torch.allclose(encoder(**batch | {"distances": distances, "positions": positions}), plain, atol=1e-4)


def test_a_text_longer_than_the_table_is_refused():
    with pytest.raises(ValueError, match="24 characters, but the position table ends at 20"):
        flat_encoder()(**inputs(batch=1, length=24))


def test_nothing_that_training_keeps_has_a_row_of_hidden_for_every_pair():
    """Other code needs batch x N x N x hidden. Here a pair must need no more than its logits."""
    batch, length, words, hidden, heads = 2, 60, 20, 32, 4
    positions, attention = RelativePositions(hidden, length), RelativeAttention(hidden, heads)
    nodes = torch.randn(batch, length + words, hidden, requires_grad=True)
    places = torch.randint(0, length - 3, (batch, words))
    distances, index = positions_of(length, places, places + 2)
    sizes = []
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: sizes.append(tensor.numel()) or tensor, lambda t: t):
        mask = torch.ones(batch, length + words, dtype=torch.bool)
        attention(nodes, mask, positions(distances), make_pattern(index, len(distances)))
    assert max(sizes) <= batch * heads * (length + words) ** 2
