"""In-domain pretraining (Gururangan et al., "Don't Stop Pretraining", ACL 2020): what `--mode pretrain` does.

The encoder continues its masked-language-model training on the raw text of the corpora, without labels. The result is
a folder that `encoder.name` can name.

B batch, L characters, E the encoder's hidden size, V tokens, M hidden tokens.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader
from tqdm import tqdm
from transformers import PreTrainedModel

from config import Config, PretrainConfig
from data.batches.dataset import BucketSampler
from data.batches.inputs import Batch, to_device
from data.batches.masking import NOT_A_TARGET, MaskedSegments, collate_hidden
from data.lattice.lexicon import jieba_segmenter
from data.lattice.tokenizer import Vocabulary
from data.processed import Processed
from data.split import make_splits
from model.prepare import load_or_make
from model.pretrained import build_encoder
from model.training.loaders import bucket_sampler
from model.training.schedule import linear
from utils.device import choose_device, choose_half, set_up_processor
from utils.errors import UserError
from utils.files import atomic_folder, check_replaceable

WEIGHT_DECAY = 0.01  # as BERT
MASK_SHARE = 0.15  # share of the characters to hide, in whole words; as BERT
WARMUP = 0.1  # share of the optimizer steps
BATCH_TOKENS = 4096  # padded characters in a batch, about 27 segments of 150 characters
HELD_OUT = 0.02  # share of the segments that are only scored; small, so that little text is lost
FILES = {"config.json", "model.safetensors", "vocab.txt"}  # the files of the new encoder


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


def pretrain(config: Config, load: Callable[[Config], Processed] = load_or_make) -> Pretraining:
    """Continue the training of the encoder and write it to `config.pretrained_folder`.

    Dev and test texts are not read.

    Args:
        config: all settings.
        load: gives the processed data. It is called once nothing in the settings is left to refuse.

    Raises:
        UserError: the encoder cannot be loaded or has no [MASK], or the folder cannot be written or holds other files.
    """
    check_replaceable(config.pretrained_folder, FILES, "run.folder")
    if config.encoder.name == "scratch":
        raise UserError("encoder.name is scratch, but --mode pretrain continues the training of an encoder; name one")
    processed = load(config)
    if processed.vocabulary.mask is None:
        raise UserError(f"encoder.name: {config.encoder.name} has no [MASK] in its vocabulary, which --mode pretrain "
                        "needs; name another encoder")  # fmt: skip
    set_up_processor(config.run.threads)
    torch.manual_seed(config.run.seed)
    device = torch.device(choose_device(config.run.device))
    longest = config.data.max_len + 2
    encoder = build_encoder(config.encoder, len(processed.vocabulary), longest, processed.vocabulary.pad)
    filler = WordFiller(encoder.transformer).to(device)
    split = make_splits(processed, config.data, config.folds)[0]
    train, held_out = _segments(processed, split.train, config.run.seed)
    half = choose_half(config.train.precision, device)
    training = _MaskedTraining(filler, processed.vocabulary, config.run.seed, device, half)
    started = time.perf_counter()
    before = training.loss(held_out)
    training.train(train, config.pretrain, config.train.clip)
    after = training.loss(held_out)
    with atomic_folder(config.pretrained_folder) as folder:
        encoder.transformer.save_pretrained(folder)
        processed.vocabulary.save(folder / "vocab.txt")
    return Pretraining(int(train.lengths.sum()), before, after, time.perf_counter() - started)


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
    """Trains and scores a word filler on a device."""

    def __init__(self, filler: WordFiller, vocabulary: Vocabulary, seed: int, device: torch.device, half: bool) -> None:
        self.filler = filler
        self.vocabulary = vocabulary
        self.seed = seed
        self.device = device
        self.half = half

    def train(self, segments: MaskedSegments, settings: PretrainConfig, clip: float) -> None:
        loader = self._loader(segments)
        total = settings.epochs * len(loader)
        optimizer = torch.optim.AdamW(self.filler.parameters(), weight_decay=WEIGHT_DECAY, fused=True)
        self.filler.train()
        with tqdm(total=total, desc="pretrain", unit="step") as progress:
            for epoch in range(settings.epochs):
                segments.epoch = epoch
                bucket_sampler(loader).set_epoch(epoch)
                for step, batch in enumerate(loader, start=epoch * len(loader)):
                    factor = linear(step, round(WARMUP * total), total)
                    for group in optimizer.param_groups:
                        group["lr"] = settings.rate * factor
                    loss = self._forward(batch)
                    loss.backward()
                    nn.utils.clip_grad_norm_(self.filler.parameters(), clip or float("inf"))
                    optimizer.step()
                    optimizer.zero_grad()
                    progress.update()
                    if (step + 1) % 10 == 0:
                        progress.set_postfix(epoch=epoch + 1, loss=f"{loss.item():.3f}")

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
