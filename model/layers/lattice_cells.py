"""Lattice LSTM: an LSTM over characters whose cells also take in the words that end there (Zhang and Yang, "Chinese NER
Using Lattice LSTM", ACL 2018, section 3.3).

At character j, with input x_j, sigma the logistic function and * elementwise,

    i, o, f, g of character j     sigma, sigma, sigma, tanh of  W [x_j; h_j-1] + b
    word w from b to j            i, f, g = sigma, sigma, tanh of  W' [e_w; h_b] + b';    c_w = f * c_b + i * g
    its weight                    i_w = sigma(W'' [x_j; c_w] + b'')

    no word ends at j             c_j = f * c_j-1 + i * g
    else                          c_j = sum over words of a_w * c_w  +  a * g,   a = exp(i) / Z,  a_w = exp(i_w) / Z

with Z the sum of exp(i) and all exp(i_w), and h_j = o * tanh(c_j).

One step reads one character of all texts of a batch, and all words that end there.

B batch, L characters, I input size, V words of all texts, D size of word vectors, H hidden size of one direction,
Z words that end at the character of a step.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor, nn


class Step(NamedTuple):
    """Input of one step; projections are those of the inputs alone."""

    gates: Tensor  # (B, 4 H) of the character
    link: Tensor  # (B, H) of the character, for the weights of words
    here: Tensor  # (B, 1) bool, false on pads
    words: Tensor  # (Z, 3 H) gates of the words
    places: Tensor  # (Z, 3) text, head and tail of the words
    earliest: int  # the smallest head among them


class LatticeLSTM(nn.Module):
    """One direction, from the first character to the last.

    Args:
        size: I.
        word_size: D.
        hidden: H.
    """

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
            vectors: (B, L, I); mask: (B, L) bool. Pads may be on either side of a text.
            words: (V, D).
            places: (V, 3) integers, text, head and tail of each word.

        Returns:
            (B, L, H), pads zero.
        """
        order = places[:, 2].argsort(stable=True)  # (V,)
        words, places = words[order], places[order]
        ending, earliest = _words_of_steps(places, vectors.shape[1])
        exact = self.state.weight.dtype
        inputs = zip(
            self.input(vectors).to(exact).unbind(1),
            self.link_input(vectors).to(exact).unbind(1),
            mask.unsqueeze(2).unbind(1),
            self.word(words).to(exact).split(ending),
            places.split(ending),
            earliest,
            strict=True,
        )
        # The recurrence stays in the precision of the weights: cells sum over a whole text. The products of a step are
        # so small that a cast to half precision costs more than it saves.
        with torch.autocast(vectors.device.type, enabled=False):
            nothing = vectors.new_zeros(len(vectors), self.hidden, dtype=exact)  # (B, H)
            states = self._read(map(Step._make, inputs), nothing)  # (B, L, H)
        return states * mask.unsqueeze(2)

    def _read(self, steps: Iterable[Step], nothing: Tensor) -> Tensor:
        """(B, L, H) from the input of each step. `nothing` (B, H) is the state before the first."""
        state = cell = nothing
        states: list[Tensor] = []
        cells: list[Tensor] = []
        for step in steps:
            gates = step.gates + self.state(state)  # (B, 4 H)
            enter, leave, forget = gates[:, : 3 * self.hidden].sigmoid().chunk(3, dim=1)  # (B, H) each
            new = gates[:, 3 * self.hidden :].tanh()  # (B, H)
            cell = forget * cell + enter * new  # (B, H)
            if len(step.places):
                cell = self._join_words(step, cell, enter, new, self._word_cells(step, states, cells))
            cell = cell * step.here
            state = leave * cell.tanh()  # (B, H)
            states.append(state)
            cells.append(cell)
        return torch.stack(states, dim=1)

    def _word_cells(self, step: Step, states: list[Tensor], cells: list[Tensor]) -> Tensor:
        """(Z, H) from the words of a step and the states and cells of the characters where they begin."""
        text, head = step.places[:, 0], step.places[:, 1]  # (Z,) each
        state, cell = (  # (Z, H) each
            torch.stack(history[step.earliest :])[head - step.earliest, text] for history in (states, cells)
        )
        gates = step.words + self.word_state(state)  # (Z, 3 H)
        enter, forget = gates[:, : 2 * self.hidden].sigmoid().chunk(2, dim=1)  # (Z, H) each
        return forget * cell + enter * gates[:, 2 * self.hidden :].tanh()

    def _join_words(self, step: Step, cell: Tensor, enter: Tensor, new: Tensor, words: Tensor) -> Tensor:
        """(B, H) the cell of each text, replaced by the weighted sum with word cells (Z, H) where a word ends."""
        text = step.places[:, 0]  # (Z,)
        weights = (step.link[text] + self.link_cell(words)).sigmoid().exp()  # (Z, H)
        total = enter.exp().index_add(0, text, weights)  # (B, H)
        joined = (enter.exp() * new).index_add(0, text, weights * words) / total  # (B, H)
        reached = torch.zeros_like(step.here).index_fill(0, text, True)  # (B, 1)
        return torch.where(reached, joined, cell)


def _words_of_steps(places: Tensor, length: int) -> tuple[list[int], list[int]]:
    """The number of words that end at each character, and their smallest head. Copies to the CPU once."""
    head, tail = places[:, 1], places[:, 2]  # (V,) each
    ending = torch.bincount(tail, minlength=length)  # (L,)
    earliest = torch.full_like(ending, length).scatter_reduce(0, tail, head, "amin")  # (L,)
    counts, firsts = torch.stack([ending, earliest]).tolist()
    return counts, firsts


class BidirectionalLatticeLSTM(nn.Module):
    """Both directions. In the backward one, a word goes from its last character to its first."""

    def __init__(self, size: int, word_size: int, hidden: int) -> None:
        super().__init__()
        self.forwards = LatticeLSTM(size, word_size, hidden)
        self.backwards = LatticeLSTM(size, word_size, hidden)

    def forward(self, vectors: Tensor, mask: Tensor, words: Tensor, places: Tensor) -> Tensor:
        """(B, L, 2 H) from the arguments of `LatticeLSTM.forward`."""
        last = vectors.shape[1] - 1
        text, head, tail = places.unbind(1)  # (V,) each
        turned = torch.stack([text, last - tail, last - head], dim=1)  # (V, 3)
        there = self.forwards(vectors, mask, words, places)  # (B, L, H)
        back = self.backwards(vectors.flip(1), mask.flip(1), words, turned).flip(1)  # (B, L, H)
        return torch.cat([there, back], dim=2)
