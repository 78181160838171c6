"""The commands that the campaign of kills runs, in a small workspace, and what each must have made in the end.

A new command joins by a line in `COMMANDS`.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import safetensors.torch
import yaml

from utils.leftovers import PATTERN

SETTINGS = {
    "run": {"name": "tiny", "folder": "runs", "threads": 1},
    "data": {"train": "sample/train_data", "test": "sample/test_data", "processed": "processed", "max_len": 66},
    "encoder": {"name": "scratch", "hidden": 16, "heads": 2, "depth": 1, "feed_forward": 32},
    "flat": {"hidden": 16, "heads": 2, "feed_forward": 32},
    "lexicon": {"dimension": 8},
    "train": {"epochs": 2, "batch_size": 16, "precision": "float32", "other_rate": 1e-2, "encoder_rate": 1e-3},
}
TIMES = {"seconds", "train_seconds", "evaluation_seconds", "peak_mib", "modified", "files", "digest", "inputs"}
OF_TIMES = ("stages.json", "table.csv")  # digests of metrics, which hold times; seconds and memory
SKIPPED = (".log", ".png", ".md", ".html", ".lock")  # they hold times, or say what others hold


class Command(NamedTuple):
    """A command line.

    Attributes:
        arguments: of main.py, or of preprocess.py if they name no mode.
        again: what a user adds to go on after a kill.
        needs: the arguments of what must have run before.
        starts_processes: takes so long that only a few points are tried.
    """

    arguments: str
    again: str = ""
    needs: Sequence[str] = ()
    starts_processes: bool = False


TRAIN = "--mode train --config c.yaml"
PREPROCESS = "--config c.yaml"
COMMANDS = {
    "sample": Command("--sample 30 --sample-folder other"),
    "preprocess": Command("--config c.yaml --force"),
    "convert to a file": Command("--convert sample/train_data --to jsonl --output out.jsonl"),
    "convert to a folder": Command("--convert sample/train_data --to brat --output brat"),
    "noise": Command("--noise sample/train_data --output noisy --noise-type 0.3"),
    "quality": Command("--quality sample/train_data --gold gold.jsonl --output quality"),
    "dictionary": Command("--dictionary sample/train_data --output words.txt --share 0.5"),
    "leakcheck": Command("--leakcheck --config c.yaml --output leaks.json"),
    "train": Command(TRAIN, "--resume"),
    "train, folds and swa": Command(
        f"{TRAIN} --set folds.count=2 --set averaging.method=swa --set train.epochs=2 --set averaging.start_epoch=1",
        "--resume",
    ),
    "train, feature_crf": Command(f"{TRAIN} --set model.name=feature_crf", "--resume"),
    "train --overwrite": Command(f"{TRAIN} --set run.seed=7 --overwrite", "--resume", [TRAIN]),
    "pretrain": Command(f"{PREPROCESS} --mode pretrain --set encoder.name=bert --set data.processed=processed_bert "
                        "--set pretrain.epochs=2", "--resume"),
    "convert-encoder": Command("--mode convert-encoder --input pickled --output converted"),
    "eval": Command("--mode eval --config c.yaml", needs=[TRAIN]),
    "predict": Command("--mode predict --config c.yaml --input sample/test_data --format labelstudio", needs=[TRAIN]),
    "tune": Command("--mode tune --runs runs/tiny --input sample/test_data --output mix.yaml", needs=[TRAIN]),
    "package-run": Command("--mode package-run --config c.yaml --output given", needs=[TRAIN]),
    "denoise": Command("--mode denoise --config c.yaml --set folds.count=2 --set train.epochs=1",
                       starts_processes=True),
    "compare": Command("--mode compare --config c.yaml --configs one.yaml two.yaml --seeds 1", starts_processes=True),
    "ablate": Command("--mode ablate --config c.yaml --grid grid.yaml --seeds 1", starts_processes=True),
    "pipeline": Command(  # a larger network, because pseudo-labels need one that has learned something
        "--mode pipeline --config c.yaml --set folds.count=2 --set train.epochs=12 --set train.batch_size=4 "
        "--set encoder.hidden=64 --set flat.hidden=32 --set data.unlabelled=sample/train_data "
        "--set data.processed=processed_all --set pseudo.certain_from=0.1",
        starts_processes=True,
    ),
    "learn from a dictionary": Command("--mode dictionary --config c.yaml --set dictionary.path=given.txt "
                                       "--set dictionary.method=loop --set dictionary.rounds=1"),
    "match a dictionary": Command("--mode dictionary --config c.yaml --set dictionary.path=given.txt"),
}  # fmt: skip


def make_workspace(folder: Path, preprocess: Callable[[list[str]], int]) -> None:
    """Make what all commands read. The current folder must be `folder`."""
    (folder / "c.yaml").write_text(yaml.safe_dump(SETTINGS), encoding="utf-8")
    (folder / "one.yaml").write_text("model: {name: encoder}\ntrain: {epochs: 1}\n", encoding="utf-8")
    (folder / "grid.yaml").write_text("plain: {train.epochs: 1}\nfgm: {train.epochs: 2}\n", encoding="utf-8")
    (folder / "two.yaml").write_text("model: {name: flat}\ntrain: {epochs: 1}\n", encoding="utf-8")
    _prepare(preprocess, "--sample 40 --sample-folder sample --config c.yaml")
    _prepare(preprocess, "--dictionary sample/train_data --output given.txt")
    _write_gold(folder)
    _write_encoders(folder)
    _prepare(preprocess, "--config c.yaml --set encoder.name=bert --set data.processed=processed_bert")


def _prepare(program: Callable[[list[str]], int], line: str) -> None:
    if status := program(line.split()):
        raise RuntimeError(f"{line}: ended with status {status}")


def _write_gold(folder: Path) -> None:
    """Gold labels of the first document: none, so that all its labels are spurious."""
    text = (folder / "sample" / "train_data" / "0.txt").read_bytes()
    line = {"id": "0", "sha256": hashlib.sha256(text).hexdigest(), "entities": []}
    (folder / "gold.jsonl").write_text(json.dumps(line) + "\n", encoding="utf-8")


def _write_encoders(folder: Path) -> None:
    """A small BERT with the tokens of the sample corpus, and the same with pickled weights."""
    import torch
    import transformers

    tokens = (folder / "processed" / "vocabulary.txt").read_text(encoding="utf-8")
    shape = transformers.BertConfig(
        vocab_size=tokens.count("\n"), hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=32, max_position_embeddings=80,
    )  # fmt: skip
    torch.manual_seed(1)
    model = transformers.BertModel(shape)
    for name in ("bert", "pickled"):
        model.save_pretrained(folder / name)
        (folder / name / "vocab.txt").write_text(tokens, encoding="utf-8")
    torch.save(model.state_dict(), folder / "pickled" / "pytorch_model.bin")
    (folder / "pickled" / "model.safetensors").unlink()


def contents(folder: Path) -> dict[str, str]:
    """A digest of every file that a command makes, without times and places that differ from run to run."""
    found = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = path.relative_to(folder).as_posix()
        if "tensorboard" not in name and path.suffix not in SKIPPED and path.name not in OF_TIMES:
            found[name] = hashlib.sha256(_comparable(path)).hexdigest()
    return found


def _comparable(path: Path) -> bytes:
    if path.suffix != ".json":
        return path.read_bytes()
    return json.dumps(_without_times(json.loads(path.read_text(encoding="utf-8"))), sort_keys=True).encode()


def _without_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_times(one) for key, one in value.items() if key not in TIMES}
    return [_without_times(one) for one in value] if isinstance(value, list) else value


def broken_files(folder: Path) -> list[str]:
    """The files under a final name that are not whole: a kill must not leave any."""
    return [str(path.relative_to(folder)) for path in folder.rglob("*")
            if path.is_file() and not _is_temporary(path, folder) and not _is_whole(path)]  # fmt: skip


def left_behind(folder: Path) -> list[str]:
    """Temporary files and folders."""
    return [str(path.relative_to(folder)) for path in folder.rglob("*") if PATTERN.fullmatch(path.name)]


def _is_temporary(path: Path, folder: Path) -> bool:
    return any(PATTERN.fullmatch(part) for part in path.relative_to(folder).parts)


def _is_whole(path: Path) -> bool:
    try:
        if path.suffix == ".json":
            json.loads(path.read_text(encoding="utf-8"))
        elif path.suffix == ".jsonl":
            [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]
        elif path.suffix == ".yaml":
            yaml.safe_load(path.read_text(encoding="utf-8"))
        elif path.suffix == ".safetensors":
            safetensors.torch.load_file(path)
        elif path.suffix == ".npy":
            np.load(path, allow_pickle=False)
    except Exception:  # whatever its library raises, the file is not whole
        return False
    return True


def copy_workspace(source: Path, target: Path) -> None:
    """A fresh copy. Hard links would share what a command changes in place."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target, symlinks=True)
    for place, _, names in os.walk(source):  # processed data is compared by the times of its inputs
        for name in names:
            original = Path(place) / name
            shutil.copystat(original, target / original.relative_to(source))
