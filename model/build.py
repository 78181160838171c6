"""Networks from settings: fresh ones to train, and empty ones to load weights into."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from config import Config
from data.processed import Processed
from model.heads.chains import ChainHead
from model.heads.head import Head
from model.heads.span import SpanHead
from model.layers.character_encoder import CharacterEncoder, build_encoder, encoder_from_config
from model.model import DataShape, TaggingNetwork, WordTable
from model.networks import network_class
from model.run_folder import RunParts, load_tensors
from utils.errors import UserError

MakeHead = Callable[[Config, Sequence[str], int], Head]  # from settings, categories and the size of the states


def fresh_network(config: Config, processed: Processed, seed: int, make_head: MakeHead | None = None) -> TaggingNetwork:
    """A network that has seen no training text: pretrained encoder, ready word vectors, the rest random.

    Args:
        config, processed: what it is for.
        seed: of all that is random.
        make_head: instead of the head that the settings name.

    Raises:
        UserError: there is no such network, or the encoder cannot be had or does not fit.
    """
    torch.manual_seed(seed)
    words = WordTable(len(processed.lexicon.words), word_size(config, processed))
    data = DataShape(processed.categories, processed.vocabulary, words)
    longest = network_class(config.model.name).longest_input(config, data)
    encoder = build_encoder(config.encoder, len(processed.vocabulary), longest, processed.vocabulary.pad)
    network = assemble(config, encoder, data, make_head)
    network.prepare(processed)
    if config.lexicon.length:
        network.scale_words(config.lexicon.length)
    return network


def load_network(parts: RunParts, weights: Path) -> TaggingNetwork:
    """The trained network of one fold.

    Raises:
        UserError: the weights are missing, cut short or of another network.
    """
    encoder = encoder_from_config(parts.encoder, parts.config.encoder.output)
    words = WordTable(len(parts.lexicon.words), parts.word_size)
    network = assemble(parts.config, encoder, DataShape(parts.categories, parts.vocabulary, words))
    try:
        network.load_state_dict(load_tensors(weights))
    except RuntimeError as error:
        detail = str(error).splitlines()[-1].strip()
        raise UserError(f"{weights}: weights of another network ({detail}); train again") from None
    return network.eval()


def word_size(config: Config, processed: Processed) -> int:
    """Width of the word vectors, 0 where there are none."""
    if config.lexicon.vectors == "none":
        return 0
    return config.lexicon.dimension if processed.vectors is None else processed.vectors.shape[1]


def assemble(
    config: Config,
    encoder: CharacterEncoder,
    data: DataShape,
    make_head: MakeHead | None = None,
) -> TaggingNetwork:
    """A network of its parts; what it adds to the encoder is random."""
    network = network_class(config.model.name)(config, encoder, data)
    if make_head is None:
        make_head = network.own_head or (SpanHead if config.model.head == "span" else ChainHead)
    network.head = make_head(config, data.categories, network.size)
    return network
