"""Which documents train and which are held out. Near-duplicate texts are never on both sides of a drawn split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from config import DataConfig, FoldsConfig
from data.corpus.document import Document
from data.corpus.duplicates import leaking
from data.gold_parts import gold_of, held_for_gold
from data.processed import Processed
from utils.errors import UserError

Numbers = list[int]  # of documents


@dataclass(frozen=True)
class Split:
    """Numbers of documents.

    Attributes:
        leaks: additional documents left out because they share text with the dev or test part.
        like_dev: training documents that are near-duplicates of a dev text, so that the dev score is optimistic.
            Drawn splits have none. A dev corpus that came with its training corpus is left as its makers divided it.
        held_for_gold: training documents left out because they, or near-duplicates of them, have gold labels.
    """

    train: Numbers
    dev: Numbers
    leaks: int = 0
    like_dev: int = 0
    held_for_gold: int = 0


def make_splits(processed: Processed, data: DataConfig, folds: FoldsConfig) -> list[Split]:
    """Divide the documents as the settings `data` and `folds` say: one split, or one for each fold.

    Documents with gold labels never train. Without folds, those of the training corpus join the dev part.

    Raises:
        UserError: there are too few documents, or too few groups of near-duplicates, to divide. Or additional documents
            leak, and data.additional_leaks is refuse. Or data.gold does not fit the documents.
    """
    train = processed.of_part("train")
    if folds.count and data.dev.path:
        raise UserError("folds.count divides the training corpus itself, but data.dev is given too; drop one of them")
    if data.dev.path:
        parts = [(train, processed.of_part("dev"))]
    else:
        parts = divide_train(processed.documents, processed.groups, train, data, folds)
    gold = gold_of(processed, data)
    held = held_for_gold(processed, gold)  # (documents,) bool
    splits = []
    for own, dev in parts:
        rest = [number for number in own if not held[number]]
        if gold and not rest:
            raise UserError(f"{data.gold}: every training document has gold labels or a near-duplicate that has; "
                            "name gold labels of fewer documents")  # fmt: skip
        joining = [] if folds.count else [number for number in own if number in gold]
        clean, leaks = _additional(processed, data, dev, sorted(gold))
        dev = sorted([*dev, *joining]) if joining else dev
        like_dev = int(np.isin(processed.groups[rest], processed.groups[dev]).sum())
        splits.append(Split(rest + clean, dev, leaks, like_dev, len(own) - len(rest)))
    return splits


def divide_train(
    documents: Sequence[Document], groups: np.ndarray, train: Numbers, data: DataConfig, folds: FoldsConfig
) -> list[tuple[Numbers, Numbers]]:
    """Divide the training corpus where there is no dev corpus.

    Args:
        documents: of all parts.
        groups: (documents,) equal for near-duplicate texts.
        train: the numbers of the training documents.
        data: its dev_share and split_seed are read.
        folds: how many, and what they keep apart.

    Returns:
        The documents to train on and those to hold out, once or for each fold.

    Raises:
        UserError: there are too few documents, or too few groups of near-duplicates, to divide.
    """
    if folds.count:
        return _divide_into_folds(documents, groups, train, data.split_seed, folds)
    dev = draw_dev(groups, train, data.dev_share, data.split_seed)
    held_out = set(dev)
    return [([number for number in train if number not in held_out], dev)]


def _divide_into_folds(
    documents: Sequence[Document], groups: np.ndarray, train: Numbers, seed: int, folds: FoldsConfig
) -> list[tuple[Numbers, Numbers]]:
    numbers = np.array(train)
    fold_of = divide(groups[train], folds.count, seed)
    held_out = [fold_of == fold for fold in range(folds.count)]  # (train,) bool
    leave_out = held_out
    if folds.disjoint == "entity":
        own = [documents[number] for number in train]
        forms = [{document.text[span.begin : span.end + 1] for span in document.spans} for document in own]
        held_out = divide_by_form(forms, fold_of, folds.count, seed)
        leave_out = [np.isin(groups[train], groups[numbers[held]]) for held in held_out]
    if not all(held.any() for held in held_out):
        raise UserError(
            f"folds.count is {folds.count}, but there are fewer groups of near-duplicate training documents; "
            "set folds.count lower"
        )
    if any(out.all() for out in leave_out):
        raise UserError(
            f"folds.disjoint is entity, which leaves one of {folds.count} folds without training documents, because "
            "each has a held-out form; set folds.count higher, or folds.disjoint to document"
        )
    return [(numbers[~out].tolist(), numbers[held].tolist()) for held, out in zip(held_out, leave_out, strict=True)]


def divide_by_form(forms: list[set[str]], fold_of: np.ndarray, count: int, seed: int) -> list[np.ndarray]:
    """Divide labelled surface forms, not texts, among folds, after CrossWeigh (Wang et al., EMNLP 2019).

    Every form belongs to one fold at random. A fold holds out all texts that have one of its forms, so that its
    training texts have none of them labelled. Several folds may hold out the same text.

    Args:
        forms: the labelled surface forms of each text.
        fold_of: (texts,) the fold of those that have none.
        count: folds.
        seed: of the draw.

    Returns:
        For each fold the texts that it holds out, (texts,) bool.
    """
    known = sorted(set().union(*forms))
    drawn = dict(zip(known, np.random.default_rng(seed).permutation(len(known)) % count, strict=True))
    folds = [{int(drawn[form]) for form in own} or {int(fold)} for own, fold in zip(forms, fold_of, strict=True)]
    return [np.array([fold in own for own in folds]) for fold in range(count)]


def describe_left_out(splits: list[Split], additional: int) -> str:
    """One line on how many of the additional documents the splits leave out; empty if they use all of them."""
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
    """The fold (0 to count - 1) of each text: whole groups in random order, each to the fold with the fewest texts."""
    numbers, sizes = np.unique(groups, return_counts=True)
    order = np.random.default_rng(seed).permutation(len(numbers))
    order = order[np.argsort(-sizes[order], kind="stable")]  # large groups first: at the end they would unbalance folds
    loads = np.zeros(count, dtype=np.int64)
    fold_of = {}
    for place in order:
        fold = int(loads.argmin())
        fold_of[numbers[place]] = fold
        loads[fold] += sizes[place]
    return np.array([fold_of[group] for group in groups], dtype=np.int64)


def draw_dev(groups: np.ndarray, train: Numbers, share: float, seed: int) -> Numbers:
    """The documents of `train` to hold out: random whole groups, until about `share` of the documents is reached.

    Raises:
        UserError: all documents would be held out, or none.
    """
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
        raise UserError(
            f"data.dev_share {share} leaves no dev or no training part of {len(train)} documents; set another share, "
            "or name a dev corpus in data.dev"
        )
    return [number for number in train if int(groups[number]) in drawn]


def _additional(processed: Processed, data: DataConfig, dev: Numbers, gold: Numbers) -> tuple[Numbers, int]:
    """The additional documents that may train, and how many others share text with a held-out document.

    `data.additional_leaks` speaks of the dev and test part. What shares text with gold documents never trains.
    """
    additional = processed.of_part("additional")
    keep = data.additional_leaks == "keep"
    held_out = dict.fromkeys(gold if keep else [*dev, *processed.of_part("test"), *gold])
    if not additional or not held_out:
        return additional, 0
    texts = [processed.documents[number].text for number in additional]
    leaks = leaking(texts, [processed.documents[number].text for number in held_out])
    if leaks.any() and data.additional_leaks == "refuse":
        raise UserError(
            f"{leaks.sum()} of {len(texts)} additional documents share text with the dev or test part, and "
            "data.additional_leaks is refuse; take them out, or set it to drop or keep"
        )
    return [number for number, leak in zip(additional, leaks, strict=True) if not leak], int(leaks.sum())
