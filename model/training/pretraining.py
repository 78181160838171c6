"""In-domain pretraining (Gururangan et al., "Don't Stop Pretraining", ACL 2020): what `--mode pretrain` does.

The encoder continues its masked-language-model training on the raw text of the corpora, without labels. The result is
a folder that `encoder.name` can name.

B batch, L characters, E the encoder's hidden size, V tokens, M hidden tokens.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader
from tqdm import tqdm
from transformers import PreTrainedModel

from config import Config
from data.batches.dataset import BucketSampler
from data.batches.inputs import Batch, to_device
from data.batches.masking import NOT_A_TARGET, MaskedSegments, collate_hidden
from data.lattice.lexicon import jieba_segmenter
from data.lattice.tokenizer import Vocabulary
from data.processed import Processed
from data.split import make_splits
from model.prepare import load_or_make
from model.pretrained import build_encoder
from model.run_folder import encoder_digest
from model.training.callbacks.checkpoint import holds_checkpoint, misfit, read_checkpoint, write_checkpoint
from model.training.loaders import bucket_sampler
from model.training.schedule import linear
from model.written_encoder import is_written_here, mark_as_written
from utils.device import choose_device, choose_half, set_up_processor
from utils.errors import UserError
from utils.files import atomic_folder, check_replaceable
from utils.locks import lock_beside, locked
from utils.random_states import random_states, restore_random_states

WEIGHT_DECAY = 0.01  # as BERT
MASK_SHARE = 0.15  # share of the characters to hide, in whole words; as BERT
WARMUP = 0.1  # share of the optimizer steps
BATCH_TOKENS = 4096  # padded characters in a batch, about 27 segments of 150 characters
HELD_OUT = 0.02  # share of the segments that are only scored; small, so that little text is lost
RESUME = "resume"  # folder of the checkpoint; the finished encoder replaces it
FILES = {"config.json", "model.safetensors", "vocab.txt", RESUME}  # of the folder


class Pretraining(NamedTuple):
    """The result: mean losses per hidden character on held-out segments, before and after training."""

    characters: int  # trained on, in an epoch
    before: float
    after: float
    seconds: float


class WordFiller(nn.Module):
    """An encoder with BERT's masked-language-model head. The output weights are the token embeddings."""

    def __init__(self, transformer: PreTrainedModel) -> None:
        super().__init__()
        self.transformer = transformer
        rows, size = token_embeddings(transformer).shape
        self.transform = nn.Sequential(nn.Linear(size, size), nn.GELU(), nn.LayerNorm(size))
        self.bias = nn.Parameter(torch.zeros(rows))

    def forward(self, token_ids: Tensor, targets: Tensor, seen: Tensor) -> Tensor:
        """The mean loss per hidden character; all arguments (B, L + 2)."""
        states = self.transformer(input_ids=token_ids, attention_mask=seen).last_hidden_state  # (B, L + 2, E)
        hidden = targets != NOT_A_TARGET
        embedded = token_embeddings(self.transformer)
        scores = nn.functional.linear(self.transform(states[hidden]), embedded, self.bias)  # (M, V)
        return cross_entropy(scores.float(), targets[hidden])


def token_embeddings(transformer: PreTrainedModel) -> Tensor:
    """The weights (V, E) of the token embeddings."""
    embeddings = transformer.get_input_embeddings()
    assert isinstance(embeddings, nn.Embedding)
    return embeddings.weight


def pretrain(config: Config, load: Callable[[Config], Processed] = load_or_make, go_on: bool = False) -> Pretraining:
    """Continue the training of the encoder and write it to `config.pretrained_folder`.

    Dev and test texts are not read.

    Args:
        config: all settings.
        load: gives the processed data. It is called once nothing in the settings is left to refuse.
        go_on: continue a stopped training after its last complete epoch, if there is one.

    Raises:
        UserError: the encoder cannot be loaded or has no [MASK], the folder cannot be written or holds other files, or
            the stopped training had other settings or data.
    """
    folder = config.pretrained_folder
    check_replaceable(folder, FILES, "run.folder", _is_ours)
    if config.encoder.name == "scratch":
        raise UserError("encoder.name is scratch, but --mode pretrain continues the training of an encoder; name one")
    processed = load(config)
    if processed.vocabulary.mask is None:
        raise UserError(f"encoder.name: {config.encoder.name} has no [MASK] in its vocabulary, which --mode pretrain "
                        "needs; name another encoder")  # fmt: skip
    with locked(lock_beside(folder), str(folder), "wait until it has ended"):
        return _pretrain(config, processed, go_on)


