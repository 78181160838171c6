"""Which documents train and which are held out. Near-duplicate texts never stand on both sides."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from config import Config, UserError
from utils.preprocess.duplicates import leaking
from utils.preprocess.processed import Processed


@dataclass(frozen=True)
class Split:
    """Numbers of documents.

    Attributes:
        leaks: additional documents left out because they share text with a held-out part.
        like_dev: training documents that are near-duplicates of a dev text. Drawn splits have none; a dev corpus that
            came with its training corpus is left as its makers divided it, and its scores flatter by so much.
    """

    train: list[int]
    dev: list[int]
    leaks: int = 0
    like_dev: int = 0


def make_splits(processed: Processed, config: Config) -> list[Split]:
    """One split, or one for each fold.

    Raises:
        UserError: too few documents, or too few groups of near-duplicates, to divide.
    """
    train = processed.of_part("train")
    if config.train.folds:
        folds = divide(processed.groups[train], config.train.folds, config.data.split_seed)
        held_out = [[train[place] for place in np.flatnonzero(folds == fold)] for fold in range(config.train.folds)]
        if not all(held_out):
            raise UserError(f"train.folds is {config.train.folds}, but there are fewer groups of documents than that")
    elif config.data.dev.path:
        held_out = [processed.of_part("dev")]
    else:
        held_out = [draw_dev(processed.groups, train, config.data.dev_share, config.data.split_seed)]
    return [_split(processed, config, train, dev) for dev in held_out]


def divide(groups: np.ndarray, count: int, seed: int) -> np.ndarray:
    """The fold (0 to count - 1) of each text: whole groups in random order, each to the fold that has fewest texts."""
    numbers, sizes = np.unique(groups, return_counts=True)
    order = np.random.default_rng(seed).permutation(len(numbers))
    order = order[np.argsort(-sizes[order], kind="stable")]  # large groups first, or they would unbalance the end
    loads = np.zeros(count, dtype=np.int64)
    fold_of = {}
    for place in order:
        fold = int(loads.argmin())
        fold_of[numbers[place]] = fold
        loads[fold] += sizes[place]
    return np.array([fold_of[group] for group in groups], dtype=np.int64)


def draw_dev(groups: np.ndarray, train: list[int], share: float, seed: int) -> list[int]:
    """Documents of `train` to hold out: random whole groups until about `share` of the documents is reached."""
    if share == 0:
        return []
    own = groups[train]
    wanted = share * len(train)
    drawn: set[int] = set()
    count = 0
    for group in np.random.default_rng(seed).permutation(np.unique(own)):
        size = int((own == group).sum())
        if count + size <= wanted + 0.5:
            drawn.add(int(group))
            count += size
    if not 0 < count < len(train):
        raise UserError(f"data.dev_share {share} leaves no dev or no training part of {len(train)} documents")
    return [number for number in train if int(groups[number]) in drawn]


def _split(processed: Processed, config: Config, train: list[int], dev: list[int]) -> Split:
    held_out = set(dev)
    own = [number for number in train if number not in held_out]
    like_dev = int(np.isin(processed.groups[own], processed.groups[dev]).sum())
    additional = processed.of_part("additional")
    if not additional or config.data.additional_leaks == "keep":
        return Split(own + additional, dev, like_dev=like_dev)
    unseen = [processed.documents[number].text for number in dev + processed.of_part("test")]
    texts = [processed.documents[number].text for number in additional]
    leaks = leaking(texts, unseen, config.data.duplicate_share)
    clean = [number for number, leak in zip(additional, leaks, strict=True) if not leak]
    return Split(own + clean, dev, int(leaks.sum()), like_dev)
