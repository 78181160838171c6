"""What all heads share: the precision of losses, weights of texts, and several dropout masks."""

import pytest
import torch

from config import load_config
from model.heads.head import Head

MASK = torch.tensor([[True, True, True], [True, False, False]])


class Products(Head):
    """Scores are the states, and the loss is a matrix product, which autocast would compute in half precision."""

    def scores(self, states, character_mask):
        return states.float()

    def losses(self, scores, character_mask, labels):
        return (scores.flatten(1) @ labels["factors"]).squeeze(1)


def make_head(*changes):
    return Products(load_config([], changes))


@pytest.mark.half_precision
def test_losses_are_computed_in_float32():
    torch.manual_seed(1)
    states, labels, head = torch.randn(2, 3, 4), {"factors": torch.randn(12, 1)}, make_head().eval()
    with torch.autocast("cpu", torch.bfloat16):
        half = head(states, MASK, labels).loss
    assert half.dtype == torch.float32 and torch.equal(half, head(states, MASK, labels).loss)


def test_dropout_masks_are_drawn_as_often_as_asked_and_averaged():
    states, labels = torch.ones(2, 3, 4), {"factors": torch.ones(12, 1)}
    head = make_head("model.dropout=0.5", "regularisation.dropout_samples=3").train()
    torch.manual_seed(2)
    output = head(states, MASK, labels)
    torch.manual_seed(2)
    masks = torch.stack([torch.nn.functional.dropout(states, 0.5) for _ in range(3)])
    torch.testing.assert_close(output.scores, masks.mean(dim=0))
    torch.testing.assert_close(output.loss, masks.sum() / 3 / MASK.sum())
    assert torch.equal(head.eval()(states, MASK).scores, states)