def _is_ours(folder: Path) -> bool:
    """Whether a folder holds the result of a pretraining, or one that was stopped."""
    stopped = [path.name for path in folder.iterdir()] == [RESUME] and holds_checkpoint(folder / RESUME)
    return is_written_here(folder) or stopped


def _pretrain(config: Config, processed: Processed, go_on: bool) -> Pretraining:
    set_up_processor(config.run.threads)
    torch.manual_seed(config.run.seed)
    device = torch.device(choose_device(config.run.device))
    longest = config.data.max_len + 2
    encoder = build_encoder(config.encoder, len(processed.vocabulary), longest, processed.vocabulary.pad)
    filler = WordFiller(encoder.transformer).to(device)
    split = make_splits(processed, config.data, config.folds)[0]
    train, held_out = _segments(processed, split.train, config.run.seed)
    half = choose_half(config.train.precision, device)
    resume = config.pretrained_folder / RESUME
    training = _MaskedTraining(filler, processed.vocabulary, config, device, half, _made_from(config, processed))
    if not (go_on and training.resume(resume)):
        training.before = training.loss(held_out)
    training.train(train, resume)
    after = training.loss(held_out)
    with atomic_folder(config.pretrained_folder) as folder:
        encoder.transformer.save_pretrained(folder)
        processed.vocabulary.save(folder / "vocab.txt")
        mark_as_written(folder)
    return Pretraining(int(train.lengths.sum()), training.before, after, training.seconds)


def _made_from(config: Config, processed: Processed) -> str:
    """A digest of what a pretraining depends on: settings, data and first weights."""
    settings = {"encoder": config.encoder, "pretrain": config.pretrain, "train": config.train, "folds": config.folds}
    values = {name: section.model_dump() for name, section in settings.items()} | {"seed": config.run.seed}
    made_from = [values, config.data.dev_share, processed.digest, encoder_digest(config.encoder.name)]
    return hashlib.sha256(json.dumps(made_from, sort_keys=True).encode()).hexdigest()


def _segments(processed: Processed, train: Sequence[int], seed: int) -> tuple[MaskedSegments, MaskedSegments]:
    """The segments of the training and unlabelled documents: those to train on, and the held-out ones."""
    documents = {*train, *processed.of_part("unlabelled")}
    chosen = [segment for segment in processed.segments.tolist() if segment[0] in documents]
    order = np.random.default_rng(seed).permutation(len(chosen))
    count = max(1, round(HELD_OUT * len(chosen)))
    if len(chosen) <= count:
        raise UserError(f"{len(chosen)} segments are too few to pretrain on; add text with data.unlabelled")

    def part(places: np.ndarray) -> MaskedSegments:
        own = [chosen[place] for place in places]
        tokens = [processed.lattices.slice(*segment).tokens for segment in own]
        words = [word_numbers(processed.documents[number].text[begin:end]) for number, begin, end in own]
        return MaskedSegments(tokens, words, processed.vocabulary, MASK_SHARE, seed)

    return part(order[count:]), part(order[:count])


def word_numbers(text: str) -> np.ndarray:
    """For each character, the number of its word in jieba's segmentation."""
    sizes = [len(word) for word in jieba_segmenter().cut(text)]
    return np.repeat(np.arange(len(sizes)), sizes)


