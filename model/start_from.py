"""Training that begins with the weights of a trained run (`train.start_from`).

Tensors are carried over by name. Some have rows, or rows and columns, that belong to a category, a word or a token: a
head's `dimension_names`, the word embeddings, and the character embeddings of the encoder. These are carried over one
by one, so the new run may have other categories, words and tokens, in another order. What has another shape stays as
it was made.
"""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from config import TRADITIONAL, Config
from data.corpus.document import Document, bare
from data.lattice.tokenizer import Vocabulary
from model.build import load_network
from model.model import TaggingNetwork
from model.run_folder import RunParts, fold_folders, load_parts, recorded_files, trained_folds
from utils.errors import UserError
from utils.files import read_json

DimensionNames = dict[str, tuple[Sequence[Hashable], ...]]  # of the first dimensions of a tensor, by its name
SEEN = "trained_on.npy"  # in a fold's folder: digests of the texts that its weights have seen labelled
NOTES = "started_from.json"  # what of the dev and test part the first weights had seen, for `--mode eval`
NAMED = 3  # tensors that a message names


@dataclass
class Carried:
    """What was carried over.

    Attributes:
        tensors, of: how many tensors, wholly or in part, of all in the new network.
        fresh: names of the others.
        new: categories, words and tokens that the earlier run does not have.
    """

    tensors: int = 0
    of: int = 0
    fresh: list[str] = field(default_factory=list)
    new: dict[str, list[str]] = field(default_factory=dict)

    def describe(self) -> str:
        """One line: `212 of 215 tensors; new categories: email; 1204 new words; fresh: head.x and 2 more`."""
        parts = [f"{self.tensors} of {self.of} tensors"]
        if categories := self.new.get("categories"):
            parts.append(f"new categories: {', '.join(categories)}")
        parts += [f"{len(names)} new {kind}" for kind, names in self.new.items() if names and kind != "categories"]
        if self.fresh:
            more = len(self.fresh) - NAMED
            parts.append(f"fresh: {', '.join(self.fresh[:NAMED])}" + (f" and {more} more" if more > 0 else ""))
        return "; ".join(parts)


def open_start(config: Config) -> RunParts:
    """The run that `train.start_from` names.

    Raises:
        UserError: there is no such run, it is the run to train itself, or it has no network.
    """
    run = Path(config.train.start_from)
    if run.resolve() == config.run_folder.resolve():
        raise UserError(f"train.start_from: {run} is the run to train; give the new run another name with "
                        "--set run.name=NAME, or continue it with --resume")  # fmt: skip
    parts = load_parts(run)
    if parts.config.model.name in TRADITIONAL:
        raise UserError(f"train.start_from: {run} is a {parts.config.model.name}, which has no weights to begin with")
    return parts


def start_weights(earlier: RunParts, fold: int, folds: int) -> Path:
    """The weights that a fold begins with: those of the same fold, if both runs have as many folds, or of the first.

    Raises:
        UserError: they are not trained.
    """
    same = folds > 0 and earlier.config.folds.count == folds
    trained = trained_folds(earlier.folder, earlier.config.train.select, [fold] if same else None)
    return trained[fold] if same else next(iter(trained.values()))


def carry_over(
    network: TaggingNetwork, words: Sequence[str], vocabulary: Vocabulary, earlier: RunParts, weights: Path
) -> Carried:
    """Copy the weights of an earlier run into a fresh network.

    Args:
        network: the fresh network, on any device.
        words: of its lexicon.
        vocabulary: its tokens.
        earlier: the earlier run.
        weights: of one of its folds.

    Raises:
        UserError: the weights cannot be read.
    """
    before = load_network(earlier, weights)
    old_names = _dimension_names(before, earlier.lexicon.words, earlier.vocabulary)
    new_names = _dimension_names(network, words, vocabulary)
    old = dict(before.named_parameters())
    carried = Carried()
    for name, parameter in network.named_parameters():
        carried.of += 1
        if name in old and _copy(old[name].data, parameter.data, old_names.get(name, ()), new_names.get(name, ())):
            carried.tensors += 1
        else:
            carried.fresh.append(name)
    carried.new = {
        "categories": _unknown(network.head.labeller.categories, earlier.categories),
        "words": _unknown(words, earlier.lexicon.words) if network.words is not None else [],
        "tokens": _unknown(vocabulary.tokens, earlier.vocabulary.tokens),
    }
    return carried


def _unknown(names: Iterable[str], known: Iterable[str]) -> list[str]:
    before = set(known)
    return [name for name in names if name not in before]


def _dimension_names(network: TaggingNetwork, words: Sequence[str], vocabulary: Vocabulary) -> DimensionNames:
    """The names of all dimensions that have some, by the full name of the tensor."""
    names: DimensionNames = {f"head.{name}": own for name, own in network.head.dimension_names().items()}
    names["words.weight"] = (["", *words],)  # row 0 is the pad
    embeddings = network.encoder.transformer.get_input_embeddings()
    tensors = {id(parameter): name for name, parameter in network.named_parameters()}
    # Rows without a token are told apart by their number.
    names[tensors[id(embeddings.weight)]] = ([token or row for row, token in enumerate(vocabulary.tokens)],)
    return names


