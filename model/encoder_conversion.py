"""Encoders that come with pickled weights, to a folder with safetensors: what `--mode convert-encoder` does."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import safetensors

from config import EncoderConfig
from data.lattice.encoder_files import PICKLED_WEIGHTS, SAFE_WEIGHTS, VOCABULARY_FILES, refuse_unreadable_weights
from data.lattice.tokenizer import encoder_vocabulary
from model.pretrained import load_transformer
from model.unpickle_weights import CANNOT_WRITE
from model.written_encoder import is_written_here, mark_as_written
from utils.errors import UserError
from utils.files import atomic_folder, check_replaceable, full_disk
from utils.json_values import parse_json

FILES = {"config.json", "model.safetensors", *VOCABULARY_FILES}  # of the new folder
ROOT = Path(__file__).parents[1]
HUB_FILES = ["config.json", *VOCABULARY_FILES, "pytorch_model*.bin", "pytorch_model.bin.index.json"]


class Conversion(NamedTuple):
    """What was written: the folder, the number of tensors and their bytes."""

    folder: Path
    tensors: int
    size: int


def convert_encoder(source: str, output: Path | None) -> Conversion:
    """Write an encoder with pickled weights as a folder that `encoder.name` can name.

    Args:
        source: a local folder or a model-hub id, with `pytorch_model.bin`, whole or in several files.
        output: the new folder; by default `source` with `_safetensors` added, in data/encoders/ for a hub id.

    Raises:
        UserError: there are no such weights, they hold more than weights or are damaged, they are not those of the
            encoder that config.json describes, or the folder cannot be written.
    """
    output = output or _default_output(source)
    check_replaceable(output, FILES, "--output", is_written_here)
    folder = Path(source) if Path(source).is_dir() else _download(source)
    if any((folder / name).exists() for name in SAFE_WEIGHTS):
        raise UserError(f"{source}: has safetensors weights already; use it with --set encoder.name={source}")
    if not (folder / "config.json").is_file():
        raise UserError(f"{source}: no config.json in it; name the folder or hub id of an encoder")
    files = _pickled_files(folder)
    encoder_vocabulary(str(folder))  # refuses an encoder that could not be used
    with atomic_folder(output) as new:
        _unpickle(files, new / "model.safetensors")
        for name in ("config.json", *VOCABULARY_FILES):
            if (folder / name).is_file():
                shutil.copyfile(folder / name, new / name)
        load_transformer(EncoderConfig(name=str(new)))
        mark_as_written(new)
        with safetensors.safe_open(new / "model.safetensors", "pt") as weights:
            tensors = len(weights.keys())
        size = (new / "model.safetensors").stat().st_size
    return Conversion(output, tensors, size)


def _default_output(source: str) -> Path:
    if Path(source).is_dir():
        folder = Path(source).resolve()
        return folder.with_name(f"{folder.name}_safetensors")
    return Path("data/encoders") / source.replace("/", "_")


def _download(name: str) -> Path:
    """The folder in which the hub's files of an encoder are."""
    import huggingface_hub  # imported here because it is slow
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    refused = UserError(
        f"{name}: no such folder, and not to be had from the model hub; check the name, or name a mirror in the "
        "environment variable HF_ENDPOINT"
    )
    huggingface_hub.logging.set_verbosity_error()
    try:
        names = set(huggingface_hub.HfApi().list_repo_files(name))
        if names & set(SAFE_WEIGHTS):
            raise UserError(f"{name}: has safetensors weights already; use it with --set encoder.name={name}")
        return Path(huggingface_hub.snapshot_download(name, allow_patterns=HUB_FILES))
    except (HfHubHTTPError, HFValidationError, OSError, RuntimeError, ValueError):
        raise refused from None


def _pickled_files(folder: Path) -> list[Path]:
    """The files of the weights: one, or those that an index lists."""
    whole, index = (folder / name for name in PICKLED_WEIGHTS)
    if whole.is_file():
        return [whole]
    if not index.is_file():
        refuse_unreadable_weights(str(folder))  # says what is there instead
    try:
        listed = sorted(set(parse_json(index.read_text(encoding="utf-8"))["weight_map"].values()))
        files = [folder / Path(name).name for name in listed]  # files of this folder, whatever is listed
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{index}: damaged ({type(error).__name__}: {error}); fetch it again") from None
    if missing := [file for file in files if not file.is_file()]:
        raise UserError(f"{missing[0]}: missing, but {index.name} lists it; fetch it again")
    return files


def _unpickle(files: list[Path], output: Path) -> None:
    places = [str(file.resolve()) for file in files]
    command = [sys.executable, "-m", "model.unpickle_weights", str(output.resolve()), *places]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        said = done.stderr.strip().splitlines()
        if said and done.returncode == CANNOT_WRITE:
            raise full_disk(output.parent, said[-1])
        reason = said[-1] if said and done.returncode == 2 else f"reading it ended with status {done.returncode}"
        where = "" if said and done.returncode == 2 else f"{files[0]}: "
        raise UserError(f"{where}{reason}; fetch it again, or choose another encoder")
