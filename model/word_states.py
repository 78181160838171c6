"""Word vectors from the encoder: the mean state of a word's characters, each word read alone.

B words of one length, C characters in each, E encoder size.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from tqdm import tqdm

from data.batches.inputs import padded_tokens
from data.lattice.tokenizer import Vocabulary
from model.layers.character_encoder import CharacterEncoder

BATCH_CHARACTERS = 8192  # with [CLS] and [SEP]


@torch.no_grad()
def word_states(
    encoder: CharacterEncoder, words: list[str], vocabulary: Vocabulary, device: torch.device
) -> np.ndarray:
    """Vectors of words.

    Args:
        encoder: its output is used. A learned mix is used in its current state.
        words: of one or more characters.
        vocabulary: of the encoder.
        device: where to compute. The precision is float32, because the vectors depend on no setting of training.

    Returns:
        float32 (words, E), centred and scaled to unit variance as a whole, like random vectors.
    """
    encoder = encoder.to(device).eval()
    vectors = np.zeros((len(words), encoder.size), dtype=np.float32)
    with tqdm(total=len(words), desc="word vectors", unit="word", delay=1) as progress:
        for batch in _batches(words):
            tokens, mask = _encode([words[number] for number in batch], vocabulary)
            states = encoder(tokens.to(device), mask.to(device))  # (B, C, E)
            vectors[batch] = states.mean(dim=1).cpu().numpy()
            progress.update(len(batch))
    if len(words) > 1:
        vectors = (vectors - vectors.mean(axis=0)) / max(float(vectors.std()), 1e-6)
    return vectors


def _batches(words: Sequence[str]) -> Iterator[list[int]]:
    """Numbers of words of equal length, from short to long."""
    by_length: dict[int, list[int]] = defaultdict(list)
    for number, word in enumerate(words):
        by_length[len(word)].append(number)
    for length, numbers in sorted(by_length.items()):
        step = max(1, BATCH_CHARACTERS // (length + 2))
        for start in range(0, len(numbers), step):
            yield numbers[start : start + step]


def _encode(words: Sequence[str], vocabulary: Vocabulary) -> tuple[torch.Tensor, torch.Tensor]:
    """(B, C + 2) tokens with [CLS] and [SEP], and (B, C) a mask of ones."""
    tokens = padded_tokens([vocabulary.encode(word) for word in words], vocabulary)
    return torch.from_numpy(tokens), torch.ones(len(words), len(words[0]), dtype=torch.bool)
