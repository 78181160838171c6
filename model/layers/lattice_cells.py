"""An LSTM over characters into whose cells flow the words that end there: Zhang and Yang, "Chinese NER Using Lattice
LSTM" (ACL 2018), section 3.3.

At character j, with input x_j, sigma the logistic function and * elementwise,

    i, o, f, g of character j     sigma, sigma, sigma, tanh of  W [x_j; h_j-1] + b
    word w from b to j            i, f, g = sigma, sigma, tanh of  W' [e_w; h_b] + b';    c_w = f * c_b + i * g
    its weight                    i_w = sigma(W'' [x_j; c_w] + b'')

    no word ends at j             c_j = f * c_j-1 + i * g
    else                          c_j = sum over words of a_w * c_w  +  a * g,   a = exp(i) / Z,  a_w = exp(i_w) / Z

with Z the sum of exp(i) and all exp(i_w), and h_j = o * tanh(c_j).

All texts of a batch take a step together, and all words that end at its place in any of them.

B batch, L characters, I input size, V words of all texts, D size of word vectors, H hidden size of one direction.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn


class LatticeLSTM(nn.Module):
    """One direction, from the first character to the last."""

    def __init__(self, size: int, word_size: int, hidden: int) -> None:
        super().__init__()
        self.hidden = hidden
        self.input = nn.Linear(size, 4 * hidden)
        self.state = nn.Linear(hidden, 4 * hidden, bias=False)
        self.word = nn.Linear(word_size, 3 * hidden)
        self.word_state = nn.Linear(hidden, 3 * hidden, bias=False)
        self.link_input = nn.Linear(size, hidden)
        self.link_cell = nn.Linear(hidden, hidden, bias=False)

    def forward(self, vectors: Tensor, mask: Tensor, words: Tensor, places: Tensor) -> Tensor:
        """Read texts.

        Args:
            vectors: (B, L, I); mask: (B, L) bool. Pads may stand on either side; there the state is zero.
            words: (V, D).
            places: (V, 3) integers, text, head and tail of each word.

        Returns:
            (B, L, H), pads zero.
        """
        order = places[:, 2].argsort(stable=True)
        words, places = words[order], places[order]
        ending, earliest = _words_of_steps(places, vectors.shape[1])
        exact = self.state.weight.dtype
        steps = zip(
            self.input(vectors).to(exact).unbind(1),
            self.link_input(vectors).to(exact).unbind(1),
            mask.unsqueeze(2).unbind(1),
            self.word(words).to(exact).split(ending),
            places.split(ending),
            earliest,
            strict=True,
        )
        # In the weights' precision also where half precision makes the products above: cells add up over a whole text,
        # and the products of a step are so small that casting them costs more than they do.
        with torch.autocast(vectors.device.type, enabled=False):
            states = self._read(steps, vectors.new_zeros(len(vectors), self.hidden, dtype=exact))
        return states * mask.unsqueeze(2)

    def _read(self, steps: Iterable[tuple], nothing: Tensor) -> Tensor:
        """(B, L, H) from what each step takes in; `nothing` (B, H) is the state before the first."""
        state = cell = nothing
        states, cells = [], []
        for gates, link, here, of_words, where, first in steps:
            gates = gates + self.state(state)
            enter, leave, forget = gates[:, : 3 * self.hidden].sigmoid().chunk(3, dim=1)
            new = gates[:, 3 * self.hidden :].tanh()
            cell = forget * cell + enter * new
            if len(where):
                text = where[:, 0]
                word_cells = self._word_cells(of_words, where, states, cells, first)  # (words that end here, H)
                weights = (link[text] + self.link_cell(word_cells)).sigmoid().exp()
                total = enter.exp().index_add(0, text, weights)  # (B, H)
                joined = (enter.exp() * new).index_add(0, text, weights * word_cells) / total
                reached = torch.zeros_like(here).index_fill(0, text, True)  # (B, 1)
                cell = torch.where(reached, joined, cell)
            cell = cell * here
            state = leave * cell.tanh()
            states.append(state)
            cells.append(cell)
        return torch.stack(states, dim=1)

    def _word_cells(
        self, words: Tensor, places: Tensor, states: list[Tensor], cells: list[Tensor], earliest: int
    ) -> Tensor:
        """(words, H) from the words' share of their gates and the characters at which they begin, none before
        `earliest`."""
        text, head = places[:, 0], places[:, 1]
        state, cell = (torch.stack(history[earliest:])[head - earliest, text] for history in (states, cells))
        gates = words + self.word_state(state)
        enter, forget = gates[:, : 2 * self.hidden].sigmoid().chunk(2, dim=1)
        return forget * cell + enter * gates[:, 2 * self.hidden :].tanh()


def _words_of_steps(places: Tensor, length: int) -> tuple[list[int], list[int]]:
    """How many words end at each character, and where the first of them begins; one copy to the processor."""
    head, tail = places[:, 1], places[:, 2]
    ending = torch.bincount(tail, minlength=length)
    earliest = torch.full_like(ending, length).scatter_reduce(0, tail, head, "amin")
    counts, firsts = torch.stack([ending, earliest]).tolist()
    return counts, firsts


class BidirectionalLatticeLSTM(nn.Module):
    """Both directions, (B, L, 2 H); backwards a word flows from its last character into its first."""

    def __init__(self, size: int, word_size: int, hidden: int) -> None:
        super().__init__()
        self.forwards = LatticeLSTM(size, word_size, hidden)
        self.backwards = LatticeLSTM(size, word_size, hidden)

    def forward(self, vectors: Tensor, mask: Tensor, words: Tensor, places: Tensor) -> Tensor:
        """As for `LatticeLSTM`."""
        last = vectors.shape[1] - 1
        text, head, tail = places.unbind(1)
        turned = torch.stack([text, last - tail, last - head], dim=1)
        there = self.forwards(vectors, mask, words, places)
        back = self.backwards(vectors.flip(1), mask.flip(1), words, turned).flip(1)
        return torch.cat([there, back], dim=2)
