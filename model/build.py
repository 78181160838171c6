"""Builds networks from settings: fresh ones to train, and trained ones from a run folder."""

from __future__ import annotations

from pathlib import Path

import torch

from config import Config, LexiconConfig
from data.processed import Part, Processed
from model.heads.chains import ChainHead
from model.heads.head import MakeHead
from model.heads.span import SpanHead
from model.layers.character_encoder import CharacterEncoder, encoder_from_config
from model.model import DataShape, LexiconSize, TaggingNetwork
from model.networks import network_class
from model.pretrained import build_encoder
from model.run_folder import RunParts, load_weights
from utils.errors import UserError

# Parts whose words a network may count before training. They include a dev part drawn from the training corpus.
COUNTED: tuple[Part, ...] = ("train", "additional", "unlabelled")


def fresh_network(config: Config, processed: Processed, seed: int, make_head: MakeHead | None = None) -> TaggingNetwork:
    """An untrained network: pretrained encoder, word vectors of the processed data, all else random.

    Args:
        config: all settings.
        processed: the data to train on.
        seed: the random seed of all random weights.
        make_head: makes the head; by default the settings choose it.

    Raises:
        UserError: the encoder cannot be loaded or does not fit, or the network refuses the settings.
    """
    torch.manual_seed(seed)
    words = LexiconSize(len(processed.lexicon.words), word_size(config.lexicon, processed))
    data = DataShape(processed.categories, processed.vocabulary, words, len(processed.lexicon.character_tags))
    longest = network_class(config.model.name).longest_input(config, data)
    encoder = build_encoder(config.encoder, len(processed.vocabulary), longest, processed.vocabulary.pad)
    network = assemble(config, encoder, data, make_head)
    counted = [document for part in COUNTED for document in processed.of_part(part)]
    network.prepare(processed.vectors, processed.lattices, counted)
    if config.lexicon.length:
        network.scale_words(config.lexicon.length)
    return network


def load_network(parts: RunParts, weights: Path) -> TaggingNetwork:
    """The trained network of one fold.

    Raises:
        UserError: the weights are missing, damaged, or belong to another network.
    """
    assert parts.encoder is not None, "a traditional system has no network"
    encoder = encoder_from_config(parts.encoder, parts.config.encoder.output)
    words = LexiconSize(len(parts.lexicon.words), parts.word_size)
    data = DataShape(parts.categories, parts.vocabulary, words, len(parts.lexicon.character_tags))
    network = assemble(parts.config, encoder, data)
    try:
        network.load_state_dict(load_weights(weights))
    except RuntimeError as error:
        detail = str(error).splitlines()[-1].strip()
        raise UserError(f"{weights}: weights of another network ({detail}); train again") from None
    return network.eval()


def word_size(settings: LexiconConfig, processed: Processed) -> int:
    """The size of the word vectors; 0 if there are none."""
    if settings.vectors == "none":
        return 0
    return settings.dimension if processed.vectors is None else processed.vectors.shape[1]


def assemble(
    config: Config,
    encoder: CharacterEncoder,
    data: DataShape,
    make_head: MakeHead | None = None,
) -> TaggingNetwork:
    """A network with its head. All weights but the encoder's are random."""
    network = network_class(config.model.name)(config, encoder, data)
    if make_head is None:
        make_head = network.own_head or (SpanHead if config.model.head == "span" else ChainHead)
    network.head = make_head(config, data.categories, network.size)
    return network
