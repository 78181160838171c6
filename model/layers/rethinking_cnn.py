"""A pyramid of convolutions over n-grams that takes in words twice: Gui et al., "CNN-Based Chinese NER with Lexicon
Rethinking" (IJCAI 2019), section 3.

C_l at character m represents the n-gram of l characters that begins there. w is the word of l characters that begins
there, or 0 if there is none. From the lowest layer to the highest:

    C_l+1(m) = tanh(conv [C_l(m); C_l(m + 1)])
    X_l = i * u + f * C_l,  i, f = softmax of sigma(W_i C_l + U_i w), sigma(W_f C_l + U_f w),  u = tanh(W_u C_l + U_u w)

Rethinking computes the X again with the topmost X_T, which has read T characters:

    X_l = i * u + f * C_l + r * X_T,   i, f, r = softmax of sigma(W C_l + U w + V X_T),   W and U of i and f as above

The state of a character is the sum of its X_l, with softmax weights computed from them.

Words enter only the X, and C_l+1 follows from C_l without words. Others read the equation of the paper in this way. The
authors' code (rtmaww/LR-CNN) convolves X_l instead.

One pyramid reads words and n-grams that begin at a character. A second one, on reversed texts, reads those that end
there.

B batch, L characters, T layers, I input size, D size of word vectors, H size of one direction.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import pad


class RethinkingCNN(nn.Module):
    """One direction: n-grams and words that begin at a character.

    Args:
        size: I.
        word_size: D.
        hidden: H.
        layers: T.
    """

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
            vectors: (B, L, I); mask: (B, L) bool.
            words: (T, B, L, D) word vectors by length and first character, zero where there is no word.

        Returns:
            (B, L, H), pads zero.
        """
        here = mask.unsqueeze(2)  # (B, L, 1)
        grams = [torch.tanh(self.first(vectors)) * here]  # T of (B, L, H)
        for convolution in self.convolutions:
            following = pad(grams[-1], (0, 0, 0, 1))[:, 1:]  # (B, L, H) those of the next character
            grams.append(torch.tanh(convolution(torch.cat([grams[-1], following], dim=2))) * here)
        pyramid = torch.stack(grams)  # (T, B, L, H)
        enter, keep, word, think = (self.grams(pyramid) + self.words(words)).chunk(4, dim=3)  # (T, B, L, H) each
        word = torch.tanh(word)
        once = _mixed([enter[-1:], keep[-1:]], [word[-1:], pyramid[-1:]])  # (1, B, L, H), only the topmost layer
        for_enter, for_keep, for_think = self.again(once).chunk(3, dim=3)  # (1, B, L, H) each
        twice = _mixed(
            [enter + for_enter, keep + for_keep, think + for_think], [word, pyramid, once.expand_as(pyramid)]
        )  # (T, B, L, H)
        weights = self.scale(twice).softmax(dim=0)  # (T, B, L, 1)
        return (weights * twice).sum(dim=0) * here


def _mixed(gates: list[Tensor], values: list[Tensor]) -> Tensor:
    """(T, B, L, H) the sum of the values, weighted by a softmax over the sigmoid of their gates."""
    shares = torch.stack([gate.sigmoid() for gate in gates]).softmax(dim=0)
    return sum(share * value for share, value in zip(shares, values, strict=True))


def words_by_length(
    texts: tuple[int, int, int], vectors: Tensor, text: Tensor, begin: Tensor, lengths: Tensor
) -> Tensor:
    """Word vectors by length and first character.

    Args:
        texts: T, B and L.
        vectors: (V, D).
        text, begin, lengths: (V,) for each word. No word is longer than T.

    Returns:
        (T, B, L, D), zero where there is no word.
    """
    table = vectors.new_zeros(*texts, vectors.shape[1])
    return table.index_put((lengths - 1, text, begin), vectors)
