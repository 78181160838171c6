"""A pyramid of convolutions, one layer for each length of n-gram, that thinks again about the words it took in: Gui et
al., "CNN-Based Chinese NER with Lexicon Rethinking" (IJCAI 2019), section 3.

C_l at character m stands for the n-gram of l characters that begins there, C_1 for the character; w is the word of l
characters that begins there, 0 if there is none. Layer by layer from below

    C_l+1(m) = tanh(conv [C_l(m); C_l(m + 1)])
    X_l = i * u + f * C_l,  i, f = softmax of sigma(W_i C_l + U_i w), sigma(W_f C_l + U_f w),  u = tanh(W_u C_l + U_u w)

and again with the topmost X_T, which has seen T characters and, of their words, the one of all T: words enter the X
alone, and C_l+1 comes of the bare C_l. (So others pass the paper's equation on; the authors' code, rtmaww/LR-CNN,
convolves X_l there.)

    X_l = i * u + f * C_l + r * X_T,   i, f, r = softmax of sigma(W C_l + U w + V X_T),   W and U of i and f as above

At last each character takes from all lengths what it needs: a sum of the X_l with softmax weights that come from them.

This reads from left to right; words and n-grams that end at a character come from a second one that reads backwards.

B batch, L characters, T layers, I input size, D size of word vectors, H size of one direction.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import pad


class RethinkingCNN(nn.Module):
    """One direction: n-grams and words that begin at a character."""

    def __init__(self, size: int, word_size: int, hidden: int, layers: int) -> None:
        super().__init__()
        self.first = nn.Linear(size, hidden)
        self.convolutions = nn.ModuleList(nn.Linear(2 * hidden, hidden) for _ in range(layers - 1))
        self.grams = nn.Linear(hidden, 4 * hidden)  # W of i, f, u and r
        self.words = nn.Linear(word_size, 4 * hidden, bias=False)  # U
        self.again = nn.Linear(hidden, 3 * hidden, bias=False)  # V of i, f and r
        self.scale = nn.Sequential(nn.Linear(hidden, hidden), nn.Tanh(), nn.Linear(hidden, 1))

    def forward(self, vectors: Tensor, mask: Tensor, words: Tensor) -> Tensor:
        """Read texts.

        Args:
            vectors: (B, L, I); mask: (B, L) bool. Beyond a text all is zero.
            words: (T, B, L, D) vectors of the words by length and first character, zero where there is none.

        Returns:
            (B, L, H), pads zero.
        """
        here = mask.unsqueeze(2)
        grams = [torch.tanh(self.first(vectors)) * here]
        for convolution in self.convolutions:
            following = pad(grams[-1], (0, 0, 0, 1))[:, 1:]
            grams.append(torch.tanh(convolution(torch.cat([grams[-1], following], dim=2))) * here)
        pyramid = torch.stack(grams)  # (T, B, L, H)
        enter, keep, word, think = (self.grams(pyramid) + self.words(words)).chunk(4, dim=3)  # (T, B, L, H) each
        word = torch.tanh(word)
        once = _mixed([enter[-1:], keep[-1:]], [word[-1:], pyramid[-1:]])  # (1, B, L, H), of the topmost layer alone
        for_enter, for_keep, for_think = self.again(once).chunk(3, dim=3)
        twice = _mixed(
            [enter + for_enter, keep + for_keep, think + for_think], [word, pyramid, once.expand_as(pyramid)]
        )  # (T, B, L, H)
        weights = self.scale(twice).softmax(dim=0)  # (T, B, L, 1)
        return (weights * twice).sum(dim=0) * here


def _mixed(gates: list[Tensor], values: list[Tensor]) -> Tensor:
    """The values, weighted by the softmax over the logistic function of their gates, all (T, B, L, H)."""
    shares = torch.stack([gate.sigmoid() for gate in gates]).softmax(dim=0)
    return sum(share * value for share, value in zip(shares, values, strict=True))


def words_by_length(
    texts: tuple[int, int, int], vectors: Tensor, text: Tensor, begin: Tensor, lengths: Tensor
) -> Tensor:
    """A table of words.

    Args:
        texts: T, B and L.
        vectors: (V, D).
        text, begin, lengths: (V,) of each word; no word is longer than T.

    Returns:
        (T, B, L, D), zero where there is none.
    """
    table = vectors.new_zeros(*texts, vectors.shape[1])
    return table.index_put((lengths - 1, text, begin), vectors)
