"""Training on embeddings that are moved to where the loss is worst.

With x the embeddings of a batch, r their move, L the loss, g its gradient by x at x + r:

    | method | move                                     | loss that is trained on                                  |
    |--------|------------------------------------------|----------------------------------------------------------|
    | fgsm   | r = eps sign(g)                          | L(x) + w L(x + r)      (Goodfellow et al., ICLR 2015)    |
    | fgm    | r = eps g / |g|                          | L(x) + w L(x + r)      (Miyato et al., ICLR 2017)        |
    | pgd    | K times r = P(r + step g / |g|), r = 0   | L(x) + w L(x + r)      (Madry et al., ICLR 2018)         |
    | freelb | the same, from a random r                | mean of the K L(x + r) (Zhu et al., ICLR 2020)           |
    | vat    | K times r = eps g / |g|, from a random r | L(x) + w D(x, x + r)   (Miyato et al., TPAMI 2018)       |

P projects onto the ball of radius eps. For vat, g is the gradient of D: the Kullback-Leibler divergence of the tag
sequences' distribution at x + r from that at x, exact (layers/divergence.py), which needs no labels. Its gradient is
taken at distance eps, where the paper goes closer: half precision would not see a smaller move.

Embedding weights are never written to: a move is added to what the embedding layers put out. What is moved is each
text by itself (`sample`: a move for every place of every text, a norm for every text), or the embedding matrix
(`matrix`: a move for every row, one norm).

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
from model.training.passes import Passes
from utils.errors import UserError
from utils.random_states import random_states, restore_random_states

Moves = dict[str, Tensor]  # by target: (B, places, E), or (V, E)
Start = Callable[[Tensor], Tensor]  # makes a move of the form of a tensor, which is 1 where it counts and 0 on pads


class Adversary:
    """Adversarial training steps for one network.

    Args:
        unlabelled: for vat, gives batches without tags.
    """

    def __init__(
        self, network: TaggingNetwork, settings: AdversarialConfig, unlabelled: Iterator[Batch] | None = None
    ) -> None:
        self.network = network
        self.settings = settings
        self.unlabelled = unlabelled
        self.embeddings = MovableEmbeddings(network, settings.targets, settings.scope)

    def acts(self, epoch: int, step: int) -> bool:
        """Whether its time has come, after so many whole epochs and optimizer steps."""
        return epoch >= self.settings.start_epoch and step >= self.settings.start_step

    def train_on(self, batch: Batch, passes: Passes) -> Tensor:
        """All passes of a training step; the gradients of all of them add up in the parameters.

        Returns:
            The loss that a plain step would have had (for freelb the mean over its moves), without gradient.
        """
        method = {"freelb": self._freelb, "vat": self._vat}.get(self.settings.method, self._at_worst)
        return method(batch, passes)

    def _at_worst(self, batch: Batch, passes: Passes) -> Tensor:
        """fgsm, fgm and pgd."""
        again = self._repeat_dropout()
        with self.embeddings.moved(torch.zeros_like) as still:
            clean = passes.clean(batch).loss
        passes.backward(clean)  # the gradients of the parameters, and with them those of the moves
        moves = self._first_move({name: gradient_of(move) for name, move in still.items()})
        for _ in range(self.settings.steps - 1 if self.settings.method == "pgd" else 0):
            again()
            moves = self._next_move(*self._gradients(moves, lambda: passes.forward_unsynchronised(batch).loss))
        again()
        with self.embeddings.moved(moves, watched=False):
            passes.backward(self.settings.weight * passes.forward(batch).loss)
        return clean.detach()

    def _freelb(self, batch: Batch, passes: Passes) -> Tensor:
        moves: Moves | Start = partial(self._random_start, self._own_generator())
        again = self._repeat_dropout()
        losses = []
        for _ in range(self.settings.steps):
            again()
            with self.embeddings.moved(moves) as here:
                loss = passes.forward(batch).loss
            passes.backward(loss / self.settings.steps)
            moves = self._next_move(here, {name: gradient_of(move) for name, move in here.items()})
            losses.append(loss.detach())
        return torch.stack(losses).mean()

    def _vat(self, batch: Batch, passes: Passes) -> Tensor:
        start = partial(self._random_direction, self._own_generator())
        again = self._repeat_dropout()
        output = passes.clean(batch)
        passes.backward(output.loss)
        texts = {name: tensor for name, tensor in batch.items() if name not in LABELS}
        self._smooth(texts, output.scores.detach(), start, passes, again)
        if self.unlabelled is not None:
            texts = next(self.unlabelled)
            again = self._repeat_dropout()
            with torch.no_grad():
                scores = passes.forward_unsynchronised(texts).scores
            self._smooth(texts, scores, start, passes, again)
        return output.loss.detach()

    def _smooth(
        self, texts: Batch, scores: Tensor, moves: Moves | Start, passes: Passes, again: Callable[[], None]
    ) -> None:
        """Backward pass of the divergence from what the network says of texts: scores (B, ...)."""
        mask = texts["character_mask"]

        def divergence(others: Tensor) -> Tensor:
            return self.network.head.divergence(scores, others, mask).sum() / mask.sum()

        for _ in range(self.settings.steps):
            again()
            _, gradients = self._gradients(moves, lambda: divergence(passes.forward_unsynchronised(texts).scores))
            moves = {name: self.settings.epsilon * self._unit(gradient) for name, gradient in gradients.items()}
        again()
        with self.embeddings.moved(moves, watched=False):
            passes.backward(self.settings.weight * divergence(passes.forward(texts).scores))

    # ------------------------------------------------------------------------------------------------------- moves

    def _first_move(self, gradients: Moves) -> Moves:
        """From x itself along the gradient."""
        if self.settings.method == "fgsm":
            return {name: self.settings.epsilon * gradient.sign() for name, gradient in gradients.items()}
        if self.settings.method == "pgd":
            return self._next_move({name: torch.zeros_like(one) for name, one in gradients.items()}, gradients)
        return {name: self.settings.epsilon * self._unit(gradient) for name, gradient in gradients.items()}

    def _next_move(self, moves: Moves, gradients: Moves) -> Moves:
        """A step along the gradient, and back into the ball."""
        return {
            name: self._project(move.detach() + self.settings.step_size * self._unit(gradients[name]))
            for name, move in moves.items()
        }

    def _project(self, move: Tensor) -> Tensor:
        return move * (self.settings.epsilon / self.embeddings.norm(move)).clamp(max=1.0)

    def _unit(self, gradient: Tensor) -> Tensor:
        """g / |g|, or zero where g is."""
        norm = self.embeddings.norm(gradient)
        return torch.where(norm > 0, gradient / norm.clamp(min=torch.finfo(norm.dtype).tiny), 0.0)

    def _random_start(self, generator: torch.Generator, here: Tensor) -> Tensor:
        """Uniform in a cube within the ball, as FreeLB begins."""
        half_side = self.settings.epsilon / self.embeddings.norm(here).clamp(min=1)  # a text may have no words at all
        return torch.empty_like(here).uniform_(-1, 1, generator=generator) * here * half_side

    def _random_direction(self, generator: torch.Generator, here: Tensor) -> Tensor:
        return self.settings.epsilon * self._unit(torch.empty_like(here).normal_(generator=generator) * here)

    def _own_generator(self) -> torch.Generator:
        """For random moves alone, so that the pass that starts with one draws the dropout of those after it.

        To be made before `_repeat_dropout`, which would otherwise bring the same seed back for every step.
        """
        seed = int(torch.randint(2**62, ()))
        return torch.Generator(next(self.network.parameters()).device).manual_seed(seed)

    def _gradients(self, moves: Moves | Start, loss: Callable[[], Tensor]) -> tuple[Moves, Moves]:
        """The moves, and the gradients of a loss by them and by nothing else."""
        with self.embeddings.moved(moves) as here:
            value = loss()
        gradients = torch.autograd.grad(value, list(here.values()), materialize_grads=True)
        return here, dict(zip(here, map(finite, gradients), strict=True))

    # ------------------------------------------------------------------------------------------------------ dropout

    def _repeat_dropout(self) -> Callable[[], None]:
        """A function to call before each further pass of a batch: it makes them drop the same, if they are to.

        For vat they must: with other dropout two passes differ without any move, and the gradient of that difference
        is not the direction that is sought.
        """
        if self.settings.same_dropout or self.settings.method == "vat":
            return partial(restore_random_states, random_states())
        return lambda: None


class MovableEmbeddings:
    """Embedding layers of a network whose output can be moved.

    Args:
        targets: `characters`, the token embeddings of the encoder; `words`, the word vectors.
        scope: `sample` or `matrix`.

    Raises:
        UserError: the network has no words, or reads a batch in several passes.
    """

    def __init__(self, network: TaggingNetwork, targets: Iterable[str], scope: str) -> None:
        if not network.reads_once:
            raise UserError("adversarial.method moves embeddings of one pass, and this network (model.name) makes "
                            "several of a batch; set it to none")  # fmt: skip
        layers = {"characters": network.encoder.transformer.get_input_embeddings(), "words": network.words}
        if "words" in targets and (network.words is None or network.words.num_embeddings == 1):
            raise UserError("adversarial.targets names words, but the network has none (model.name, lexicon.match); "
                            "name characters")  # fmt: skip
        self.layers: dict[str, nn.Embedding] = {name: layers[name] for name in targets}
        self.scope = scope

    @contextlib.contextmanager
    def moved(self, moves: Moves | Start, watched: bool = True) -> Iterator[Moves]:
        """Inside, what the layers put out is moved.

        Args:
            moves: what is added; or a function that makes it in the form of what is there, at the first pass.
            watched: whether gradients of the moves will be wanted.

        Yields:
            The moves that were added, complete once a pass has been made; leaves of the graph if watched.
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
        """Ones in the form of a move, with zeros for the pads among ids (B, ...) that have the output (B, ..., E)."""
        if self.scope == "matrix":
            return torch.ones_like(layer.weight)
        if layer.padding_idx is None:
            return torch.ones_like(output)
        return (ids != layer.padding_idx).unsqueeze(-1).to(output.dtype).expand_as(output)

    def norm(self, move: Tensor) -> Tensor:
        """Of each text, (B, 1, ...) with as many dimensions as the move has, or of the whole matrix, ()."""
        if self.scope == "matrix":
            return move.norm()
        return move.flatten(1).norm(dim=1).view(-1, *[1] * (move.dim() - 1))


def gradient_of(move: Tensor) -> Tensor:
    """What a backward pass left; zero if it did not come by."""
    return torch.zeros_like(move) if move.grad is None else finite(move.grad)


def finite(gradient: Tensor) -> Tensor:
    """Without what is infinite or not a number, which would spoil the whole text's move."""
    return gradient.nan_to_num(nan=0.0, posinf=0.0, neginf=0.0)
