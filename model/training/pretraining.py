"""In-domain pretraining (Gururangan et al., "Don't Stop Pretraining", ACL 2020): what `--mode pretrain` does.

The encoder goes on learning to fill in hidden words, on the raw text of the corpora; labels are not looked at. What
comes out is a folder that `encoder.name` can point to.

B batch, L characters, E the encoder's hidden size, V tokens, M hidden tokens.
"""

from __future__ import annotations

import time
from functools import partial
from typing import NamedTuple

import jieba
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader
from tqdm import tqdm

from config import Config
from data.batches.dataset import Batch, BucketSampler
from data.batches.masking import NOT_A_TARGET, MaskedSegments, collate_hidden
from data.processed import Processed
from data.split import make_splits
from model.pretrained import build_encoder
from model.training.schedule import linear
from utils.device import choose_device, choose_half, set_up_processor
from utils.errors import UserError
from utils.files import atomic_folder, check_replaceable

WEIGHT_DECAY = 0.01
FILES = {"config.json", "model.safetensors", "vocab.txt"}  # what is written


class Pretraining(NamedTuple):
    """What came of it: losses per hidden character on segments that were not trained on, before and after."""

    characters: int
    before: float
    after: float
    seconds: float


class WordFiller(nn.Module):
    """An encoder with the head that BERT fills in words with, whose output weights are the token embeddings."""

    def __init__(self, transformer: nn.Module) -> None:
        super().__init__()
        self.transformer = transformer
        embeddings = transformer.get_input_embeddings()
        rows, size = embeddings.weight.shape
        self.transform = nn.Sequential(nn.Linear(size, size), nn.GELU(), nn.LayerNorm(size))
        self.bias = nn.Parameter(torch.zeros(rows))

    def forward(self, token_ids: Tensor, targets: Tensor, seen: Tensor) -> Tensor:
        """The mean loss per hidden character; all arguments (B, L + 2)."""
        states = self.transformer(input_ids=token_ids, attention_mask=seen).last_hidden_state  # (B, L + 2, E)
        hidden = targets != NOT_A_TARGET
        embedded = self.transformer.get_input_embeddings().weight
        scores = nn.functional.linear(self.transform(states[hidden]), embedded, self.bias)  # (M, V)
        return cross_entropy(scores.float(), targets[hidden])


def pretrain(config: Config, processed: Processed) -> Pretraining:
    """Go on training the encoder and write it to `config.pretrained_folder`.

    Of a training corpus that a dev part is drawn from, that part is left out; so are dev and test corpora.

    Raises:
        UserError: the encoder cannot be had, knows no [MASK], or the folder cannot be written or holds other things.
    """
    check_replaceable(config.pretrained_folder, FILES, "pretrain.output")
    if config.encoder.name == "scratch":
        raise UserError("encoder.name is scratch, and --mode pretrain goes on with an encoder; name one")
    if processed.vocabulary.mask is None:
        raise UserError(f"encoder {config.encoder.name} has no [MASK] in its vocabulary, so it cannot fill in words")
    set_up_processor(config.run.threads)
    torch.manual_seed(config.run.seed)
    device = torch.device(choose_device(config.run.device))
    longest = config.data.max_len + 2
    encoder = build_encoder(config.encoder, len(processed.vocabulary), longest, processed.vocabulary.pad)
    filler = WordFiller(encoder.transformer).to(device)
    train, held_out = _segments(config, processed)
    half = choose_half(config.train.precision, device)
    started = time.perf_counter()
    before = _loss(filler, held_out, config, processed, device, half)
    _train(filler, train, config, processed, device, half)
    after = _loss(filler, held_out, config, processed, device, half)
    with atomic_folder(config.pretrained_folder) as folder:
        filler.transformer.save_pretrained(folder)
        processed.vocabulary.save(folder / "vocab.txt")
    return Pretraining(int(train.lengths.sum()), before, after, time.perf_counter() - started)


def _segments(config: Config, processed: Processed) -> tuple[MaskedSegments, MaskedSegments]:
    documents = {*make_splits(processed, config)[0].train, *processed.of_part("unlabelled")}
    chosen = [segment for segment in processed.segments.tolist() if segment[0] in documents]
    order = np.random.default_rng(config.run.seed).permutation(len(chosen))
    count = max(1, round(config.pretrain.held_out * len(chosen)))
    if len(chosen) <= count:
        raise UserError(f"{len(chosen)} segments are too few to pretrain on; add text with data.unlabelled")

    def part(places: np.ndarray) -> MaskedSegments:
        own = [chosen[place] for place in places]
        tokens = [processed.lattices.slice(*segment).tokens for segment in own]
        words = [word_numbers(processed.documents[number].text[begin:end]) for number, begin, end in own]
        return MaskedSegments(tokens, words, processed.vocabulary, config.pretrain.mask_share, config.run.seed)

    return part(order[count:]), part(order[:count])


def word_numbers(text: str) -> np.ndarray:
    """For each character the number of the word that it belongs to, in jieba's segmentation."""
    sizes = [len(word) for word in jieba.cut(text)]
    return np.repeat(np.arange(len(sizes)), sizes)


def _train(
    filler: WordFiller, segments: MaskedSegments, config: Config, processed: Processed, device: torch.device, half: bool
) -> None:
    settings = config.pretrain
    loader = _loader(segments, config, processed)
    total = settings.epochs * len(loader)
    optimizer = torch.optim.AdamW(filler.parameters(), weight_decay=WEIGHT_DECAY, fused=True)
    filler.train()
    with tqdm(total=total, desc="pretrain", unit="step") as progress:
        for epoch in range(settings.epochs):
            segments.epoch = epoch
            loader.batch_sampler.set_epoch(epoch)
            for step, batch in enumerate(loader, start=epoch * len(loader)):
                factor = linear(step, round(settings.warmup * total), total)
                for group in optimizer.param_groups:
                    group["lr"] = settings.rate * factor
                loss = _forward(filler, batch, device, half)
                loss.backward()
                nn.utils.clip_grad_norm_(filler.parameters(), config.train.clip or float("inf"))
                optimizer.step()
                optimizer.zero_grad()
                progress.update()
                if (step + 1) % 10 == 0:
                    progress.set_postfix(epoch=epoch + 1, loss=f"{loss.item():.3f}")


@torch.no_grad()
def _loss(
    filler: WordFiller, segments: MaskedSegments, config: Config, processed: Processed, device: torch.device, half: bool
) -> float:
    """Mean over hidden characters; the same are hidden every time."""
    filler.eval()
    segments.epoch = 0
    total = count = 0.0
    for batch in _loader(segments, config, processed):
        hidden = int((batch["targets"] != NOT_A_TARGET).sum())
        total += _forward(filler, batch, device, half).item() * hidden
        count += hidden
    return total / count


def _forward(filler: WordFiller, batch: Batch, device: torch.device, half: bool) -> Tensor:
    with torch.autocast(device.type, torch.bfloat16, enabled=half):
        return filler(**{name: tensor.to(device, non_blocking=True) for name, tensor in batch.items()})


def _loader(segments: MaskedSegments, config: Config, processed: Processed) -> DataLoader:
    sampler = BucketSampler(segments.lengths, 1, config.run.seed, config.pretrain.batch_tokens)
    collate = partial(collate_hidden, vocabulary=processed.vocabulary)
    return DataLoader(segments, batch_sampler=sampler, collate_fn=collate, generator=torch.Generator())
