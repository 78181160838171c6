"""Networks from settings: fresh ones to train, and empty ones to load weights into."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch

from config import Config, UserError
from model.layers.encoder import build_encoder, encoder_from_config
from model.model import LatticeTagger
from utils.preprocess.processed import Processed
from utils.run_folder import RunParts, load_tensors
from utils.tags import TagScheme


def fresh_network(
    config: Config, processed: Processed, seed: int, kind: Callable[..., LatticeTagger] | None = None
) -> LatticeTagger:
    """A network that has seen no training text: pretrained encoder, ready word vectors, the rest random.

    Args:
        config, processed: what it is for.
        seed: of all that is random.
        kind: makes the network of settings, encoder, number of words and word size; a `LatticeTagger` by default.

    Raises:
        UserError: the encoder cannot be had or does not fit.
    """
    torch.manual_seed(seed)
    encoder = build_encoder(
        config.encoder, len(processed.vocabulary), config.data.max_len, processed.vocabulary.pad
    )
    kind = kind or partial(LatticeTagger, scheme=TagScheme(config.crf.scheme, processed.categories))
    words = len(processed.lexicon.words)
    network = kind(config, encoder=encoder, num_words=words, word_size=word_size(config, processed))
    if processed.vectors is not None:
        network.load_word_vectors(torch.from_numpy(processed.vectors.copy()))
    return network


def word_size(config: Config, processed: Processed) -> int:
    """Width of the word vectors."""
    return config.lexicon.dimension if processed.vectors is None else processed.vectors.shape[1]


def load_network(parts: RunParts, weights: Path) -> LatticeTagger:
    """The trained network of one fold.

    Raises:
        UserError: the weights are missing, cut short or of another network.
    """
    encoder = encoder_from_config(parts.encoder, parts.config.encoder.output)
    scheme = TagScheme(parts.config.crf.scheme, parts.categories)
    network = LatticeTagger(parts.config, scheme, encoder, len(parts.lexicon.words), parts.word_size)
    try:
        network.load_state_dict(load_tensors(weights))
    except RuntimeError as error:
        detail = str(error).splitlines()[-1].strip()
        raise UserError(f"{weights}: weights of another network ({detail}); train again") from None
    return network.eval()
