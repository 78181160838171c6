"""The files of an encoder, in a local folder or on the model hub."""

from __future__ import annotations

import itertools
from collections.abc import Collection
from pathlib import Path

from utils.errors import UserError

VOCABULARY_FILES = ("vocab.txt", "tokenizer.json")  # the first that exists is read
SAFE_WEIGHTS = ("model.safetensors", "model.safetensors.index.json")
PICKLED_WEIGHTS = ("pytorch_model.bin", "pytorch_model.bin.index.json")
FOREIGN_WEIGHTS = ("tf_model.h5", "model.ckpt.index", "flax_model.msgpack", "model.onnx")


def encoder_files(name: str, weights: bool) -> list[Path]:
    """The files of an encoder in a local folder: its vocabulary and, with `weights`, its shape and weights.

    Returns:
        Paths; none for an encoder on the hub or from scratch, which its settings identify.
    """
    folder = Path(name)
    if name == "scratch" or not folder.is_dir():
        return []
    vocabulary = filter(None, (find_encoder_file(name, filename) for filename in VOCABULARY_FILES))
    rest = [*folder.glob("config.json"), *sorted(folder.glob("*.safetensors"))] if weights else []
    return [*itertools.islice(vocabulary, 1), *rest]


def unavailable(name: str) -> UserError:
    """The error for an encoder whose vocabulary cannot be found."""
    return UserError(
        f"encoder {name}: no vocab.txt or tokenizer.json in a local folder or on the hub; give a local path with "
        "--set encoder.name=PATH, name a mirror in the environment variable HF_ENDPOINT, or train a small encoder "
        "with --set encoder.name=scratch"
    )


def find_encoder_file(name: str, filename: str) -> Path | None:
    """The file in a local folder, or from the hub or its cache; None if there is none.

    Raises:
        UserError: the hub is out of reach, and the file is not in the cache.
    """
    if Path(name).is_dir():
        path = Path(name) / filename
        return path if path.is_file() else None
    import huggingface_hub  # imported here because it is slow and most runs do not need it
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    huggingface_hub.logging.set_verbosity_error()  # its messages on retries repeat the one error line
    try:
        return Path(huggingface_hub.hf_hub_download(name, filename))
    except LocalEntryNotFoundError:  # the hub is out of reach, so the other file is too
        raise unavailable(name) from None
    except (HfHubHTTPError, HFValidationError, OSError):
        return None


def refuse_unreadable_weights(name: str) -> None:
    """Check, before any work, that an encoder has weights that can be read. Only their names are looked at.

    Raises:
        UserError: there are none, or only pickled ones. Reading a pickle may run any code that is in it.
    """
    files = _names_of_files(name)
    if name == "scratch" or files is None or any(safe in files for safe in SAFE_WEIGHTS):
        return
    if any(pickled in files for pickled in PICKLED_WEIGHTS):
        raise UserError(
            f"encoder {name}: its weights are pickled (pytorch_model.bin), which is never read; convert them with "
            f"python main.py --mode convert-encoder --input {name} --output FOLDER, then --set encoder.name=FOLDER"
        )
    foreign = [other for other in FOREIGN_WEIGHTS if other in files]
    raise UserError(
        f"encoder {name}: {f'only {foreign[0]}' if foreign else 'no weights'} in it; name one that has "
        "model.safetensors with --set encoder.name=PATH, or train a small one with --set encoder.name=scratch"
    )


def _names_of_files(name: str) -> Collection[str] | None:
    """The names of an encoder's files; None if the hub cannot be asked."""
    if Path(name).is_dir():
        return {path.name for path in Path(name).iterdir()}
    if name == "scratch":
        return None
    import huggingface_hub  # imported here because it is slow and most runs do not need it
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    huggingface_hub.logging.set_verbosity_error()  # its messages on retries repeat the one error line
    try:
        cached = [safe for safe in SAFE_WEIGHTS if isinstance(huggingface_hub.try_to_load_from_cache(name, safe), str)]
        return cached or huggingface_hub.HfApi().list_repo_files(name)
    except (HfHubHTTPError, HFValidationError, OSError, RuntimeError, ValueError):
        return None  # what reads the vocabulary says what is wrong
