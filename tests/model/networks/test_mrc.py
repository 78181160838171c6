"""Questions read with texts: what the encoder sees, parts that change nothing, and which questions are asked."""

import pytest
import torch

from data.processed import load_processed
from model.build import fresh_network
from model.networks.mrc import draw_questions
from tests.model.batches import batch_of, samples_of
from utils.errors import UserError

QUESTIONS = "mrc.queries={name: 谁, company: 哪家公司的名字, email: 邮箱}"


@pytest.fixture
def setting(small_config):
    """A function: changes -> (network, batch, processed)."""

    def make(*changes):
        config = small_config("mrc", "model.name=mrc", "data.categories=[name,company,email]", QUESTIONS, *changes)
        processed = load_processed(config)
        network = fresh_network(config, processed, seed=1)
        return network, batch_of(network, samples_of(network, processed), processed), processed

    return make


def test_the_encoder_reads_question_and_text(setting):
    network, batch, processed = setting()
    read, size = [], network.encoder.size
    network.eval().encoder.encode = lambda *given: read.append(given) or torch.zeros(*given[0].shape, size)
    network(**batch)
    tokens, seen, kinds = (torch.cat(parts) for parts in zip(*read, strict=True))
    vocabulary, lengths = processed.vocabulary, batch["character_mask"].sum(dim=1).tolist()
    row = 0
    for text, length in enumerate(lengths):
        for question in ("谁", "哪家公司的名字", "邮箱"):
            visible = tokens[row][seen[row]].tolist()
            expected = [vocabulary.begin, *vocabulary.encode(question), vocabulary.end,
                        *batch["token_ids"][text, 1 : length + 2].tolist()]  # fmt: skip
            assert visible == expected
            assert kinds[row][seen[row]].tolist() == [0] * (len(question) + 2) + [1] * (length + 1)
            row += 1
    assert row == len(tokens)


@pytest.mark.parametrize("rows", [1, 5])
def test_parts_change_neither_scores_nor_gradients(setting, monkeypatch, rows):
    (whole, batch, _), (parts, _, _) = setting(), setting()
    expected = whole.eval()(**batch)
    expected.loss.backward()
    monkeypatch.setattr("model.networks.mrc.ROWS", rows)
    found = parts.eval()(**batch)
    found.loss.backward()
    torch.testing.assert_close(found.scores, expected.scores, rtol=1e-4, atol=1e-4)
    for (name, one), other in zip(whole.named_parameters(), parts.parameters(), strict=True):
        if one.grad is not None:
            torch.testing.assert_close(other.grad, one.grad, rtol=1e-4, atol=1e-5, msg=name)


def test_no_more_rows_are_read_at_a_time_than_the_limit(setting, monkeypatch):
    monkeypatch.setattr("model.networks.mrc.ROWS", 5)
    network, batch, _ = setting()
    read, original = [], network.encoder.encode
    network.encoder.encode = lambda *given: read.append(len(given[0])) or original(*given)
    with torch.no_grad():
        network(**batch)
    assert read == [5, 5, 2]


def test_questions_with_an_answer_come_first_and_others_at_random():
    answered = torch.tensor([[False, True, False, True], [False] * 4, [True] * 4, [True, True, True, False]])
    seen = [set() for _ in answered]
    for _ in range(80):
        chosen, _ = draw_questions(answered, 3)
        assert chosen.shape == (4, 3)
        assert {1, 3} <= set(chosen[0].tolist())
        assert 3 in chosen[3].tolist(), "one without an answer is always asked"
        for text in range(4):
            assert len(set(chosen[text].tolist())) == 3
            seen[text].add(frozenset(chosen[text].tolist()))
    assert [len(one) for one in seen] == [2, 4, 4, 3]
    assert sorted(draw_questions(answered, 9)[0][0].tolist()) == [0, 1, 2, 3]


@pytest.mark.parametrize("count", [2, 3, 5])
def test_drawn_questions_stand_for_all(count):
    torch.manual_seed(3)
    answered = torch.rand(40, 5) < torch.linspace(0, 1, 40)[:, None]
    losses = torch.rand(40, 5)
    draws = []
    for _ in range(3000):
        chosen, stands_for = draw_questions(answered, count)
        torch.testing.assert_close(stands_for.sum(dim=1), torch.full((40,), 5.0))
        draws.append((losses.gather(1, chosen) * stands_for).sum(dim=1))
    torch.testing.assert_close(torch.stack(draws).mean(dim=0), losses.sum(dim=1), rtol=0.05, atol=0)


def test_the_loss_of_all_questions_drawn_is_that_of_all(setting):
    network, batch, _ = setting("mrc.asked=3", "model.dropout=0")
    for module in network.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
        if hasattr(module, "attention_probs_dropout_prob"):
            module.attention_probs_dropout_prob = 0.0
    torch.testing.assert_close(network.train()(**batch).loss, network.eval()(**batch).loss, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("change", "telling"),
    [
        ("mrc.queries={name: 谁}", "no question for company"),
        ("mrc.queries={name: '', company: 公司, email: 邮箱}", "no question for name"),
        ("mrc.queries={name: 谁, company: 公司, email: 谁}", "questions of .* are the same to the encoder"),
    ],
)
def test_a_category_without_a_question_is_refused(setting, change, telling):
    with pytest.raises(UserError, match=telling):
        setting(change)
