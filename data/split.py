"""Which documents train and which are held out. Near-duplicate texts never stand on both sides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from config import Config
from data.corpus.document import Document
from data.corpus.duplicates import leaking
from data.processed import Processed
from utils.errors import UserError


@dataclass(frozen=True)
class Split:
    """Numbers of documents.

    Attributes:
        leaks: additional documents left out because they share text with the dev or test part.
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
        UserError: too few documents, or too few groups of near-duplicates, to divide; or additional documents that
            leak where data.additional_leaks is refuse.
    """
    train = processed.of_part("train")
    if config.folds.count and config.data.dev.path:
        raise UserError("folds.count divides the training corpus itself, but data.dev is given too; drop one of them")
    if config.data.dev.path:
        parts = [(train, processed.of_part("dev"))]
    else:
        parts = divide_train(processed.documents, processed.groups, train, config)
    return [_split(processed, config, own, dev) for own, dev in parts]


def divide_train(
    documents: Sequence[Document], groups: np.ndarray, train: list[int], config: Config
) -> list[tuple[list[int], list[int]]]:
    """What of the training corpus trains and what is held out, where no dev corpus is: once, or for each fold.

    Args:
        documents: of all parts.
        groups: (documents,) equal for near-duplicate texts.
        train: the numbers of the training documents.

    Raises:
        UserError: too few documents, or too few groups of near-duplicates, to divide.
    """
    numbers, count, seed = np.array(train), config.folds.count, config.data.split_seed
    if not count:
        dev = draw_dev(groups, train, config.data.dev_share, seed)
        return [(numbers[~np.isin(numbers, dev)].tolist(), dev)]
    fold_of = divide(groups[train], count, seed)
    held_out = [fold_of == fold for fold in range(count)]  # (train,) bool
    leave_out = held_out
    if config.folds.disjoint == "entity":
        forms = [{document.text[span.begin : span.end + 1] for span in document.spans}
                 for document in (documents[number] for number in train)]  # fmt: skip
        held_out = divide_by_form(forms, fold_of, count, seed)
        leave_out = [np.isin(groups[train], groups[numbers[held]]) for held in held_out]
    if not all(held.any() for held in held_out):
        raise UserError(f"folds.count is {count}, but there are fewer groups of documents than that")
    if any(out.all() for out in leave_out):
        raise UserError(
            f"folds.disjoint entity leaves a fold of {count} without training documents, for every one has a form that "
            "is held out; take more folds, or folds.disjoint document"
        )
    return [(numbers[~out].tolist(), numbers[held].tolist()) for held, out in zip(held_out, leave_out, strict=True)]


def divide_by_form(forms: list[set[str]], fold_of: np.ndarray, count: int, seed: int) -> list[np.ndarray]:
    """Which texts each fold holds out if labelled surface forms are divided, not texts.

    After CrossWeigh (Wang et al., EMNLP 2019): every form belongs to one fold at random, and a fold holds out all texts
    that have one of its forms, so that what trains has none of them labelled. A text may be held out by several folds,
    which may train on those of its forms that belong to others, and all folds on what forms additional documents have.

    Args:
        forms: the labelled surface forms of each text.
        fold_of: (texts,) the fold of those that have none.
        count: folds.
        seed: of the draw.

    Returns:
        (texts,) bool for each fold.
    """
    known = sorted(set().union(*forms))
    drawn = dict(zip(known, np.random.default_rng(seed).permutation(len(known)) % count, strict=True))
    folds = [{int(drawn[form]) for form in own} or {int(fold)} for own, fold in zip(forms, fold_of, strict=True)]
    return [np.array([fold in own for own in folds]) for fold in range(count)]


def describe_left_out(splits: list[Split], additional: int) -> str:
    """One line on how many of the additional documents the splits leave out; empty where they use all of them."""
    *_, most = leaks = sorted(split.leaks for split in splits)
    if not most:
        return ""
    count = f"{most}" if leaks[0] == most else f"{leaks[0]} to {most}"
    of_what = " of each fold" if len(splits) > 1 else ""
    return (
        f"{count} of {additional} additional documents are left out{of_what}: they share text with the dev or test "
        "part; data.additional_leaks=keep would use them"
    )


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


def _split(processed: Processed, config: Config, own: list[int], dev: list[int]) -> Split:
    like_dev = int(np.isin(processed.groups[own], processed.groups[dev]).sum())
    additional = processed.of_part("additional")
    if not additional or config.data.additional_leaks == "keep":
        return Split(own + additional, dev, like_dev=like_dev)
    unseen = [processed.documents[number].text for number in dev + processed.of_part("test")]
    texts = [processed.documents[number].text for number in additional]
    leaks = leaking(texts, unseen, config.data.duplicate_share)
    if leaks.any() and config.data.additional_leaks == "refuse":
        raise UserError(
            f"{leaks.sum()} of {len(texts)} additional documents share text with the dev or test part, and "
            "data.additional_leaks is refuse; take them out, or set it to drop or keep"
        )
    clean = [number for number, leak in zip(additional, leaks, strict=True) if not leak]
    return Split(own + clean, dev, int(leaks.sum()), like_dev)
