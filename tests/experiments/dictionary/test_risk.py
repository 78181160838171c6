"""The non-negative risk against its formula in plain loops."""

import math

import pytest
import torch

from experiments.dictionary.risk import PositiveUnlabelledRisk, classifier_losses

TEXTS, CATEGORIES, LENGTH = 3, 2, 7


def example(seed=0, spread=2.0):
    """Logits (B, K, L), positive characters and a mask of texts of 7, 4 and 1 characters."""
    draw = torch.Generator().manual_seed(seed)
    logits = spread * torch.randn(TEXTS, CATEGORIES, LENGTH, generator=draw)
    mask = torch.arange(LENGTH) < torch.tensor([7, 4, 1])[:, None]
    positive = (torch.rand(logits.shape, generator=draw) < 0.4) & mask[:, None]
    return logits, positive, mask


def parts_by_hand(logits, positive, mask, prior, labelled, risk):
    """Of one category (B, L): w p R_P+ and R_U- - p R_P-."""
    characters = sum(bool(cell) for row in mask for cell in row)
    as_positive = as_negative = unlabelled = 0.0
    for text in range(len(mask)):
        for place in range(mask.shape[1]):
            if not mask[text, place]:
                continue
            y = 1 / (1 + math.exp(-float(logits[text, place])))
            absolute = risk.loss == "absolute"
            unlabelled += y if absolute else -math.log(1 - y)
            if positive[text, place]:
                as_positive += 1 - y if absolute else -math.log(y)
                as_negative += y if absolute else -math.log(1 - y)
    expected = labelled * characters
    first = risk.positive_weight * prior * as_positive / expected
    return first, unlabelled / characters - prior * as_negative / expected


PRIORS, LABELLED = (0.3, 0.05), (0.2, 0.01)


def build(loss="absolute", positive_weight=None):
    return PositiveUnlabelledRisk(torch.tensor(PRIORS), torch.tensor(LABELLED), loss, positive_weight)


@pytest.mark.parametrize("loss", ["absolute", "cross_entropy"])
@pytest.mark.parametrize("seed", range(5))
def test_it_is_the_formula_summed_over_categories(loss, seed):
    logits, positive, mask = example(seed)
    risk = build(loss, positive_weight=3.0)
    expected = 0.0
    for category in range(CATEGORIES):
        first, second = parts_by_hand(
            logits[:, category], positive[:, category], mask, PRIORS[category], LABELLED[category], risk
        )
        expected += first + max(0.0, second)
    assert risk(logits, positive, mask).item() == pytest.approx(expected, rel=1e-5)


def test_it_is_never_negative():
    some_below = 0
    for seed in range(30):
        logits, positive, mask = example(seed, spread=6.0)
        risk = build()
        below = [
            parts_by_hand(logits[:, k], positive[:, k], mask, PRIORS[k], LABELLED[k], risk)[1] < 0
            for k in range(CATEGORIES)
        ]
        some_below += any(below)
        assert risk(logits, positive, mask).item() >= 0
    assert some_below > 5  # or nothing was tested


@pytest.mark.parametrize("loss", ["absolute", "cross_entropy"])
def test_a_batch_without_positives_is_all_unlabelled(loss):
    logits, positive, mask = example()
    alone = build(loss)(logits, torch.zeros_like(positive), mask)
    as_negative = classifier_losses(logits, loss)[1]
    assert alone.item() == pytest.approx((as_negative * mask[:, None]).sum().item() / mask.sum().item(), rel=1e-5)


def test_its_mean_over_batches_of_equal_size_is_that_of_all_texts_where_nothing_is_clipped():
    # The reason why a batch's positives are not averaged among themselves.
    draw = torch.Generator().manual_seed(3)
    logits = torch.randn(8, 1, 5, generator=draw)
    positive = torch.zeros(8, 1, 5, dtype=torch.bool)
    positive[0, 0, :2] = positive[5, 0, 1] = True
    mask = torch.ones(8, 5, dtype=torch.bool)
    risk = PositiveUnlabelledRisk(torch.tensor([0.1]), torch.tensor([3 / 40]), "absolute")
    batches = [risk(logits[i : i + 2], positive[i : i + 2], mask[i : i + 2]) for i in range(0, 8, 2)]
    assert torch.stack(batches).mean().item() == pytest.approx(risk(logits, positive, mask).item(), rel=1e-5)


def test_labelled_characters_among_the_unlabelled_are_the_same_as_apart_with_the_prior_of_the_rest():
    logits, positive, mask = example(2, spread=1.0)
    own, labelled_characters = logits[:, 0], positive[:, 0]
    s = labelled_characters.sum().item() / mask.sum().item()
    prior = s + 0.1
    _, joint = parts_by_hand(own, labelled_characters, mask, prior, s, build())
    rest, of_positive = (own.sigmoid()[where].mean().item() for where in (mask & ~labelled_characters,
                                                                         labelled_characters))  # fmt: skip
    assert joint == pytest.approx((1 - s) * (rest - (prior - s) / (1 - s) * of_positive), rel=1e-5)


def test_gradients_flow_and_pads_have_none():
    logits, positive, mask = example()
    logits.requires_grad_()
    build()(logits, positive, mask).backward()
    assert (logits.grad.abs().sum(dim=(0, 2)) > 0).all()
    assert (logits.grad[~mask[:, None].expand_as(positive)] == 0).all()


def test_below_zero_the_second_part_has_no_gradient():
    """The classifier calls the labelled positive and nothing else, so the second part is negative."""
    positive = torch.zeros(1, 1, 10, dtype=torch.bool)
    positive[0, 0, :3] = True
    logits = torch.where(positive, 3.0, -3.0).requires_grad_()
    risk = PositiveUnlabelledRisk(torch.tensor([0.6]), torch.tensor([0.3]), "absolute")
    risk(logits, positive, torch.ones(1, 10, dtype=torch.bool)).backward()
    gradient = logits.grad[0, 0]
    assert (gradient[3:] == 0).all()
    assert (gradient[:3] < 0).all()  # descending raises the labelled ones


@pytest.mark.parametrize(("loss", "weight"), [("cross_entropy", 1.0), ("absolute", 10.0)])
def test_the_weight_of_positives_follows_from_the_loss(loss, weight):
    example_of = example(1)
    assert build(loss)(*example_of).item() == build(loss, weight)(*example_of).item()
    assert build(loss)(*example_of).item() != build(loss, weight + 1)(*example_of).item()


def test_shares_that_are_none_are_refused():
    for priors, labelled in (([0.0], [0.1]), ([1.0], [0.1]), ([0.5], [0.0]), ([0.5, 0.5], [0.1])):
        with pytest.raises(ValueError, match="are not shares"):
            PositiveUnlabelledRisk(torch.tensor(priors), torch.tensor(labelled), "absolute")
