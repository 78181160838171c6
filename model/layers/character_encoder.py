"""The character encoder: any Hugging Face model of BERT's kind, or a small one from scratch.

B batch, L characters, E the encoder's hidden size, M its layers.
"""

from __future__ import annotations

import os
import re

import safetensors
import torch
import transformers
from torch import Tensor, nn

from config import EncoderConfig
from utils.errors import UserError


class CharacterEncoder(nn.Module):
    """Contextual vectors of characters: one layer's states, or a learned mix of all layers (Peters et al., 2018)."""

    def __init__(self, transformer: transformers.PreTrainedModel, output: str | int) -> None:
        super().__init__()
        depth = transformer.config.num_hidden_layers
        if isinstance(output, int) and not 0 <= output <= depth:
            raise UserError(f"encoder.output is {output}, but the encoder has layers 0 (embeddings) to {depth}")
        transformer.pooler = None  # it serves whole-sentence tasks and would hold parameters that never learn
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
        """Take what is below a layer out of training, and put the rest back.

        Args:
            lowest: the lowest layer that trains, from 1; 0 for the embeddings too, more than M for nothing at all. The
                mix goes on learning.
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
        # [CLS] and [SEP] are seen too: two more than there are characters.
        positions = torch.arange(token_ids.shape[1], device=token_ids.device)
        seen = positions < character_mask.sum(dim=1, keepdim=True) + 2  # (B, L + 2)
        return self.encode(token_ids, seen)[:, 1:-1]

    def encode(self, token_ids: Tensor, seen: Tensor, kinds: Tensor | None = None) -> Tensor:
        """The states of all tokens.

        Args:
            token_ids: (B, N); seen: (B, N) bool, what attention may look at.
            kinds: (B, N) integers, 0 for a first text and 1 for a second, for an encoder that tells them apart.

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
        states = encoded.hidden_states or (encoded.last_hidden_state,)  # M + 1 of (B, L + 2, E); M may be 0
        if self.output == "mix":
            weights = self.mix.softmax(dim=0)
            chosen = self.mix_scale * sum(weight * state for weight, state in zip(weights, states, strict=True))
        else:
            chosen = states[self.output]
        return chosen


def layer_of(name: str, depth: int) -> int:
    """The encoder layer that a parameter belongs to by its name: 1 to `depth`, 0 for the embeddings.

    What stands in neither comes after the layers and counts with the last.
    """
    if found := re.search(r"\blayers?\.(\d+)\.", name):
        return int(found.group(1)) + 1
    return 0 if "embed" in name else depth


def build_encoder(settings: EncoderConfig, vocabulary_size: int, longest: int, pad: int) -> CharacterEncoder:
    """A fresh encoder with pretrained weights, or random ones for `scratch`.

    Args:
        settings: which.
        vocabulary_size: rows of its token table.
        longest: tokens that it will read at a time, at most.
        pad: row of the pad.

    Raises:
        UserError: a hub or folder that does not yield a model, weights that are damaged or of another model, more
            layers asked for than there are, texts longer than the encoder's positions, or a vocabulary of another size.
    """
    if settings.name == "scratch":
        return encoder_from_config(scratch_config(settings, vocabulary_size, longest, pad), settings.output)
    transformers.logging.set_verbosity_error()  # it warns of the layers and heads that we leave out on purpose
    transformers.utils.logging.disable_progress_bar()
    try:
        description = transformers.AutoConfig.from_pretrained(settings.name)
        if settings.layers > description.num_hidden_layers:
            raise UserError(
                f"encoder.layers is {settings.layers}, but {settings.name} has {description.num_hidden_layers} layers"
            )
        if settings.layers:
            description.num_hidden_layers = settings.layers
        # Safetensors only: other weight files are pickles. What these do not fill is random, which is only reported.
        transformer, found = transformers.AutoModel.from_pretrained(
            settings.name, config=description, dtype=torch.float32, use_safetensors=True,
            ignore_mismatched_sizes=True, output_loading_info=True,
        )  # fmt: skip
        _refuse_random_weights(found["missing_keys"] | {name for name, *_ in found["mismatched_keys"]})
    except (OSError, ValueError, AttributeError, safetensors.SafetensorError) as error:
        raise UserError(encoder_unavailable(settings.name, error)) from None
    room = description.max_position_embeddings
    if longest > room:
        raise UserError(f"data.max_len asks for {longest} tokens at a time, but {settings.name} reads at most {room}")
    if description.vocab_size < vocabulary_size:
        raise UserError(
            f"{settings.name} has {description.vocab_size} token rows, the processed data was made with "
            f"{vocabulary_size}; run preprocess.py again with this encoder"
        )
    return CharacterEncoder(transformer, settings.output)


def _refuse_random_weights(names: set[str]) -> None:
    """Raise ValueError if a checkpoint did not fill weights of these names, but for the pooler's, which is not used."""
    if lacking := sorted(name for name in names if not name.startswith("pooler.")):
        raise ValueError(
            f"its weights lack {len(lacking)} of its tensors, or have them in another shape, among them {lacking[0]}"
        )


def encoder_from_config(description: transformers.PretrainedConfig, output: str | int) -> CharacterEncoder:
    """An encoder of a known shape with random weights, to be trained or to be loaded into."""
    return CharacterEncoder(transformers.AutoModel.from_config(description), output)


def scratch_config(
    settings: EncoderConfig, vocabulary_size: int, longest: int, pad: int
) -> transformers.PretrainedConfig:
    """The shape of a `scratch` encoder."""
    return transformers.BertConfig(
        vocab_size=vocabulary_size,
        hidden_size=settings.hidden,
        num_hidden_layers=settings.depth,
        num_attention_heads=settings.heads,
        intermediate_size=settings.feed_forward,
        max_position_embeddings=longest,
        pad_token_id=pad,
    )


def encoder_unavailable(name: str, error: Exception) -> str:
    """One line that says which encoder could not be had, and the three ways out."""
    reason = str(error).strip().splitlines()[0][:160] if str(error).strip() else type(error).__name__
    mirror = os.environ.get("HF_ENDPOINT", "the default hub")
    return (
        f"encoder {name} could not be loaded from {mirror} or as a local folder with safetensors weights ({reason}); "
        "give a local path with --set encoder.name=PATH, name a mirror in the environment variable HF_ENDPOINT, "
        "or train a small one with --set encoder.name=scratch"
    )
