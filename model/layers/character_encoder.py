"""The character encoder: any Hugging Face model like BERT. model/pretrained.py loads the weights.

B batch, L characters, N tokens, E the encoder's hidden size, M its layers.
"""

from __future__ import annotations

import re

import torch
import transformers
from torch import Tensor, nn

from config import EncoderConfig
from utils.errors import UserError


class CharacterEncoder(nn.Module):
    """Contextual vectors of characters: the states of one layer, or a learned mix of all layers (Peters et al., 2018).

    Args:
        transformer: the Hugging Face model.
        output: `last`, `mix`, or the number of a layer (0: embeddings).

    Raises:
        UserError: the encoder does not have the layer `output`.
    """

    def __init__(self, transformer: transformers.PreTrainedModel, output: str | int) -> None:
        super().__init__()
        depth = transformer.config.num_hidden_layers
        if isinstance(output, int) and not 0 <= output <= depth:
            raise UserError(f"encoder.output is {output}, but the encoder has layers 0 (embeddings) to {depth}")
        if isinstance(getattr(transformer, "pooler", None), nn.Module):
            transformer.register_module("pooler", None)  # it is for whole sentences; its parameters would never learn
        self.transformer = transformer
        self.output = depth if output == "last" else output
        if output == "mix":
            self.mix = nn.Parameter(torch.zeros(depth + 1))
            self.mix_scale = nn.Parameter(torch.ones(1))

    @property
    def size(self) -> int:
        """E."""
        return self.transformer.config.hidden_size

    @property
    def depth(self) -> int:
        """M."""
        return self.transformer.config.num_hidden_layers

    def freeze(self, lowest: int) -> None:
        """Freeze all below a layer, and let the rest train. The mix always trains.

        Args:
            lowest: the lowest layer that trains, from 1. With 0 the embeddings train too; above M nothing trains.
        """
        for name, parameter in self.transformer.named_parameters():
            parameter.requires_grad_(layer_of(name, self.depth) >= lowest)

    def forward(self, token_ids: Tensor, character_mask: Tensor) -> Tensor:
        """Encode.

        Args:
            token_ids: (B, L + 2), [CLS] characters [SEP], pads after it.
            character_mask: (B, L) bool.

        Returns:
            (B, L, E), the states of the characters only.
        """
        positions = torch.arange(token_ids.shape[1], device=token_ids.device)  # (L + 2,)
        # Attention also sees [CLS] and [SEP], two tokens more than there are characters.
        seen = positions < character_mask.sum(dim=1, keepdim=True) + 2  # (B, L + 2)
        return self.encode(token_ids, seen)[:, 1:-1]

    def encode(self, token_ids: Tensor, seen: Tensor, kinds: Tensor | None = None) -> Tensor:
        """The states of all tokens.

        Args:
            token_ids: (B, N); seen: (B, N) bool, the tokens that attention sees.
            kinds: (B, N) token types, 0 for the first text and 1 for the second. An encoder without types ignores them.

        Returns:
            (B, N, E).
        """
        several = kinds is not None and getattr(self.transformer.config, "type_vocab_size", 0) > 1
        encoded = self.transformer(
            input_ids=token_ids,
            attention_mask=seen.long(),
            output_hidden_states=True,
            return_dict=True,
            **({"token_type_ids": kinds} if several else {}),
        )
        states = encoded.hidden_states or (encoded.last_hidden_state,)  # M + 1 of (B, N, E); M may be 0
        if isinstance(self.output, int):
            return states[self.output]
        weights = self.mix.softmax(dim=0)  # (M + 1,)
        return self.mix_scale * sum(weight * state for weight, state in zip(weights, states, strict=True))


def layer_of(name: str, depth: int) -> int:
    """The encoder layer of a parameter, by its name: 1 to `depth`, or 0 for the embeddings.

    A parameter of neither comes after the layers and counts with the last one.
    """
    if found := re.search(r"\blayers?\.(\d+)\.", name):
        return int(found.group(1)) + 1
    return 0 if "embed" in name else depth


def encoder_from_config(description: transformers.PretrainedConfig, output: str | int) -> CharacterEncoder:
    """An encoder of a known shape with random weights."""
    return CharacterEncoder(transformers.AutoModel.from_config(description, trust_remote_code=False), output)


def scratch_config(
    settings: EncoderConfig, vocabulary_size: int, longest: int, pad: int
) -> transformers.PretrainedConfig:
    """The shape of a `scratch` encoder; the arguments are those of `model.pretrained.build_encoder`."""
    return transformers.BertConfig(
        vocab_size=vocabulary_size,
        hidden_size=settings.hidden,
        num_hidden_layers=settings.depth,
        num_attention_heads=settings.heads,
        intermediate_size=settings.feed_forward,
        max_position_embeddings=longest,
        pad_token_id=pad,
    )
