"""A question for every category, read together with the text (Li et al., "A Unified MRC Framework for Named Entity
Recognition", ACL 2020). The encoder reads

    [CLS] question [SEP] text [SEP]

B batch, C categories, Q questions asked about a text, K characters of the longest question, L characters, E encoder
size, N = K + L + 3 tokens.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from config import Config, MrcConfig
from data.batches.labels import Labels
from model.heads.head import Output
from model.heads.query import QueryHead
from model.layers.character_encoder import CharacterEncoder
from model.model import DataShape, TaggingNetwork
from utils.errors import UserError

ROWS = 64  # pairs of question and text that the encoder reads at a time, for any batch size


class Network(TaggingNetwork):
    """The encoder reads every text once for each question, `ROWS` pairs at a time.

    Uses gradient checkpointing, so peak memory in training is that of `ROWS` pairs.

    Raises:
        UserError: a question is missing or equals another one, or the settings contradict each other.
    """

    own_head = QueryHead
    reads_once = False
    questions: Tensor  # (C, K + 2) tokens, [CLS] question pads [SEP]
    question_mask: Tensor  # (C, K + 2) bool, false on pads

    def __init__(self, config: Config, encoder: CharacterEncoder, data: DataShape) -> None:
        super().__init__(config, encoder, data)
        if config.mrc.asked and config.regularisation.r_drop:
            raise UserError("regularisation.r_drop needs two passes with the same questions, but mrc.asked draws "
                            "questions for each pass; set one of them to 0")  # fmt: skip
        self.asked = config.mrc.asked
        tokens = encode_questions(questions_of(config.mrc, data.categories), data)
        # Not persistent: the questions follow from the settings, so the weights of a run need not have them.
        self.register_buffer("questions", torch.from_numpy(tokens), persistent=False)
        self.register_buffer("question_mask", torch.from_numpy(tokens != data.vocabulary.pad), persistent=False)

    @classmethod
    def longest_input(cls, config: Config, data: DataShape) -> int:
        """The longest question and text together."""
        return max(map(len, questions_of(config.mrc, data.categories))) + config.data.max_len + 3

    def forward(
        self,
        token_ids: Tensor,
        character_mask: Tensor,
        labels: Labels | None = None,
        weights: Tensor | None = None,
        **words: Tensor,
    ) -> Output:
        """Score texts. The arguments are those of `TaggingNetwork.forward`.

        In training with `mrc.asked`, the scores are those of Q questions drawn for each text. Otherwise they are those
        of all questions in the order of the categories.
        """
        if self.training and self.asked and labels is not None:
            answered = labels["spans"].flatten(2).any(dim=2)  # (B, C)
            chosen, stands_for = draw_questions(answered, self.asked)  # (B, Q) each
            text = torch.arange(len(chosen), device=chosen.device)[:, None]  # (B, 1)
            labels = {name: own[text, chosen] for name, own in labels.items()} | {"stands_for": stands_for}
        else:
            chosen = torch.arange(len(self.questions), device=token_ids.device).expand(len(token_ids), -1)  # (B, C)
        states = self._read(token_ids, character_mask, chosen)  # (B, Q, L, E)
        return self.head(states, character_mask, labels, weights)

    def _read(self, token_ids: Tensor, character_mask: Tensor, chosen: Tensor) -> Tensor:
        """(B, Q, L, E) from tokens (B, L + 2), their mask (B, L) and the questions (B, Q) to ask about each text."""
        asked = chosen.shape[1]
        before = self.questions.shape[1]  # K + 2
        of_text = token_ids[:, None, 1:].expand(-1, asked, -1)  # (B, Q, L + 1)
        tokens = torch.cat([self.questions[chosen], of_text], dim=2)  # (B, Q, N)
        places = torch.arange(token_ids.shape[1] - 1, device=token_ids.device)  # (L + 1,)
        # Attention also sees the [SEP] of the text.
        text_mask = places < character_mask.sum(dim=1, keepdim=True) + 1  # (B, L + 1)
        seen = torch.cat([self.question_mask[chosen], text_mask[:, None].expand(-1, asked, -1)], dim=2)  # (B, Q, N)
        kinds = (torch.arange(tokens.shape[2], device=tokens.device) >= before).long().expand_as(tokens)  # (B, Q, N)
        parts = zip(*(rows.flatten(0, 1).split(ROWS) for rows in (tokens, seen, kinds)), strict=True)
        states = torch.cat([self._read_part(*part) for part in parts])  # (B Q, N, E)
        return states.unflatten(0, chosen.shape)[:, :, before:-1]

    def _read_part(self, tokens: Tensor, seen: Tensor, kinds: Tensor) -> Tensor:
        """(rows, N, E) from (rows, N) each."""
        if torch.is_grad_enabled():
            return checkpoint(self.encoder.encode, tokens, seen, kinds, use_reentrant=False)
        return self.encoder.encode(tokens, seen, kinds)


def questions_of(settings: MrcConfig, categories: Sequence[str]) -> list[str]:
    """The question of each category, in the order of the categories. Without `mrc.queries` it is the category's name.

    Raises:
        UserError: `mrc.queries` has no question for a category, or an empty one.
    """
    queries = settings.queries or {category: category for category in categories}
    if missing := [category for category in categories if not queries.get(category)]:
        raise UserError(f"mrc.queries has no question for {missing[0]}; give every category a question")
    return [queries[category] for category in categories]


def encode_questions(questions: Sequence[str], data: DataShape) -> np.ndarray:
    """int64 (C, K + 2) tokens: [CLS], the question of each category, pads, [SEP].

    Raises:
        UserError: two questions are the same tokens.
    """
    vocabulary = data.vocabulary
    encoded = [vocabulary.encode(question) for question in questions]
    category_of: dict[bytes, str] = {}
    for category, question in zip(data.categories, encoded, strict=True):
        other = category_of.setdefault(question.tobytes(), category)
        if other != category:
            raise UserError(f"mrc.queries: the questions of {other} and {category} are the same to the encoder; "
                            "use characters that its vocabulary has")  # fmt: skip
    tokens = np.full((len(encoded), max(map(len, encoded)) + 2), vocabulary.pad, dtype=np.int64)
    for row, question in zip(tokens, encoded, strict=True):
        row[0], row[-1] = vocabulary.begin, vocabulary.end
        row[1 : len(question) + 1] = question
    return tokens


def draw_questions(answered: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Draw questions for each text: as many with an answer as possible, and at least one without.

    Args:
        answered: (B, C) bool.
        count: Q, at least 2. With fewer categories, all questions are drawn.

    Returns:
        (B, Q) numbers of categories, and (B, Q) the number of questions that each one stands for. Weighted by these
        numbers, the sum of the losses has the sum over all questions as its expectation.
    """
    categories = answered.shape[1]
    count = min(count, categories)
    answers = answered.sum(dim=1, keepdim=True)  # (B, 1)
    kept = torch.where(answers < categories, answers.clamp(max=count - 1), count)  # (B, 1)
    # Questions with an answer in random order, then the others in random order.
    order = (torch.rand(answered.shape, device=answered.device) + answered).argsort(dim=1, descending=True)  # (B, C)
    place = torch.arange(count, device=answered.device).expand(len(answered), -1)  # (B, Q)
    with_answer = place < kept  # (B, Q)
    chosen = order.gather(1, torch.where(with_answer, place, answers + place - kept))  # (B, Q)
    return chosen, torch.where(with_answer, answers / kept, (categories - answers) / (count - kept))
