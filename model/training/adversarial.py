"""Adversarial training: embeddings are moved to where the loss is worst.

Let x be the embeddings of a batch, r their move, L the loss, and g the gradient of L at x + r:

    | method | move                                     | training loss                                            |
    |--------|------------------------------------------|----------------------------------------------------------|
    | fgsm   | r = eps sign(g)                          | L(x) + L(x + r)        (Goodfellow et al., ICLR 2015)    |
    | fgm    | r = eps g / |g|                          | L(x) + L(x + r)        (Miyato et al., ICLR 2017)        |
    | pgd    | K times r = P(r + step g / |g|), r = 0   | L(x) + L(x + r)        (Madry et al., ICLR 2018)         |
    | freelb | as pgd, from a random r                  | mean of the K L(x + r) (Zhu et al., ICLR 2020)           |
    | vat    | K times r = eps g / |g|, from a random r | L(x) + D(x, x + r)     (Miyato et al., TPAMI 2018)       |

P projects onto the ball of radius eps. For vat, g is the gradient of D, which needs no labels. D is the exact
Kullback-Leibler divergence between the distributions over tag sequences at x and at x + r (layers/divergence.py). Its
gradient is taken at distance eps. The paper takes it closer to x, but bf16 cannot represent so small a move.

Embedding weights are never changed: a move is added to the output of the embedding layers. With scope `sample`, every
position of every text has its own move, and every text its own norm. With scope `matrix`, every row of the embedding
matrix has a move, and there is one norm.

B batch, E embedding size, V rows of an embedding matrix.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding

from config import AdversarialConfig
from data.batches.dataset import LABELS
from data.batches.inputs import Batch
from model.model import TaggingNetwork
from model.training.loss import loss_of
from model.training.passes import Passes
from utils.errors import UserError
from utils.random_states import random_states, restore_random_states

Moves = dict[str, Tensor]  # by target: (B, positions, E), or (V, E)
Start = Callable[[Tensor], Tensor]  # makes a move from a mask of its shape, which is 1, and 0 on padding


class Adversary:
    """Adversarial training steps for one network.

    Args:
        network: whose embeddings are moved.
        settings: a method other than `none`.
        unlabelled: for vat, batches without labels.

    Raises:
        UserError: the network has no such embeddings, or they cannot be moved.
    """

    def __init__(
        self, network: TaggingNetwork, settings: AdversarialConfig, unlabelled: Iterator[Batch] | None = None
    ) -> None:
        self.network = network
        self.settings = settings
        self.unlabelled = unlabelled
        self.embeddings = MovableEmbeddings(network, settings.targets, settings.scope)

    def acts(self, epoch: int) -> bool:
        """Whether the steps of an epoch (counted from 0) are adversarial."""
        return epoch >= self.settings.start_epoch

    def train_on(self, batch: Batch, passes: Passes) -> Tensor:
        """All passes of a training step. Their gradients add up in the parameters.

        Returns:
            The loss of an ordinary step (for freelb the mean loss over its moves), without gradient.
        """
        method = {"freelb": self._freelb, "vat": self._vat}.get(self.settings.method, self._at_worst)
        return method(batch, passes)

    def _at_worst(self, batch: Batch, passes: Passes) -> Tensor:
        """fgsm, fgm and pgd."""
        with self.embeddings.moved(torch.zeros_like) as still:
            clean = loss_of(passes.clean(batch))
        passes.backward(clean)  # the gradients of the parameters, and with them those of the moves
        moves = self._first_move({name: gradient_of(move) for name, move in still.items()})
        for _ in range(self.settings.steps - 1 if self.settings.method == "pgd" else 0):
            moves = self._next_move(*self._gradients(moves, lambda: loss_of(passes.forward_unsynchronised(batch))))
        with self.embeddings.moved(moves, watched=False):
            passes.backward(loss_of(passes.forward(batch)))
        return clean.detach()

    def _freelb(self, batch: Batch, passes: Passes) -> Tensor:
        moves: Moves | Start = partial(self._random_start, self._own_generator())
        losses = []
        for _ in range(self.settings.steps):
            with self.embeddings.moved(moves) as here:
                loss = loss_of(passes.forward(batch))
            passes.backward(loss / self.settings.steps)
            moves = self._next_move(here, {name: gradient_of(move) for name, move in here.items()})
            losses.append(loss.detach())
        return torch.stack(losses).mean()

    def _vat(self, batch: Batch, passes: Passes) -> Tensor:
        start = partial(self._random_direction, self._own_generator())
        again = repeat_dropout()
        output = passes.clean(batch)
        loss = loss_of(output)
        passes.backward(loss)
        texts = {name: tensor for name, tensor in batch.items() if name not in LABELS}
        self._smooth(texts, output.scores.detach(), start, passes, again)
        if self.unlabelled is not None:
            texts = next(self.unlabelled)
            again = repeat_dropout()
            with torch.no_grad():
                scores = passes.forward_unsynchronised(texts).scores
            self._smooth(texts, scores, start, passes, again)
        return loss.detach()

    def _smooth(
        self, texts: Batch, scores: Tensor, moves: Moves | Start, passes: Passes, again: Callable[[], None]
    ) -> None:
        """The backward pass of vat's divergence from the scores (B, ...) of some texts.

        Args:
            texts: a batch without labels.
            scores: of the texts without a move.
            moves: to start from.
            passes: of the training.
            again: repeats the dropout masks of the pass that gave the scores.
        """
        mask = texts["character_mask"]

        def divergence(others: Tensor) -> Tensor:
            return self.network.head.divergence(scores, others, mask).sum() / mask.sum()

        for _ in range(self.settings.steps):
            again()
            _, gradients = self._gradients(moves, lambda: divergence(passes.forward_unsynchronised(texts).scores))
            moves = {name: self.settings.epsilon * self._unit(gradient) for name, gradient in gradients.items()}
        again()
        with self.embeddings.moved(moves, watched=False):
            passes.backward(divergence(passes.forward(texts).scores))

    # ------------------------------------------------------------------------------------------------------- moves

    def _first_move(self, gradients: Moves) -> Moves:
        """The first move from x along the gradient."""
        if self.settings.method == "fgsm":
            return {name: self.settings.epsilon * gradient.sign() for name, gradient in gradients.items()}
        if self.settings.method == "pgd":
            return self._next_move({name: torch.zeros_like(one) for name, one in gradients.items()}, gradients)
        return {name: self.settings.epsilon * self._unit(gradient) for name, gradient in gradients.items()}

    def _next_move(self, moves: Moves, gradients: Moves) -> Moves:
        """A step along the gradient, projected onto the ball."""
        return {
            name: self._project(move.detach() + self.settings.step_size * self._unit(gradients[name]))
            for name, move in moves.items()
        }

    def _project(self, move: Tensor) -> Tensor:
        return move * (self.settings.epsilon / self.embeddings.norm(move)).clamp(max=1.0)

    def _unit(self, gradient: Tensor) -> Tensor:
        """g / |g|, or 0 where g is 0."""
        norm = self.embeddings.norm(gradient)
        return torch.where(norm > 0, gradient / norm.clamp(min=torch.finfo(norm.dtype).tiny), 0.0)

    def _random_start(self, generator: torch.Generator, here: Tensor) -> Tensor:
        """FreeLB's start: uniform in a cube inside the ball."""
        half_side = self.settings.epsilon / self.embeddings.norm(here).clamp(min=1)  # a text may have no words
        return torch.empty_like(here).uniform_(-1, 1, generator=generator) * here * half_side

    def _random_direction(self, generator: torch.Generator, here: Tensor) -> Tensor:
        return self.settings.epsilon * self._unit(torch.empty_like(here).normal_(generator=generator) * here)

    def _own_generator(self) -> torch.Generator:
        """A generator for random moves, so that they do not change which dropout masks are drawn.

        Call it before `repeat_dropout`. Otherwise every step restores the same random state and gets the same seed.
        """
        seed = int(torch.randint(2**62, ()))
        return torch.Generator(next(self.network.parameters()).device).manual_seed(seed)

    def _gradients(self, moves: Moves | Start, loss: Callable[[], Tensor]) -> tuple[Moves, Moves]:
        """The moves, and the gradients of a loss with respect to them. Parameters get no gradients."""
        with self.embeddings.moved(moves) as here:
            value = loss()
        gradients = torch.autograd.grad(value, list(here.values()), materialize_grads=True)
        return here, dict(zip(here, map(finite, gradients), strict=True))


