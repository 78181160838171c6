"""Word vectors made from the encoder itself: the mean of the states of a word's characters, the word read alone.

B words of one length, C characters in each, E encoder size.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import torch
from tqdm import tqdm

from data.lattice.tokenizer import Vocabulary
from model.layers.character_encoder import CharacterEncoder

BATCH_CHARACTERS = 8192


@torch.no_grad()
def word_states(
    encoder: CharacterEncoder, words: list[str], vocabulary: Vocabulary, device: torch.device
) -> np.ndarray:
    """Vectors of words.

    Args:
        encoder: its chosen layer is used; with a learned mix, the mix as it is.
        words: of one or more characters.
        device: where to compute, always in float32: the vectors depend on no setting of training.

    Returns:
        float32 (words, E), centred and scaled to unit variance on the whole, as random vectors would be.
    """
    encoder = encoder.to(device).eval()
    by_length: dict[int, list[int]] = defaultdict(list)
    for number, word in enumerate(words):
        by_length[len(word)].append(number)
    vectors = np.zeros((len(words), encoder.size), dtype=np.float32)
    with tqdm(total=len(words), desc="word vectors", unit="word", delay=1) as progress:
        for length, numbers in sorted(by_length.items()):
            step = max(1, BATCH_CHARACTERS // (length + 2))
            for start in range(0, len(numbers), step):
                batch = numbers[start : start + step]
                rows = np.stack([vocabulary.encode(words[number]) for number in batch]).astype(np.int64)  # (B, C)
                tokens = np.pad(rows, ((0, 0), (1, 1)), constant_values=vocabulary.begin)
                tokens[:, -1] = vocabulary.end
                mask = torch.ones(rows.shape, dtype=torch.bool, device=device)
                states = encoder(torch.from_numpy(tokens).to(device), mask)  # (B, C, E)
                vectors[batch] = states.mean(dim=1).cpu().numpy()
                progress.update(len(batch))
    if len(words) > 1:
        vectors = (vectors - vectors.mean(axis=0)) / max(float(vectors.std()), 1e-6)
    return vectors
