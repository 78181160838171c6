"""The shape of an encoder, from its config.json: only numbers and a few known words are taken from the file.

`transformers` could also run code that a config.json names, ask on standard input, or let the file choose how attention
is computed. Nothing of that can happen here.
"""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import transformers
from huggingface_hub.errors import StrictDataclassError  # of the classes of transformers

from utils.errors import UserError
from utils.files import read_json

# Encoders that are called with token ids, an attention mask and perhaps token types.
SUPPORTED = (
    "albert", "bert", "camembert", "convbert", "deberta", "deberta-v2", "distilbert", "electra", "ernie",
    "megatron-bert", "mpnet", "rembert", "roberta", "roberta-prelayernorm", "roc_bert", "roformer", "xlm-roberta",
    "xlm-roberta-xl",
)  # fmt: skip
OURS = {"is_decoder", "add_cross_attention", "use_cache", "tie_word_embeddings"}  # never the file's to choose
ACTIVATIONS = ("gelu", "gelu_new", "gelu_fast", "gelu_python", "gelu_pytorch_tanh", "quick_gelu", "relu", "silu",
               "swish", "mish", "tanh")  # fmt: skip
WORDS = {
    "hidden_act": ACTIVATIONS,
    "activation": ACTIVATIONS,
    "pos_att_type": ("c2p", "p2c", "c2p|p2c", "p2c|c2p"),
}
MOST_PARAMETERS = 4e9  # a file that asks for more is damaged, or would fill the memory before anything is read
LARGEST = 1e7  # of a single number


def read_description(path: Path, remedy: str) -> transformers.PretrainedConfig:
    """The shape of an encoder.

    Args:
        path: of its config.json.
        remedy: ends messages.

    Raises:
        UserError: the file is missing or damaged, the encoder is of a kind that is not supported, or its numbers make
            no encoder.
    """
    values = read_json(path, remedy)
    kind = values.get("model_type") if isinstance(values, dict) else None
    if kind not in SUPPORTED:
        raise UserError(f"{path}: model_type {kind!r:.40} is not supported; choose an encoder of one of the types "
                        f"{', '.join(SUPPORTED)}")  # fmt: skip
    try:
        return _build(kind, values)
    except (ValueError, TypeError, ArithmeticError, StrictDataclassError) as error:
        reason = str(error).strip().splitlines()[-1].strip()
        raise UserError(f"{path}: describes no encoder ({reason}); {remedy}") from None


def describe_encoder(description: transformers.PretrainedConfig) -> dict[str, Any]:
    """What `read_description` reads, as values for JSON."""
    return {"model_type": description.model_type} | _known(type(description), description.to_dict())


def _build(kind: str, values: dict[str, Any]) -> transformers.PretrainedConfig:
    described = transformers.CONFIG_MAPPING[kind]
    known = _known(described, values)
    for name, value in known.items():
        if isinstance(value, (int, float)) and not (math.isfinite(value) and abs(value) <= LARGEST):
            raise ValueError(f"{name} is {value:g}")
    description = described(**known)
    _check_size(description)
    return description


def _known(described: type, values: dict[str, Any]) -> dict[str, Any]:
    """The fields of the class that shape the network: numbers, and words from our lists."""
    names = _fields(described) - _fields(transformers.PretrainedConfig) | set(getattr(described, "attribute_map", ()))
    known: dict[str, Any] = {}
    for name in sorted(names & set(values) - OURS):
        value = values[name]
        if value is None or isinstance(value, (bool, int, float)):
            known[name] = value
        elif name in WORDS:
            if (word := "|".join(value) if isinstance(value, list) else value) not in WORDS[name]:
                raise ValueError(f"{name} {value!r:.40} is not one of {', '.join(WORDS[name])}")
            known[name] = word
    return known


def _fields(described: Any) -> set[str]:
    return {field.name for field in dataclasses.fields(described)}


def _check_size(description: transformers.PretrainedConfig) -> None:
    """Raise ValueError for a shape that cannot be built, before memory is taken for it."""
    names = ("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "max_position_embeddings")
    for name in names:
        value = getattr(description, name)
        if not isinstance(value, int) or value < (name != "num_hidden_layers"):
            raise ValueError(f"{name} is {value!r:.40}")
    size, inner = description.hidden_size, getattr(description, "intermediate_size", 0) or 0
    layer = 4 * size * size + 2 * size * inner
    rows = description.vocab_size + description.max_position_embeddings
    if rows * size + description.num_hidden_layers * layer > MOST_PARAMETERS:
        raise ValueError(f"it would have more than {MOST_PARAMETERS:.0e} parameters")