def _copy(
    old: torch.Tensor,
    new: torch.Tensor,
    old_names: Sequence[Sequence[Hashable]],
    new_names: Sequence[Sequence[Hashable]],
) -> bool:
    """Copy what both tensors have; returns whether that is anything."""
    named = len(new_names)
    if len(old_names) != named or old.shape[named:] != new.shape[named:] or old.dim() != new.dim():
        return False
    if not named:
        new.copy_(old)
        return True
    sources, targets = [], []
    for before, now in zip(old_names, new_names, strict=True):
        rows = {name: row for row, name in enumerate(before)}
        common = [(rows[name], row) for row, name in enumerate(now) if name in rows]
        sources.append([source for source, _ in common])
        targets.append([target for _, target in common])
    if not all(sources):
        return False
    # Encoders may have more rows than their vocabulary has tokens; those stay as they are.
    new[np.ix_(*targets)] = old[np.ix_(*sources)].to(new)
    return True


# ------------------------------------------------------------------------------------------------- texts seen before


def digests_of(documents: Iterable[Document]) -> np.ndarray:
    """uint64, sorted and distinct: a digest of each text without white space."""
    digests = (hashlib.blake2b(bare(document.text).encode(), digest_size=8).digest() for document in documents)
    return np.unique(np.frombuffer(b"".join(digests), dtype="<u8"))


class Start(NamedTuple):
    """What the first weights of a training have seen.

    Attributes:
        seen: digests of the texts; None if that is not known.
        notes: for the dev and the test part, what a user should know, if there is anything.
    """

    seen: np.ndarray | None
    notes: dict[str, str]


def begin_with(earlier: RunParts, weights: Path, held_out: Mapping[str, Sequence[Document]]) -> Start:
    """What the weights of an earlier run have seen of the texts that are held out now, by part.

    Raises:
        UserError: its file of digests is damaged.
    """
    path = weights.parents[1] / SEEN
    try:
        seen = None  # if there is no file, the run was trained before digests of texts were kept
        if path.exists():
            recorded_files(earlier.folder).check(path)
            seen = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise UserError(f"{path}: damaged ({error}); train that run again") from None
    notes = {part: _note(str(earlier.folder), part, documents, seen) for part, documents in held_out.items()}
    return Start(seen, {part: note for part, note in notes.items() if note})


def save_seen(fold: Path, documents: Iterable[Document], start: Start | None) -> None:
    """Write the digests of a fold's training texts, with those that its first weights had seen, and the notes.

    If it is not known what these had seen, no digests are written: nor is it known of the new weights.
    """
    files = recorded_files(fold.parent)
    if start is not None:
        files.write_json(fold / NOTES, start.notes)
    before = np.empty(0, "<u8") if start is None else start.seen
    if before is not None:
        with files.write(fold / SEEN) as temporary, temporary.open("wb") as file:
            np.save(file, np.union1d(digests_of(documents), before), allow_pickle=False)


def notes_of(run: Path, part: str) -> list[str]:
    """What the folds of a run have noted of texts of a part that their first weights had seen."""
    files = [folder / NOTES for folder in fold_folders(run).values() if (folder / NOTES).exists()]
    for file in files:
        recorded_files(run).check(file)
    notes = (read_json(file, "train the run again").get(part) for file in files)
    return list(dict.fromkeys(note for note in notes if note))


def refuse_seen(config: Config, fold: int, held_out: Sequence[Document], seen: np.ndarray | None) -> None:
    """Check that the votes of a fold are those of a network that never saw the texts.

    Args:
        config: of the run with folds.
        fold: the number of the fold.
        held_out: the documents that it holds out.
        seen: digests of the texts that its first weights have seen; None if that is not known.

    Raises:
        UserError: they have seen some of them, or it is not known.
    """
    known = _count_seen(held_out, seen)
    if known == 0:
        return
    what = f"was trained on {known} of" if known else "may have been trained on some of"
    raise UserError(
        f"train.start_from: {config.train.start_from} {what} the texts that fold {fold} holds out, so its votes would "
        "not be out of fold; start from a run with the same folds, data.split_seed and texts, or set folds.count to 0"
    )


def _note(run: str, part: str, documents: Sequence[Document], seen: np.ndarray | None) -> str:
    known = _count_seen(documents, seen)
    if known is None:
        return f"{run} does not say which texts it was trained on, so the {part} score may be optimistic"
    if not known:
        return ""
    return f"{known} of {len(documents)} {part} texts were training texts of {run}, so the {part} score is optimistic"


def _count_seen(documents: Sequence[Document], seen: np.ndarray | None) -> int | None:
    """How many of the documents have a text that was seen; None if that is not known."""
    if not documents:
        return 0
    return None if seen is None else sum(bool(np.isin(digests_of([one]), seen).any()) for one in documents)
