"""A question for every category, read together with the text: Li et al., "A Unified MRC Framework for Named Entity
Recognition" (ACL 2020).

    [CLS] question [SEP] text [SEP]

B batch, C categories, Q questions asked of a text, K characters of the longest question, L characters, E encoder size.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from config import Config
from data.batches.labels import Labels
from model.heads.head import Output
from model.heads.query import QueryHead
from model.layers.character_encoder import CharacterEncoder
from model.model import DataShape, TaggingNetwork
from utils.errors import UserError


class Network(TaggingNetwork):
    """The encoder reads every text once for each question, `mrc.rows` of them at a time.

    In training what a part of the rows needs for its gradients is computed again, so that memory holds the work of one
    part however many there are.
    """

    own_head = QueryHead
    reads_once = False

    def __init__(self, config: Config, encoder: CharacterEncoder, data: DataShape) -> None:
        super().__init__(encoder)
        if config.mrc.asked and config.regularisation.r_drop:
            raise UserError("regularisation.r_drop compares two readings of the same questions, and mrc.asked draws "
                            "some for each; set one of them to 0")  # fmt: skip
        self.asked, self.rows = config.mrc.asked, config.mrc.rows
        vocabulary = data.vocabulary
        questions = [vocabulary.encode(text) for text in questions_of(config, data)]
        asked_before: dict[bytes, str] = {}
        for category, question in zip(data.categories, questions, strict=True):
            other = asked_before.setdefault(question.tobytes(), category)
            if other != category:
                raise UserError(f"mrc.queries: the questions of {other} and {category} are the same to the encoder, so "
                                "it cannot tell them apart; ask in characters that it knows")  # fmt: skip
        longest = max(map(len, questions))
        padded = np.full((len(questions), longest + 2), vocabulary.pad, dtype=np.int64)
        for row, question in zip(padded, questions, strict=True):
            row[0], row[-1] = vocabulary.begin, vocabulary.end
            row[1 : len(question) + 1] = question
        # They follow from the settings, so a run need not keep them as weights.
        self.register_buffer("questions", torch.from_numpy(padded), persistent=False)  # (C, K + 2)
        self.register_buffer("question_mask", torch.from_numpy(padded != vocabulary.pad), persistent=False)

    @classmethod
    def longest_input(cls, config: Config, data: DataShape) -> int:
        """The longest question beside the text."""
        return max(map(len, questions_of(config, data))) + config.data.max_len + 3

    def forward(
        self, token_ids: Tensor, character_mask: Tensor, labels: Labels | None = None, weights: Tensor | None = None
    ) -> Output:
        """Score texts; arguments as for all networks.

        In training with `mrc.asked` the scores are those of Q questions drawn for each text, else of all in the order
        of the categories.
        """
        if self.training and self.asked and labels is not None:
            chosen, stands_for = draw_questions(labels["spans"].flatten(2).any(dim=2), self.asked)  # (B, Q) both
            labels = {name: own[torch.arange(len(own), device=own.device)[:, None], chosen]
                      for name, own in labels.items()} | {"stands_for": stands_for}  # fmt: skip
        else:
            chosen = torch.arange(len(self.questions), device=token_ids.device).expand(len(token_ids), -1)
        return self.head(self._read(token_ids, character_mask, chosen), character_mask, labels, weights)

    def _read(self, token_ids: Tensor, character_mask: Tensor, chosen: Tensor) -> Tensor:
        """(B, Q, L, E) from texts and the questions (B, Q) to be asked of each."""
        texts, asked = chosen.shape
        before = self.questions.shape[1]  # K + 2
        tokens = torch.cat([self.questions[chosen], token_ids[:, None, 1:].expand(-1, asked, -1)], dim=2)
        places = torch.arange(token_ids.shape[1] - 1, device=token_ids.device)
        of_text = places < character_mask.sum(dim=1, keepdim=True) + 1  # (B, L + 1): its [SEP] is seen too
        seen = torch.cat([self.question_mask[chosen], of_text.unsqueeze(1).expand(-1, asked, -1)], dim=2)
        kinds = (torch.arange(tokens.shape[2], device=tokens.device) >= before).long().expand_as(tokens)
        parts = [
            self._read_part(*part)
            for part in zip(*(rows.flatten(0, 1).split(self.rows) for rows in (tokens, seen, kinds)), strict=True)
        ]
        return torch.cat(parts).unflatten(0, (texts, asked))[:, :, before:-1]

    def _read_part(self, tokens: Tensor, seen: Tensor, kinds: Tensor) -> Tensor:
        if torch.is_grad_enabled():
            return checkpoint(self.encoder.encode, tokens, seen, kinds, use_reentrant=False)
        return self.encoder.encode(tokens, seen, kinds)


def questions_of(config: Config, data: DataShape) -> list[str]:
    """The question of each category, in their order.

    Raises:
        UserError: a category has none though others have, or a question is empty.
    """
    queries = config.mrc.queries or {category: category for category in data.categories}
    if missing := [category for category in data.categories if not queries.get(category)]:
        raise UserError(f"mrc.queries has no question for {missing[0]}; give each category one")
    return [queries[category] for category in data.categories]


def draw_questions(answered: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Questions for each text: those with an answer, as far as room is left for at least one without.

    Args:
        answered: (B, C) bool.
        count: Q, 2 or more; where there are fewer categories, all.

    Returns:
        (B, Q) numbers of categories; and (B, Q) how many questions of its kind each stands for, so that the sum of
        losses weighted by it is, in the mean over draws, that of all questions.
    """
    categories = answered.shape[1]
    count = min(count, categories)
    answers = answered.sum(dim=1, keepdim=True)  # (B, 1)
    kept = torch.where(answers < categories, answers.clamp(max=count - 1), count)  # (B, 1)
    # First those with an answer in random order, then the others in random order.
    order = (torch.rand(answered.shape, device=answered.device) + answered).argsort(dim=1, descending=True)
    place = torch.arange(count, device=answered.device).expand(len(answered), -1)
    with_answer = place < kept  # (B, Q)
    chosen = order.gather(1, torch.where(with_answer, place, answers + place - kept))
    return chosen, torch.where(with_answer, answers / kept, (categories - answers) / (count - kept))
