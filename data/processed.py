"""The processed folder: documents, lattices, segments and lexicon on disk, with a manifest that says what shaped them.

manifest.json     version, settings, digests of all inputs and of the other files here, categories, counts
documents.jsonl   every document, with the part it belongs to
vocabulary.txt    the encoder's tokens
lexicon.txt       the words that the corpora have
vectors.npy       float32 (words, size), absent where vectors are random
*.npy             lattices, segments (document, begin, end), groups of near-duplicates
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

import numpy as np

from config import Config, CorpusConfig, DataConfig, shaping_settings
from data.corpus.corpus_files import is_hidden, require
from data.corpus.document import Document, from_record, to_record
from data.corpus.format_ccf import find_labels
from data.lattice.encoder_files import encoder_files
from data.lattice.lattice import Lattices
from data.lattice.lexicon import Lexicon, load_words, save_words
from data.lattice.tokenizer import Vocabulary
from utils.errors import UserError, looked_in
from utils.files import atomic_folder, digest_file, read_json
from utils.json_values import parse_json
from utils.recorded_files import FILES as RECORDED
from utils.recorded_files import MANIFEST, RecordedFiles

VERSION = 2
ARRAY_NAMES = (*(field.name for field in fields(Lattices)), "segments", "groups", "vectors")
FILES = {MANIFEST, "documents.jsonl", "vocabulary.txt", "lexicon.txt", *(f"{name}.npy" for name in ARRAY_NAMES)}
Part = Literal["train", "dev", "test", "additional", "unlabelled"]


@dataclass
class Processed:
    """Everything that training needs of the corpora.

    Attributes:
        documents: of all parts, the parts one after the other.
        parts: the part of each document.
        categories: in their fixed order.
        lattices: one for each document.
        segments: int64 (S, 3) document, begin, end (exclusive).
        groups: int64 (D,) equal for near-duplicate training and dev texts; every other document has one of its own.
        lexicon: the words that the corpora have.
        vectors: float32 (words, size), or None for random ones.
        manifest: as on disk.
    """

    documents: list[Document]
    parts: list[Part]
    categories: list[str]
    vocabulary: Vocabulary
    lattices: Lattices
    segments: np.ndarray
    groups: np.ndarray
    lexicon: Lexicon
    vectors: np.ndarray | None
    manifest: dict[str, Any]

    @property
    def digest(self) -> str:
        """Changes whenever what the data is made of changes, or the settings that shape it."""
        contents = {path: entry["sha256"] for path, entry in self.manifest["inputs"].items()}
        shaped = json.dumps([self.manifest["version"], self.manifest["settings"], contents], sort_keys=True)
        return hashlib.sha256(shaped.encode()).hexdigest()

    def of_part(self, part: Part) -> list[int]:
        """Numbers of the documents of a part."""
        return [number for number, own in enumerate(self.parts) if own == part]


def is_processed(folder: Path) -> bool:
    """Whether preprocessing has made a folder, so that it may replace it: by the manifest, or if that is damaged, by
    the arrays."""
    if all((folder / f"{field.name}.npy").is_file() for field in fields(Lattices) if field.name != "tags"):
        return True
    try:
        return {"version", "settings", "inputs"} <= set(read_json(folder / MANIFEST, ""))
    except (UserError, TypeError):
        return False


def input_files(config: Config) -> list[Path]:
    """Every file that the processed data is made of."""
    paths = []
    for _, corpus in named_corpora(config.data):
        labels = Path(corpus.labels) if corpus.labels else find_labels(Path(corpus.path))
        for path in filter(None, (Path(corpus.path), labels)):
            paths += _files_below(path) if path.is_dir() else [path]
    paths += encoder_files(config.encoder.name, weights=config.lexicon.vectors == "encoder")
    return paths + ([Path(config.lexicon.path)] if config.lexicon.path else [])


def _files_below(folder: Path) -> list[Path]:
    """All files but hidden ones. Readers ignore those, and file managers leave them in folders that they show."""
    files = (file for file in folder.rglob("*") if file.is_file())
    return sorted(file for file in files if not is_hidden(file.relative_to(folder)))


def named_corpora(data: DataConfig) -> list[tuple[Part, CorpusConfig]]:
    """Every corpus that the settings name and the part it is, in the order of the processed documents."""
    corpora: list[tuple[Part, CorpusConfig]] = [
        ("train", data.train),
        ("dev", data.dev),
        ("test", data.test),
        *(("additional", corpus) for corpus in data.additional),
        ("unlabelled", data.unlabelled),
    ]
    return [(part, corpus) for part, corpus in corpora if corpus.path]


def fingerprints(paths: list[Path]) -> dict[str, dict[str, Any]]:
    """Size, time and digest of each file.

    Raises:
        UserError: a file is missing. Files that the settings name and do not use are opened only here.
    """
    for path in paths:
        require(path)
    return {
        str(path): {"size": stat.st_size, "modified": stat.st_mtime_ns, "sha256": digest_file(path)}
        for path in paths
        for stat in (path.stat(),)
    }


def save_processed(processed: Processed, folder: Path) -> None:
    """Write the folder, whole or not at all."""
    with atomic_folder(folder) as temporary:
        with (temporary / "documents.jsonl").open("w", encoding="utf-8", newline="\n") as lines:
            for document, part in zip(processed.documents, processed.parts, strict=True):
                lines.write(json.dumps({"part": part, **to_record(document)}, ensure_ascii=False) + "\n")
        processed.vocabulary.save(temporary / "vocabulary.txt")
        save_words(processed.lexicon.words, temporary / "lexicon.txt")
        processed.lattices.save(temporary)
        np.save(temporary / "segments.npy", processed.segments, allow_pickle=False)
        np.save(temporary / "groups.npy", processed.groups, allow_pickle=False)
        if processed.vectors is not None:
            np.save(temporary / "vectors.npy", processed.vectors, allow_pickle=False)
        RecordedFiles(temporary, "").record(processed.manifest, sorted(temporary.iterdir()))


def load_processed(config: Config) -> Processed:
    """Read the folder that belongs to the settings.

    Raises:
        UserError: there is none, it is of another version, was made with other settings, or an input has changed.
    """
    folder = config.processed_folder
    again = "run preprocess.py with the same --config and --set"
    if not config.data.train.path:
        again = "name a configuration with --config"
    if not folder.is_dir():
        raise UserError(f"{folder}: no processed data{looked_in(folder)}; {again}")
    files = RecordedFiles(folder, again)
    if not (folder / MANIFEST).exists():
        raise UserError(f"{folder / MANIFEST}: no such file; {again}")
    _refuse_other_version(read_json(folder / MANIFEST, again), folder, again)
    manifest = files.manifest()
    documents, parts = [], []
    try:
        _refuse_stale(manifest, config, folder, again)
        there = {path.name for path in folder.iterdir()} & FILES - {MANIFEST}
        for name in sorted(there.union(manifest.get(RECORDED, ()))):
            files.check(folder / name)
        with (folder / "documents.jsonl").open(encoding="utf-8") as lines:
            for line in lines:
                record = parse_json(line)
                parts.append(record["part"])
                documents.append(from_record(record))
        vectors_path = folder / "vectors.npy"
        processed = Processed(
            documents=documents,
            parts=parts,
            categories=manifest["categories"],
            vocabulary=Vocabulary.load(folder / "vocabulary.txt"),
            lattices=Lattices.load(folder),
            segments=np.load(folder / "segments.npy", allow_pickle=False),
            groups=np.load(folder / "groups.npy", allow_pickle=False),
            lexicon=Lexicon(load_words(folder / "lexicon.txt"), config.lexicon.match, config.lexicon.tags),
            vectors=np.load(vectors_path, mmap_mode="r", allow_pickle=False) if vectors_path.exists() else None,
            manifest={key: value for key, value in manifest.items() if key != RECORDED},
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError) as error:
        raise UserError(f"{folder}: damaged ({error}); {again}") from None
    _refuse_incomplete(processed, folder, again)
    return processed


def _refuse_incomplete(processed: Processed, folder: Path, again: str) -> None:
    """Raise UserError if the files do not fit together. Training would fail late, or learn from the wrong words."""
    counts = {len(processed.documents), len(processed.lattices), len(processed.groups)}
    words = len(processed.lexicon.words)
    fits = (
        len(counts) == 1
        and processed.lattices.words.max(initial=0) <= words
        and processed.lattices.tokens.max(initial=0) < len(processed.vocabulary)
        and processed.lattices.has_tags_of(processed.lexicon)
        and (processed.vectors is None or len(processed.vectors) == words)
    )
    if not fits:
        raise UserError(f"{folder}: damaged (its files do not fit together); {again}")


def _refuse_other_version(manifest: Any, folder: Path, again: str) -> None:
    """Raise UserError before anything else is read, because other versions may write it in another way."""
    version = manifest.get("version") if isinstance(manifest, dict) else None
    if version != VERSION:
        raise UserError(f"{folder}: made by version {version!r:.20}, this is version {VERSION}; {again}")


def _refuse_stale(manifest: dict[str, Any], config: Config, folder: Path, again: str) -> None:
    made, wanted = manifest["settings"], shaping_settings(config)
    if "tags" in made["lexicon"]:  # a setting that is recorded only where it is set
        wanted["lexicon"].setdefault("tags", "none")
    for section, values in wanted.items():
        for name, value in values.items():
            if made.get(section, {}).get(name) != value:
                raise UserError(f"{folder}: made with another {section}.{name} than this run's; {again}")
    recorded = manifest["inputs"]
    current = input_files(config)
    if gone := [path for path in current if not path.exists()]:
        raise UserError(f"{gone[0]}: gone since the processed data was made; put it back, or change the setting")
    if set(map(str, current)) != set(recorded):
        changed = sorted(set(map(str, current)) ^ set(recorded))[0]
        raise UserError(f"{folder}: older than its inputs ({changed} came or went); {again}")
    for path in current:
        was, stat = recorded[str(path)], path.stat()
        unchanged = stat.st_size == was["size"] and (
            stat.st_mtime_ns == was["modified"] or digest_file(path) == was["sha256"]
        )
        if not unchanged:
            raise UserError(f"{folder}: older than its inputs ({path} has changed); {again}")