class _MaskedTraining:
    """Trains and scores a word filler on a device.

    Args:
        filler: on the device.
        vocabulary: its tokens.
        config: all settings.
        device, half: where and in which precision to compute.
        made_from: a digest of what the training depends on.

    Attributes:
        before: the loss on held-out segments before training, which a checkpoint keeps.
        seconds: of training, whatever was stopped in between.
    """

    def __init__(
        self,
        filler: WordFiller,
        vocabulary: Vocabulary,
        config: Config,
        device: torch.device,
        half: bool,
        made_from: str,
    ) -> None:
        self.filler = filler
        self.vocabulary = vocabulary
        self.settings, self.clip, self.seed = config.pretrain, config.train.clip, config.run.seed
        self.device = device
        self.half = half
        self.made_from = made_from
        self.before = float("nan")
        self.seconds = 0.0
        self._optimizer = torch.optim.AdamW(filler.parameters(), weight_decay=WEIGHT_DECAY, fused=True)
        self._first_epoch = 0

    def train(self, segments: MaskedSegments, resume: Path) -> None:
        """Train to the end; a checkpoint is written to a folder after every epoch.

        Raises:
            UserError: a loss is not a finite number, or the folder cannot be written.
        """
        loader = self._loader(segments)
        total = self.settings.epochs * len(loader)
        self.filler.train()
        with tqdm(total=total, initial=self._first_epoch * len(loader), desc="pretrain", unit="step") as progress:
            for epoch in range(self._first_epoch, self.settings.epochs):
                started = time.perf_counter()
                segments.epoch = epoch
                bucket_sampler(loader).set_epoch(epoch)
                for step, batch in enumerate(loader, start=epoch * len(loader)):
                    loss = self._step(batch, linear(step, round(WARMUP * total), total))
                    progress.update()
                    if (step + 1) % 10 == 0:
                        progress.set_postfix(epoch=epoch + 1, loss=f"{loss:.3f}")
                self.seconds += time.perf_counter() - started
                self._save(resume, epoch)

    def _step(self, batch: Batch, factor: float) -> float:
        for group in self._optimizer.param_groups:
            group["lr"] = self.settings.rate * factor
        loss = self._forward(batch)
        if not torch.isfinite(loss):
            raise UserError(f"pretraining: the loss is {loss.item()}; lower pretrain.rate, or set train.precision to "
                            "float32")  # fmt: skip
        loss.backward()
        nn.utils.clip_grad_norm_(self.filler.parameters(), self.clip or float("inf"))
        self._optimizer.step()
        self._optimizer.zero_grad()
        return loss.item()

    def _save(self, folder: Path, epoch: int) -> None:
        state = {"epoch": epoch, "before": self.before, "seconds": self.seconds, "made_from": self.made_from}
        rest = {f"{key}.{name}": value for name, parameter in self.filler.named_parameters()
                for key, value in self._optimizer.state[parameter].items()}  # fmt: skip
        write_checkpoint(folder, state, self.filler.state_dict(), rest | random_states())

    def resume(self, folder: Path) -> bool:
        """Continue from the checkpoint in a folder; returns whether there is one.

        Raises:
            UserError: it is damaged, or of a training with other settings or data.
        """
        if (found := read_checkpoint(folder)) is None:
            return False
        if found.state.get("made_from") != self.made_from:
            raise UserError(f"{folder}: belongs to other settings or data; start without --resume")
        try:
            self.filler.load_state_dict(found.weights)
            for name, parameter in self.filler.named_parameters():
                self._optimizer.state[parameter] = {
                    key: found.rest[f"{key}.{name}"].to(parameter.device) for key in ("step", "exp_avg", "exp_avg_sq")
                }
            restore_random_states(found.rest)
        except (KeyError, RuntimeError) as error:
            raise misfit(folder, error) from None
        self.before, self.seconds = found.state["before"], found.state["seconds"]
        self._first_epoch = found.state["epoch"] + 1
        return True

    @torch.no_grad()
    def loss(self, segments: MaskedSegments) -> float:
        """The mean per hidden character. Every call hides the same characters."""
        self.filler.eval()
        segments.epoch = 0
        total = count = 0.0
        for batch in self._loader(segments):
            hidden = int((batch["targets"] != NOT_A_TARGET).sum())
            total += self._forward(batch).item() * hidden
            count += hidden
        return total / count

    def _forward(self, batch: Batch) -> Tensor:
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.half):
            return self.filler(**to_device(batch, self.device))

    def _loader(self, segments: MaskedSegments) -> DataLoader:
        sampler = BucketSampler(segments.lengths, 1, self.seed, BATCH_TOKENS)
        collate = partial(collate_hidden, vocabulary=self.vocabulary)
        return DataLoader(segments, batch_sampler=sampler, collate_fn=collate, generator=torch.Generator())
