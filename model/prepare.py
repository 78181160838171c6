"""Processed data for a configuration, with word vectors from its encoder if the settings ask for them."""

from __future__ import annotations

import contextlib
import os
from functools import partial

import numpy as np

from config import TRADITIONAL, Config
from data.held_labels import count_unheld, describe_unheld
from data.lattice.encoder_files import refuse_unreadable_weights
from data.lattice.tokenizer import Vocabulary
from data.processed import Processed, load_processed
from data.processing import process
from utils.errors import UserError
from utils.locks import lock_beside, locked


def prepare(config: Config, force: bool = False) -> Processed:
    """Make the processed data, unless it is up to date and not forced. `data.processing.process` documents errors."""
    processed = None
    if not force:
        with contextlib.suppress(UserError):
            processed = load_processed(config)
            print(f"{config.processed_folder} is up to date")
    processed = processed or _make(config, force)
    print_unheld(config, processed)
    return processed


def print_unheld(config: Config, processed: Processed) -> None:
    """Say how many training labels the head of the configuration cannot hold, if there are any."""
    training = [*processed.of_part("train"), *processed.of_part("additional")]
    if unheld := describe_unheld(config, count_unheld(config, (processed.documents[number] for number in training))):
        print(unheld)


def load_or_make(config: Config) -> Processed:
    """Load the processed data. Where it is missing, or stale in a default folder, make it and say so.

    A folder that `data.processed` names may hold what other settings made, so it is not replaced. Processes that train
    one network together do not make it, because each would.

    Raises:
        UserError: the data cannot be made, is damaged or belongs to other settings.
    """
    try:
        return load_processed(config)
    except UserError:
        replaces_others = config.data.processed and config.processed_folder.exists()
        if replaces_others or int(os.environ.get("WORLD_SIZE", "1")) > 1 or not config.data.train.path:
            raise
    print(f"{config.processed_folder}: no up-to-date processed data, so it is made now", flush=True)
    return _make(config)


def _make(config: Config, force: bool = False) -> Processed:
    """Make the processed data, or take what another process has made meanwhile."""
    with locked(lock_beside(config.processed_folder), str(config.processed_folder), "", waits=True):
        if not force:
            with contextlib.suppress(UserError):
                return load_processed(config)
        return _process(config)


def _process(config: Config) -> Processed:
    if config.model.name not in TRADITIONAL or config.lexicon.vectors == "encoder":
        refuse_unreadable_weights(config.encoder.name)
    return process(config, partial(_encode_words, config))


def _encode_words(config: Config, words: list[str], vocabulary: Vocabulary) -> np.ndarray:
    # Imported here because most processing needs no PyTorch, which takes seconds to import.
    import torch

    from model.pretrained import build_encoder
    from model.word_states import word_states
    from utils.device import choose_device, set_up_processor

    set_up_processor(config.run.threads)
    encoder = build_encoder(config.encoder, len(vocabulary), config.data.max_len + 2, vocabulary.pad)
    return word_states(encoder, words, vocabulary, torch.device(choose_device(config.run.device)))
