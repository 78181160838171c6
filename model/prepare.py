"""Processed data for a configuration, with word vectors from its encoder if the settings ask for them."""

from __future__ import annotations

from functools import partial

import numpy as np

from config import Config
from data.lattice.tokenizer import Vocabulary
from data.processed import Processed
from data.processing import process


def prepare(config: Config, force: bool = False) -> Processed:
    """Make the processed data unless it is up to date. `data.processing.process` documents errors."""
    return process(config, partial(_encode_words, config), force)


def _encode_words(config: Config, words: list[str], vocabulary: Vocabulary) -> np.ndarray:
    # Imported here because most processing needs no PyTorch, which takes seconds to import.
    import torch

    from model.pretrained import build_encoder
    from model.word_states import word_states
    from utils.device import choose_device, set_up_processor

    set_up_processor(config.run.threads)
    encoder = build_encoder(config.encoder, len(vocabulary), config.data.max_len + 2, vocabulary.pad)
    return word_states(encoder, words, vocabulary, torch.device(choose_device(config.run.device)))
