"""Adversarial steps: closed forms on a linear model, and what holds of them on the real network."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from config import AdversarialConfig, load_config
from data.processed import load_processed
from model.build import fresh_network
from model.heads.head import Output
from model.training.adversarial import Adversary
from model.training.folds import train
from model.training.optimizer import build_optimizer
from tests.model.batches import batch_of, samples_of
from tests.model.watched import Witness, equal, weights

pytestmark = pytest.mark.slow

METHODS = ["fgsm", "fgm", "pgd", "freelb", "vat"]
WITH_RANDOM_START = [("freelb", 0), ("vat", 1)]  # and which of their passes has it
EPSILON = 0.5


class Linear(nn.Module):
    """The loss is the sum of embeddings, each times a fixed vector: its gradient is that vector, wherever one is."""

    reads_once = True

    def __init__(self, slopes, ids):
        super().__init__()
        torch.manual_seed(1)
        self.slopes, self.ids = slopes, ids  # (B, L, E), (B, L)
        self.table, self.words = nn.Embedding(6, slopes.shape[2]), nn.Embedding(6, slopes.shape[2])
        self.encoder = SimpleNamespace(transformer=SimpleNamespace(get_input_embeddings=lambda: self.table))
        self.seen = []

    def forward(self, **batch):
        embedded, words = self.table(self.ids), self.words(self.ids)
        self.seen.append((embedded.detach(), words.detach()))
        return Output(None, (self.slopes * (embedded + 3 * words)).sum())

    def moves(self, target=0):
        """What was added in every pass, compared with the first one, which was clean."""
        return [seen[target] - self.seen[0][target] for seen in self.seen[1:]]


class PlainPasses:
    """Passes through a network with nothing around it. Records the loss of every pass that counted."""

    def __init__(self, network):
        self.network = network
        self.losses = []

    def clean(self, batch):
        return self.network(**batch)

    forward = forward_unsynchronised = clean

    def backward(self, loss):
        self.losses.append(loss.item())
        loss.backward()


@pytest.fixture
def linear():
    torch.manual_seed(0)
    return Linear(torch.randn(3, 4, 5), torch.randint(0, 6, (3, 4)))


def attack(network, **settings):
    settings = AdversarialConfig(**{"epsilon": EPSILON, "step_size": 0.2} | settings)
    passes = PlainPasses(network)
    Adversary(network, settings).train_on({}, passes)
    return passes.losses


def norms(moves):
    return moves.flatten(1).norm(dim=1)


def unit(moves):
    return moves / norms(moves)[:, None, None]


def test_fgsm_moves_by_the_sign_of_the_gradient(linear):
    attack(linear, method="fgsm")
    (move,) = linear.moves()
    torch.testing.assert_close(move, EPSILON * linear.slopes.sign())


def test_fgm_moves_each_text_along_its_own_gradient(linear):
    clean, moved = attack(linear, method="fgm")
    (move,) = linear.moves()
    torch.testing.assert_close(move, EPSILON * unit(linear.slopes))
    assert moved == pytest.approx(clean + EPSILON * norms(linear.slopes).sum().item(), abs=1e-4)
    assert not linear.moves(1)[0].any(), "words are no target"


@pytest.mark.parametrize("steps", [1, 2, 3, 4])
def test_pgd_goes_so_many_steps_and_stays_in_the_ball(linear, steps):
    attack(linear, method="pgd", steps=steps)
    moves = linear.moves()
    assert len(moves) == steps
    for taken, move in enumerate(moves, 1):
        torch.testing.assert_close(norms(move), torch.full((3,), min(EPSILON, 0.2 * taken)))
        torch.testing.assert_close(unit(move), unit(linear.slopes))


def test_pgd_counts_the_clean_gradient_and_that_of_the_last_step_alone(linear):
    attack(linear, method="pgd", steps=3)
    # The gradient of a linear loss is the same everywhere, so twice the clean one is left.
    expected = torch.zeros_like(linear.table.weight).index_add_(0, linear.ids.flatten(), linear.slopes.flatten(0, 1))
    torch.testing.assert_close(linear.table.weight.grad, 2 * expected)


def test_freelb_starts_at_random_in_the_ball_and_averages_the_gradients(linear):
    torch.manual_seed(3)
    losses = attack(linear, method="freelb", steps=3)
    first = linear.seen[0][0] - linear.table(linear.ids).detach()
    assert 0 < norms(first).max() <= EPSILON
    assert len(losses) == 3 and len(linear.seen) == 3
    for before, after in zip(linear.seen[:-1], linear.seen[1:], strict=True):
        start = before[0] - linear.table(linear.ids).detach()
        step = start + 0.2 * unit(linear.slopes)
        step = step * (EPSILON / norms(step)).clamp(max=1)[:, None, None]
        torch.testing.assert_close(after[0] - linear.table(linear.ids).detach(), step, rtol=1e-4, atol=1e-5)
    expected = torch.zeros_like(linear.table.weight).index_add_(0, linear.ids.flatten(), linear.slopes.flatten(0, 1))
    torch.testing.assert_close(linear.table.weight.grad, expected)


@pytest.mark.parametrize("method", ["fgsm", "fgm"])
def test_a_matrix_is_moved_row_by_row_with_one_norm(linear, method):
    attack(linear, method=method, scope="matrix")
    gradient = torch.zeros(6, 5).index_add_(0, linear.ids.flatten(), linear.slopes.flatten(0, 1))
    expected = EPSILON * (gradient.sign() if method == "fgsm" else gradient / gradient.norm())
    (move,) = linear.moves()
    torch.testing.assert_close(move, expected[linear.ids])


def test_words_and_characters_are_moved_by_their_own_gradients(linear):
    attack(linear, method="fgm", targets=["characters", "words"])
    expected = EPSILON * unit(linear.slopes)
    torch.testing.assert_close(linear.moves(0)[0], expected)
    torch.testing.assert_close(linear.moves(1)[0], expected)  # three times the gradient, the same direction


@pytest.mark.parametrize("method", ["fgsm", "fgm", "pgd", "freelb"])
@pytest.mark.parametrize("scope", ["sample", "matrix"])
def test_zero_and_infinite_gradients_move_nothing(method, scope):
    slopes = torch.randn(3, 4, 5)
    slopes[0] = 0
    slopes[1, 2, 3], slopes[1, 0, 0] = float("nan"), float("inf")
    network = Linear(slopes, torch.arange(12).view(3, 4) % 4 + torch.tensor([[0], [0], [2]]))
    attack(network, method=method, scope=scope)
    for embedded, _ in network.seen:
        assert embedded.isfinite().all()
    if scope == "sample" and method != "freelb":
        for move in network.moves():
            assert not move[0].any() and not move[1, 2, 3] and not move[1, 0, 0]
            assert move[2].any()


# ------------------------------------------------------------------------------------------------- the real network


@pytest.fixture(scope="module")
def setting(small_config):
    """A function: changes -> (network in float64 without dropout, batch)."""

    def make(*changes, dropout=False):
        config = small_config("adversarial", *changes)
        processed = load_processed(config)
        network = fresh_network(config, processed, seed=1).double().train(dropout)
        return network, batch_of(network, samples_of(network, processed), processed)

    return make


class RecordingPasses(PlainPasses):
    """Also records the embeddings and the scores of every pass."""

    def __init__(self, network):
        super().__init__(network)
        self.embedded, self.scores = [], []

    def clean(self, batch):
        layer = self.network.encoder.transformer.get_input_embeddings()
        # Called after the hook that moves, which the adversary has registered before.
        handle = layer.register_forward_hook(lambda module, inputs, output: self.embedded.append(output.detach()))
        try:
            output = self.network(**batch)
        finally:
            handle.remove()
        self.scores.append(output.scores.detach())
        return output

    forward = forward_unsynchronised = clean


@pytest.mark.parametrize("method", METHODS)
def test_moves_of_every_text_stay_within_epsilon(setting, method):
    network, batch = setting()
    passes = RecordingPasses(network)
    Adversary(network, AdversarialConfig(method=method, epsilon=EPSILON, step_size=0.4)).train_on(batch, passes)
    clean = network.encoder.transformer.get_input_embeddings()(batch["token_ids"]).detach()
    moves = [embedded - clean for embedded in passes.embedded]
    assert len(moves) == {"fgsm": 2, "fgm": 2, "pgd": 4, "freelb": 3, "vat": 5}[method]
    for move in moves:
        sizes = move.abs().amax(dim=(1, 2)) if method == "fgsm" else norms(move)
        assert (sizes <= EPSILON * (1 + 1e-9)).all()
    assert norms(moves[-1]).min() > 0.9 * EPSILON


@pytest.mark.parametrize(("method", "first"), WITH_RANDOM_START)
def test_random_starts_leave_pads_alone_and_are_as_large_as_without_them(setting, method, first):
    network, batch = setting()
    passes = RecordingPasses(network)
    settings = AdversarialConfig(method=method, epsilon=EPSILON, step_size=0.4)
    Adversary(network, settings).train_on(batch, passes)
    table = network.encoder.transformer.get_input_embeddings()
    moves = passes.embedded[first] - table(batch["token_ids"]).detach()
    real = batch["token_ids"] != table.padding_idx
    assert not real.all() and not moves[~real].any()
    if method == "vat":
        torch.testing.assert_close(norms(moves), torch.full((4,), EPSILON, dtype=moves.dtype))
    else:
        half_side = EPSILON / (real.sum(dim=1) * moves.shape[2]).sqrt()
        torch.testing.assert_close(moves.abs().amax(dim=(1, 2)), half_side.to(moves.dtype), rtol=0.05, atol=0)


@pytest.mark.parametrize("method", ["fgsm", "fgm", "pgd"])
@pytest.mark.parametrize("targets", [["characters"], ["words"], ["characters", "words"]], ids="+".join)
def test_the_gradient_is_that_of_the_clean_loss_plus_that_of_the_moved_loss(setting, method, targets):
    """The second one taken by writing the move into the embedding matrix itself."""
    network, batch = setting()
    layers = {"characters": network.encoder.transformer.get_input_embeddings(), "words": network.words}
    before = {name: layer.weight.detach().clone() for name, layer in layers.items()}
    settings = AdversarialConfig(method=method, scope="matrix", targets=targets, epsilon=2.0)
    adversary, moves = Adversary(network, settings), {}
    original = adversary.embeddings.moved
    adversary.embeddings.moved = lambda given, **more: (
        moves.update(given if isinstance(given, dict) else {}) or original(given, **more)
    )
    adversary.train_on(batch, PlainPasses(network))
    found = {name: parameter.grad.clone() for name, parameter in network.named_parameters()}
    assert all(torch.equal(layer.weight, before[name]) for name, layer in layers.items()), "restored bit for bit"
    assert set(moves) == set(targets)

    network.zero_grad()
    network(**batch).loss.backward()
    with torch.no_grad():
        for name, move in moves.items():
            layers[name].weight += move
    network(**batch).loss.backward()
    for name, parameter in network.named_parameters():
        torch.testing.assert_close(found[name], parameter.grad, rtol=1e-9, atol=1e-12)


def test_after_a_step_the_weights_are_those_of_a_plain_update_with_these_gradients(setting, small_config):
    config = small_config("adversarial")
    network, batch = setting()
    other, _ = setting()
    optimizers = [build_optimizer(one, config.train) for one in (network, other)]
    Adversary(network, AdversarialConfig(method="fgm")).train_on(batch, PlainPasses(network))
    for own, copied in zip(network.parameters(), other.parameters(), strict=True):
        copied.grad = own.grad.clone()
    for optimizer in optimizers:
        optimizer.step()
    assert all(torch.equal(own, copied) for own, copied in zip(network.parameters(), other.parameters(), strict=True))


def test_vat_is_zero_for_a_model_that_always_says_the_same(setting):
    network, batch = setting("regularisation.label_smoothing=0")
    with torch.no_grad():
        network.head.emission.weight.zero_()
    passes = PlainPasses(network)
    Adversary(network, AdversarialConfig(method="vat")).train_on(batch, passes)
    assert passes.losses[1] == pytest.approx(0, abs=1e-12)
    network.head.emission.weight.data.normal_()
    Adversary(network, AdversarialConfig(method="vat")).train_on(batch, passes)
    assert passes.losses[3] > 1e-3


def test_vat_needs_no_labels(setting):
    """Gradients of a step with an unlabelled batch, less those without it, are those of the divergence alone."""
    network, batch = setting()
    texts = {name: tensor for name, tensor in batch.items() if name != "labels"}
    passes = PlainPasses(network)
    torch.manual_seed(1)
    Adversary(network, AdversarialConfig(method="vat"), iter([texts])).train_on(batch, passes)
    assert len(passes.losses) == 3 and passes.losses[2] > 0
    assert all(parameter.grad is None or parameter.grad.isfinite().all() for parameter in network.parameters())


def test_vat_looks_where_the_divergence_grows_most(setting):
    """Its move does more than random ones of the same size do."""
    network, batch = setting()
    with torch.no_grad():
        network.head.emission.weight.normal_(std=0.5)
    found = {}
    for steps, name in ((1, "once"), (5, "often")):
        passes = PlainPasses(network)
        torch.manual_seed(1)
        Adversary(network, AdversarialConfig(method="vat", steps=steps, epsilon=0.1)).train_on(batch, passes)
        found[name] = passes.losses[1]
    adversary = Adversary(network, AdversarialConfig(method="vat", steps=1, epsilon=0.1))
    adversary._gradients = lambda moves, loss: ({}, {"characters": torch.randn_like(embedded)})
    embedded = network.encoder.transformer.get_input_embeddings()(batch["token_ids"])
    passes = PlainPasses(network)
    adversary.train_on(batch, passes)
    assert 0 < 3 * passes.losses[1] < found["once"] <= found["often"] * 1.05


@pytest.mark.parametrize(("method", "further"), [("fgm", 1), ("freelb", 1), ("vat", 3)])
def test_vat_repeats_its_dropout_masks_and_other_methods_draw_new_ones(setting, method, further):
    """In every pass, that of a random start included."""
    network, batch = setting(dropout=True)
    passes = RecordingPasses(network)
    settings = AdversarialConfig(method=method, steps=2, epsilon=1e-9)
    Adversary(network, settings).train_on(batch, passes)
    first, *others = passes.scores
    equal = [torch.allclose(first, one, rtol=1e-6, atol=1e-7) for one in others]
    assert equal == [method == "vat"] * further


@pytest.mark.parametrize(("method", "first"), WITH_RANDOM_START)
def test_random_starts_follow_from_the_seed_and_differ_from_step_to_step(setting, method, first):
    """Without dropout, so that nothing else draws from the generator between two steps."""
    network, batch = setting()
    adversary = Adversary(network, AdversarialConfig(method=method))

    def starts():
        torch.manual_seed(1)
        passes = RecordingPasses(network)
        adversary.train_on(batch, passes)
        adversary.train_on(batch, passes)
        return passes.embedded[first], passes.embedded[len(passes.embedded) // 2 + first]

    one, other = starts()
    assert not torch.equal(one, other)
    assert all(torch.equal(*pair) for pair in zip((one, other), starts(), strict=True))


def test_it_waits_for_its_epoch(linear):
    adversary = Adversary(linear, AdversarialConfig(method="fgm", start_epoch=2))
    assert [adversary.acts(epoch) for epoch in range(4)] == [False, False, True, True]


# --------------------------------------------------------------------------------------------------------- training


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("scope", ["sample", "matrix"])
def test_every_method_trains_with_accumulation_clipping_and_half_precision(run, method, scope):
    changes = ["train.accumulation=2", "train.precision=bf16", "train.clip=0.5", f"adversarial.method={method}",
               f"adversarial.scope={scope}", "adversarial.targets=[characters, words]", "train.epochs=1"]  # fmt: skip
    _, metrics = run(f"adversarial_{method}", *changes)
    assert 0 < metrics[0]["history"][0]["loss"] < 100


def test_a_method_changes_what_is_learned_only_once_it_has_begun(run):
    without, late = Witness(), Witness()
    run("without", witness=without)
    run("late", "adversarial.method=fgm", "adversarial.start_epoch=1", witness=late)
    assert equal(without.encoders[0], late.encoders[0])
    assert not equal(without.encoders[1], late.encoders[1])


def test_unlabelled_texts_join_and_a_resumed_run_sees_them_as_an_unbroken_one_does(run, interrupted, sample_folder):
    changes = ["adversarial.method=vat", "adversarial.steps=1", "adversarial.unlabelled=true", "train.batch_size=64",
               f"data.unlabelled={sample_folder}/test_data"]  # fmt: skip
    whole, _ = run("vat_whole", *changes)
    interrupted("vat_stopped", *changes)
    resumed, _ = run("vat_stopped", *changes, go_on=True)
    assert equal(weights(whole), weights(resumed))
    without, _ = run("vat_without", *changes, "adversarial.unlabelled=false")
    assert not equal(weights(whole), weights(without))


@pytest.mark.parametrize(
    ("changes", "telling"),
    [
        ("adversarial.method=fgm adversarial.epsilon=0", r"adversarial.epsilon \(0.0\) must be greater than 0"),
        ("adversarial.method=fgm adversarial.epsilon=-1", "must be greater than 0"),
        ("adversarial.method=pgd adversarial.step_size=0", "must be greater than 0"),
        ("adversarial.method=pgd adversarial.steps=0", "at least 1"),
        ("adversarial.method=pdg", "must be one of none, fgsm, fgm, pgd, freelb, vat"),
        ("adversarial.scope=token", "must be one of sample, matrix"),
        ("adversarial.targets=[sentences]", "must be one of characters, words"),
        ("adversarial.targets=[]", "must not be empty"),
        ("adversarial.method=fgm adversarial.start_epoch=10", "must be less than train.epochs"),
        ("adversarial.method=fgm adversarial.unlabelled=true", "others need labels"),
        ("adversarial.method=vat adversarial.unlabelled=true", "data.unlabelled must name a corpus"),
        ("adversarial.method=fgm regularisation.r_drop=1", "read each batch several times"),
    ],
)
def test_contradictions_are_one_line(changes, telling):
    with pytest.raises(Exception, match=telling) as refused:
        load_config([], changes.replace("[characters, ", "[characters,").split())
    assert type(refused.value).__name__ == "UserError" and "\n" not in str(refused.value)


@pytest.mark.parametrize("without", ["model.name=encoder", "lexicon.match=none"])
def test_words_to_move_that_are_not_there_are_refused(small_config, without):
    config = small_config("wordless", "adversarial.method=fgm", "adversarial.targets=[words]", without)
    with pytest.raises(Exception, match="the network has none") as refused:
        train(config, load_processed(config))
    assert type(refused.value).__name__ == "UserError" and "\n" not in str(refused.value)