def repeat_dropout() -> Callable[[], None]:
    """Returns a function that resets the random state, so that each pass of vat uses the same dropout mask.

    With different masks two passes differ without any move, and the gradient of that difference is not the direction
    that vat looks for. The other methods draw a new mask for each pass.
    """
    return partial(restore_random_states, random_states())


class MovableEmbeddings:
    """The embedding layers of a network, with outputs that can be moved.

    Args:
        network: reads a batch in one pass.
        targets: `characters`, the token embeddings of the encoder; `words`, the word embeddings.
        scope: `sample` or `matrix`.

    Raises:
        UserError: the network has no word embeddings, or reads a batch in several passes.
    """

    def __init__(self, network: TaggingNetwork, targets: Iterable[str], scope: str) -> None:
        if not network.reads_once:
            raise UserError("adversarial.method needs a network that reads a batch in one pass; the network of "
                            "model.name reads it in several, so set adversarial.method to none")  # fmt: skip
        characters = network.encoder.transformer.get_input_embeddings()
        assert isinstance(characters, nn.Embedding)
        layers = {"characters": characters}
        if network.words is not None and network.words.num_embeddings > 1:  # row 0 is padding
            layers["words"] = network.words
        if "words" in targets and "words" not in layers:
            raise UserError("adversarial.targets names words, but the network has none (model.name, lexicon.match); "
                            "name characters")  # fmt: skip
        self.layers: dict[str, nn.Embedding] = {name: layers[name] for name in targets}
        self.scope = scope

    @contextlib.contextmanager
    def moved(self, moves: Moves | Start, watched: bool = True) -> Iterator[Moves]:
        """A context in which the outputs of the layers are moved.

        Args:
            moves: the moves, or a function that makes one from a mask of its shape at the first pass.
            watched: whether the moves need gradients.

        Yields:
            The moves that were added. They are complete after the first pass, and leaves of the graph if watched.
        """
        used: Moves = {}

        def move(name: str, layer: nn.Embedding, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
            if name not in used:
                made = moves(self._here(layer, inputs[0], output)) if callable(moves) else moves[name]
                used[name] = made.detach().requires_grad_(watched)
            if self.scope == "sample":
                return output + used[name]
            return output + embedding(inputs[0], used[name], layer.padding_idx)

        handles = [layer.register_forward_hook(partial(move, name)) for name, layer in self.layers.items()]
        try:
            yield used
        finally:
            for handle in handles:
                handle.remove()

    def _here(self, layer: nn.Embedding, ids: Tensor, output: Tensor) -> Tensor:
        """The mask of a move: 1, and 0 on padding. `ids` are (B, ...) and their `output` is (B, ..., E)."""
        if self.scope == "matrix":
            return torch.ones_like(layer.weight)
        if layer.padding_idx is None:
            return torch.ones_like(output)
        return (ids != layer.padding_idx).unsqueeze(-1).to(output.dtype).expand_as(output)

    def norm(self, move: Tensor) -> Tensor:
        """The norm of each text's move, (B, 1, ...) with as many dimensions as the move; or of the matrix, ()."""
        if self.scope == "matrix":
            return move.norm()
        return move.flatten(1).norm(dim=1).view(-1, *[1] * (move.dim() - 1))


def gradient_of(move: Tensor) -> Tensor:
    """The gradient of a move after a backward pass, or 0 if the pass did not reach it."""
    return torch.zeros_like(move) if move.grad is None else finite(move.grad)


def finite(gradient: Tensor) -> Tensor:
    """Replaces infinite and NaN entries by 0, because one of them would make the whole text's move NaN."""
    return gradient.nan_to_num(nan=0.0, posinf=0.0, neginf=0.0)
