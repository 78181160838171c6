"""Reads files that were damaged at random: each must be read or refused in one line, in bounded time and memory.

    python -m benchmarks.mutated_inputs --count 10000
    python -m benchmarks.mutated_inputs --kinds votes grid --keep found

Every input is read in a fork of this process. A file whose digest is recorded must be refused if a byte has changed;
white space within JSON is the exception, because its contents are the same.

Exit status 1 for a traceback, a hang over 20 s, more than 1 GiB, or a changed file that was accepted.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault("TQDM_DISABLE", "1")

import torch
from tqdm import tqdm

import main
import preprocess
from benchmarks.chaos_commands import make_workspace
from config import CorpusConfig, EncoderConfig, load_config
from data.corpus.formats import read_corpus
from data.corpus.input_texts import read_texts
from data.lattice.vectors import read_vectors
from data.problems import Problems
from data.processed import load_processed
from experiments.comparison.grid import read_grid
from experiments.denoising.decision_table import read_decisions
from experiments.denoising.files import read_documents
from experiments.denoising.votes import count_votes
from model import load_tagger
from model.pretrained import load_transformer
from model.training.callbacks.checkpoint import read_checkpoint
from utils.errors import UserError

LONGEST, LARGEST = 20, 2**30  # seconds, and bytes beyond what this process has
PIECES = [b"\x00", b'"', b"'", b"[" * 3000, b"{" * 3000, b"9" * 5000, b"-1", b"1e999", b"NaN", b"\\ud800", b"\xff\xfe",
          b"\xed\xa0\x80", b"\n", b"\r", b"\t", b",", b": ", b"- ", b"&a ", b"*a", b"!!python/name:os.system ", b"null",
          b"18446744073709551616", b"\x1b[31m", b"\xe2\x80\xae", b"=1+1", b"\xef\xbb\xbf"]  # fmt: skip


class Kind(NamedTuple):
    """A kind of file.

    Attributes:
        path: of a file that is whole.
        read: reads it, by itself or as a part of its folder.
        recorded: whether a manifest holds its digest.
    """

    path: Path
    read: Callable[[], object]
    recorded: bool = False


class Outcome(NamedTuple):
    """`what` is read, refused, traceback, hang, memory or accepted; `detail` is the message or the traceback."""

    what: str
    detail: str


def kinds_of(home: Path) -> dict[str, Kind]:
    """Make a file of every kind in a workspace, which is the current folder."""
    make_workspace(home, preprocess.main)
    _do(main.main, "--mode train --config c.yaml")
    _do(main.main, "--mode train --config c.yaml --set run.name=crf --set model.name=feature_crf")
    _do(main.main, "--mode denoise --config c.yaml --set folds.count=2 --set train.epochs=1")
    for name in ("jsonl", "bio", "doccano", "labelstudio", "brat", "datasets"):
        _do(preprocess.main, f"--convert sample/train_data --to {name} --output as_{name}")
    shutil.make_archive("train_data", "zip", "sample/train_data")
    shutil.make_archive("train_label", "zip", "sample/train_label")
    _make_vectors(home)
    (home / "grid.yaml").write_text(
        "plain: {}\nfgm: {adversarial.method: fgm, data: {max_len: 99}}\n", encoding="utf-8"
    )
    (home / "table.csv").write_text('id,text\n1,"张三，电话"\n2,李四\n', encoding="utf-8")
    _stop_a_training(home)
    run, crf, votes = home / "runs/tiny", home / "runs/crf", home / "runs/tiny_denoise/round1"
    texts = ["请联系张伟，电话13800138000。"]
    config = load_config([home / "c.yaml"])

    def corpus(path: str, labels: str = "", form: str = "auto") -> Callable[[], object]:
        own = CorpusConfig.model_validate({"path": path, "labels": labels, "format": form})
        return lambda: read_corpus(own, Problems(), "either")

    def tag(folder: Path) -> Callable[[], object]:
        return lambda: load_tagger(folder, device="cpu").predict(texts)

    arrow = next(iter(sorted((home / "as_datasets").glob("*.arrow"))))
    documents = read_documents(home / "runs/tiny_denoise/data/train.jsonl")
    kinds = {
        "settings": Kind(home / "c.yaml", lambda: load_config([home / "c.yaml"])),
        "grid": Kind(home / "grid.yaml", lambda: read_grid(home / "grid.yaml")),
        "zip": Kind(home / "train_data.zip", corpus("train_data.zip", "train_label.zip")),
        "zip of labels": Kind(home / "train_label.zip", corpus("train_data.zip", "train_label.zip")),
        "csv of labels": Kind(home / "sample/train_label/1.csv", corpus("sample/train_data")),
        "jsonl": Kind(home / "as_jsonl", corpus("as_jsonl", form="jsonl")),
        "tags": Kind(home / "as_bio", corpus("as_bio", form="bmes")),
        "doccano": Kind(home / "as_doccano", corpus("as_doccano", form="doccano")),
        "brat": Kind(sorted((home / "as_brat").glob("*.ann"))[0], corpus("as_brat", form="brat")),
        "arrow": Kind(arrow, corpus("as_datasets", form="tokens")),
        "label studio": Kind(home / "as_labelstudio", corpus("as_labelstudio", form="labelstudio")),
        "table of texts": Kind(home / "table.csv", lambda: list(read_texts(home / "table.csv", None, Problems()))),
        "vectors": Kind(home / "v.txt", lambda: read_vectors(home / "v.txt", ["词1", "词2"], Problems())),
        "vectors, gzip": Kind(home / "v.gz", lambda: read_vectors(home / "v.gz", ["词1", "词2"], Problems())),
        "vectors, binary": Kind(home / "v.bin", lambda: read_vectors(home / "v.bin", ["词1", "词2"], Problems())),
        "decisions": Kind(
            votes / "decisions.csv", lambda: read_decisions(votes / "decisions.csv", documents, Problems())
        ),
        "votes": Kind(next((votes / "votes").glob("*.jsonl")), lambda: count_votes((votes / "votes").glob("*.jsonl"))),
        "encoder": Kind(home / "bert/config.json", lambda: load_transformer(EncoderConfig(name="bert"))),
        "weights of an encoder": Kind(
            home / "bert/model.safetensors", lambda: load_transformer(EncoderConfig(name="bert"))
        ),
        "checkpoint": Kind(
            home / "runs/stopped/fold0/resume/state.json",
            lambda: read_checkpoint(home / "runs/stopped/fold0/resume"), recorded=True,
        ),
        "model of crfsuite": Kind(crf / "fold0/last/model.crfsuite", tag(crf), recorded=True),
    }  # fmt: skip
    for name in ("manifest.json", "config.yaml", "vocabulary.txt", "lexicon.txt", "encoder/config.json"):
        kinds[f"run, {name}"] = Kind(run / name, tag(run), recorded=True)
    kinds["run, weights"] = Kind(run / "fold0/best/model.safetensors", tag(run), recorded=True)
    for name in ("manifest.json", "documents.jsonl", "tokens.npy"):
        kinds[f"processed, {name}"] = Kind(home / "processed" / name, lambda: load_processed(config), recorded=True)
    return kinds


def _do(program: Callable[[list[str]], int], line: str) -> None:
    assert program(line.split()) == 0, line


def _make_vectors(home: Path) -> None:
    import gzip

    import numpy as np

    rows = np.random.default_rng(1).normal(size=(150, 8)).astype("<f4")
    text = "150 8\n" + "".join(f"词{n} {' '.join(f'{x:.4f}' for x in row)}\n" for n, row in enumerate(rows))
    (home / "v.txt").write_text(text, encoding="utf-8")
    (home / "v.gz").write_bytes(gzip.compress(text.encode()))
    binary = b"".join(f"词{n} ".encode() + row.tobytes() + b"\n" for n, row in enumerate(rows))
    (home / "v.bin").write_bytes(b"150 8\n" + binary)


def _stop_a_training(home: Path) -> None:
    """A run that was stopped after its first epoch."""
    from model.training.trainer import Trainer

    name = "_epoch"
    original = getattr(Trainer, name)

    def stop(trainer: Trainer) -> None:
        original(trainer)
        raise KeyboardInterrupt

    setattr(Trainer, name, stop)
    main.main(["--mode", "train", "--config", "c.yaml", "--set", "run.name=stopped"])
    setattr(Trainer, name, original)


def mutate(raw: bytes, draw: random.Random, other: bytes) -> bytes:
    """Some bytes changed, removed, repeated, moved or put in."""
    content = bytearray(raw)
    for _ in range(draw.choice((1, 1, 1, 2, 4))):
        place = draw.randrange(len(content) + 1)
        size = draw.choice((1, 2, 8, 64, 1000))
        kind = draw.randrange(7)
        if kind == 0 and content:
            content[place % len(content)] ^= 1 << draw.randrange(8)
        elif kind == 1:
            del content[place : place + size]
        elif kind == 2:
            content[place:place] = content[place : place + size] * draw.choice((1, 3))
        elif kind == 3:
            content[place:place] = draw.choice(PIECES)
        elif kind == 4:
            content[place : place + size] = draw.randbytes(size)
        elif kind == 5:
            start = draw.randrange(len(other) + 1)
            content[place:place] = other[start : start + size]
        else:
            del content[place:]
    return bytes(content)


def read_in_fork(kind: Kind, log: Path) -> Outcome:
    """Read a file in a fork, with bounds on time and memory."""
    sys.stdout.flush()
    child = os.fork()
    if not child:
        _read(kind, log)
    before = _resident(os.getpid())
    started, usage = time.monotonic(), None
    while usage is None:
        done, status, measured = os.wait4(child, os.WNOHANG)
        if done:
            usage = measured
        elif time.monotonic() - started > LONGEST:
            os.kill(child, signal.SIGKILL)
            os.wait4(child, 0)
            return Outcome("hang", f"more than {LONGEST} s")
        else:
            time.sleep(0.001)
    detail = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
    if usage.ru_maxrss * 1024 - before > LARGEST:
        return Outcome("memory", f"{(usage.ru_maxrss * 1024 - before) >> 20} MiB")
    code = os.waitstatus_to_exitcode(status)
    return Outcome({0: "read", 2: "refused"}.get(code, "traceback"), detail or f"status {code}")


def _read(kind: Kind, log: Path) -> None:
    """Read a file and end this process."""
    code = 0
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            kind.read()
        log.write_text("")
    except UserError as error:
        code = 2 if len(error.lines) >= 1 and all("\n" not in line for line in error.lines) else 1
        log.write_text("\n".join(error.lines), encoding="utf-8")
    except BaseException:
        import traceback

        code = 1
        log.write_text(traceback.format_exc(), encoding="utf-8", errors="replace")
    os._exit(code)


def _resident(process: int) -> int:
    return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def same_contents(path: Path, before: bytes, after: bytes) -> bool:
    """Whether two versions of a file say the same."""
    if path.suffix != ".json":
        return before == after
    try:
        return bool(json.loads(before) == json.loads(after))
    except ValueError:
        return False


def try_kind(name: str, kind: Kind, count: int, seed: int, others: list[bytes], keep: Path | None) -> Counter[str]:
    """Mutate a file many times, print what must not be, and count the outcomes."""
    whole, found, log = kind.path.read_bytes(), Counter[str](), Path("outcome.log")
    first = read_in_fork(kind, log)
    assert first.what == "read", f"{name}: {first}"
    for number in range(count):
        draw = random.Random(f"{seed} {name} {number}")
        changed = mutate(whole, draw, draw.choice(others))
        kind.path.write_bytes(changed)
        outcome = read_in_fork(kind, log)
        if outcome.what == "read" and kind.recorded and not same_contents(kind.path, whole, changed):
            outcome = Outcome("accepted", "although its digest is recorded")
        found[outcome.what] += 1
        if outcome.what not in ("read", "refused"):
            last = outcome.detail.strip().splitlines()[-1]
            print(f"{name} {number}: {outcome.what}: {last:.200}", flush=True)
            if keep:
                keep.mkdir(parents=True, exist_ok=True)
                (keep / f"{name.replace(' ', '_').replace('/', '_')}-{number}").write_bytes(changed)
                (keep / f"{name.replace(' ', '_').replace('/', '_')}-{number}.txt").write_text(outcome.detail)
    kind.path.write_bytes(whole)
    return found


def run(arguments: list[str] | None = None) -> int:
    """Mutate and read; returns the exit status."""
    parser = argparse.ArgumentParser(prog="mutated_inputs", description="read files that were damaged at random")
    parser.add_argument("--count", type=int, default=1000, help="inputs in all")
    parser.add_argument("--kinds", nargs="+", metavar="NAME")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="for the inputs that failed")
    options = parser.parse_args(arguments)
    keep = options.keep.resolve() if options.keep else None
    torch.set_num_threads(1)
    tqdm.set_lock(threading.RLock())  # the default is shared with forks, and a killed one would keep it
    started, total = time.monotonic(), Counter[str]()
    with tempfile.TemporaryDirectory(prefix="mutated-") as home:
        os.chdir(home)
        with contextlib.redirect_stdout(io.StringIO()):
            kinds = kinds_of(Path(os.path.realpath(home)))
        chosen = {name: kind for name, kind in kinds.items() if not options.kinds or name in options.kinds}
        others = [kind.path.read_bytes() for kind in kinds.values()]
        print("| kind | inputs | read | refused | tracebacks | hangs | beyond 1 GiB | wrongly accepted |\n"
              "|---|---:|---:|---:|---:|---:|---:|---:|")  # fmt: skip
        columns = ("read", "refused", "traceback", "hang", "memory", "accepted")
        for name, kind in chosen.items():
            found = try_kind(name, kind, -(-options.count // len(chosen)), options.seed, others, keep)
            total += found
            print(f"| {name} | {found.total()} | {' | '.join(str(found[what]) for what in columns)} |", flush=True)
        os.chdir("/")
    bad = sum(total[what] for what in columns[2:])
    print(f"{total.total()} inputs of {len(chosen)} kinds, {bad} that must not be; {time.monotonic() - started:.0f} s")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(run())
