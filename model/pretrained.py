"""Loads pretrained encoders from the Hugging Face hub or from a local folder."""

from __future__ import annotations

import safetensors
import torch
import transformers

from config import EncoderConfig
from data.lattice.encoder_files import find_encoder_file, refuse_unreadable_weights
from model.encoder_description import read_description
from model.layers.character_encoder import CharacterEncoder, encoder_from_config, scratch_config
from utils.errors import UserError


def build_encoder(settings: EncoderConfig, vocabulary_size: int, longest: int, pad: int) -> CharacterEncoder:
    """A fresh encoder with pretrained weights, or with random ones for `scratch`.

    Args:
        settings: name, number of layers and output of the encoder.
        vocabulary_size: number of tokens.
        longest: the largest number of tokens that it reads at once.
        pad: number of the padding token.

    Raises:
        UserError: the model cannot be loaded, its weights are damaged or incomplete, or it does not fit: too few
            layers, positions or tokens.
    """
    if settings.name == "scratch":
        return encoder_from_config(scratch_config(settings, vocabulary_size, longest, pad), settings.output)
    transformer = load_transformer(settings)
    most = transformer.config.max_position_embeddings
    if longest > most:
        raise UserError(f"data.max_len needs {longest} tokens at a time, but {settings.name} reads at most {most}; "
                        "set data.max_len to a smaller value")  # fmt: skip
    if transformer.config.vocab_size < vocabulary_size:
        raise UserError(
            f"{settings.name} has {transformer.config.vocab_size} tokens, but the processed data has "
            f"{vocabulary_size}; run preprocess.py again with this encoder"
        )
    return CharacterEncoder(transformer, settings.output)


def load_transformer(settings: EncoderConfig) -> transformers.PreTrainedModel:
    """The pretrained encoder of Hugging Face, with its first layers only if the settings say so.

    Raises:
        UserError: it cannot be loaded, its weights are damaged or incomplete, or it has too few layers.
    """
    # Otherwise transformers would ask the hub's conversion service for the weights, and use what it is given.
    refuse_unreadable_weights(settings.name)
    transformers.logging.set_verbosity_error()  # it would warn of layers and heads that are left out on purpose
    transformers.utils.logging.disable_progress_bar()
    try:
        description = _read_description(settings.name)
        if settings.layers > description.num_hidden_layers:
            raise UserError(
                f"encoder.layers is {settings.layers}, but {settings.name} has {description.num_hidden_layers} layers"
            )
        if settings.layers:
            description.num_hidden_layers = settings.layers
        # Safetensors only: other weight files are pickles. Missing weights would be random and are only reported.
        transformer, found = transformers.AutoModel.from_pretrained(
            settings.name, config=description, dtype=torch.float32, use_safetensors=True, trust_remote_code=False,
            ignore_mismatched_sizes=True, output_loading_info=True,
        )  # fmt: skip
        _refuse_random_weights(found["missing_keys"] | {name for name, *_ in found["mismatched_keys"]})
        _refuse_other_numbers(transformer)
    except (OSError, ValueError, AttributeError, RuntimeError, KeyError, TypeError, ArithmeticError,
            safetensors.SafetensorError) as error:  # fmt: skip
        raise UserError(_unavailable(settings.name, error)) from None
    return transformer


def _read_description(name: str) -> transformers.PretrainedConfig:
    path = find_encoder_file(name, "config.json")
    if path is None:
        raise FileNotFoundError("no config.json")
    return read_description(path, "fetch it again, or choose another encoder.name")


def _refuse_other_numbers(transformer: transformers.PreTrainedModel) -> None:
    """Raise ValueError if a weight is infinite or not a number: no loss would be one either."""
    for name, parameter in transformer.named_parameters():
        if not torch.isfinite(parameter).all():
            raise ValueError(f"its weights hold values that are not finite numbers, in {name}")


def _refuse_random_weights(names: set[str]) -> None:
    """Raise ValueError if weights of these names are missing. The pooler's are not used."""
    if lacking := sorted(name for name in names if not name.startswith("pooler.")):
        raise ValueError(
            f"its weights lack {len(lacking)} of its tensors, or have them in another shape, among them {lacking[0]}"
        )


def _unavailable(name: str, error: Exception) -> str:
    """One line that says which encoder could not be loaded, why, and what to do."""
    reason = str(error).strip().splitlines()[0][:120] if str(error).strip() else type(error).__name__
    return (
        f"encoder {name}: cannot be loaded ({reason}); name a folder or hub id with safetensors weights with --set "
        "encoder.name=PATH, or a mirror in the environment variable HF_ENDPOINT"
    )
