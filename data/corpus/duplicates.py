"""Near-duplicate texts, and texts that leak into held-out ones, by the character n-grams ("shingles") they share.

Containment is measured, not similarity. A sentence inside a long document shares nearly all of its own shingles with
the document. A model that trained on one has seen the other. Nothing is sampled or estimated. The answers are exact
unless two 64-bit hashes collide.

S distinct shingles, E pairs of a shingle and a text that holds it, W windows, C characters.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from data.corpus.document import bare

MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)  # 2^64 / golden ratio; odd, so that products stay distinct
# Texts are near-duplicates if they have half of the shorter one's shingles in common. All results in docs/results were
# measured with this share.
DUPLICATE_SHARE = 0.5
NO_CHARACTER = 0x110000  # one past the last code point: fills up texts shorter than a shingle


def shingles(text: str, size: int = 8) -> np.ndarray:
    """Hashes of all windows of `size` characters, without white space. A shorter text is one shingle.

    Returns:
        uint64, sorted and distinct, the same on every machine; empty for a text without characters.
    """
    hashes, _ = _occurrences([text], size)
    return hashes


def group_near_duplicates(texts: Sequence[str], share: float = DUPLICATE_SHARE, size: int = 8) -> np.ndarray:
    """Group texts so that near-duplicates are in one group.

    Two texts are linked if they have `share` of the shingles of the smaller one in common. A group is all texts that
    links connect.

    Returns:
        (len(texts),) int64, the index of the first text of each one's group.

    Raises:
        ValueError: `share` is not above 0, or `size` below 1.
    """
    hashes, owners = _occurrences(texts, size)
    holders, needed = _Holders.of(hashes, owners), _needed(owners, len(texts), share)
    groups = np.arange(len(texts))

    # First compare neighbours among the holders of a shingle. This is cheap, and joins thousands of texts that share a
    # boilerplate paragraph without listing all their pairs.
    left, right = owners[:-1], owners[1:]
    same = hashes[:-1] == hashes[1:]
    pairs, common = np.unique(left[same] * len(texts) + right[same], return_counts=True)
    first, second = np.divmod(pairs, max(len(texts), 1))
    linked = common >= np.minimum(needed[first], needed[second])
    for one, other in zip(first[linked], second[linked], strict=True):
        _join(groups, one, other)

    # Then compare the rest exactly, through the shingles that texts of different groups hold.
    mixed = np.zeros(len(holders.frequency), dtype=bool)
    mixed[holders.shingle_of_pair[1:][same & (groups[left] != groups[right])]] = True
    for text, own in _rarest_first(holders.shingle_of_pair, owners, holders.frequency, len(texts)):
        for other in _texts_with(own, needed[text], holders, mixed):
            _join(groups, text, other)
    return groups


def leaking(texts: Sequence[str], held_out: Sequence[str], share: float = DUPLICATE_SHARE, size: int = 8) -> np.ndarray:
    """Find the texts that would tell a model about a held-out one.

    Returns:
        (len(texts),) bool: `share` of the text's shingles are in all held-out texts together, or `share` of the
        shingles of one held-out text are in the text.

    Raises:
        ValueError: `share` is not above 0, or `size` below 1.
    """
    hashes, owners = _occurrences(texts, size)
    held_hashes, held_owners = _occurrences(held_out, size)
    found = np.bincount(owners[_is_in(hashes, held_hashes)], minlength=len(texts))
    leaks = found >= _needed(owners, len(texts), share)

    holders, needed = _Holders.of(hashes, owners), _needed(held_owners, len(held_out), share)
    open_shingles = np.zeros(len(holders.frequency), dtype=bool)
    open_shingles[holders.shingle_of_pair[~leaks[owners]]] = True
    known = _is_in(held_hashes, holders.hashes)
    held_shingles = np.searchsorted(holders.hashes, held_hashes[known])
    for held, own in _rarest_first(held_shingles, held_owners[known], holders.frequency, len(held_out)):
        leaks[_texts_with(own, needed[held], holders, open_shingles)] = True
    return leaks


def shared_stretches(texts: Sequence[str], others: Sequence[str], size: int = 8) -> np.ndarray:
    """Find what of the texts is verbatim in others: all characters of windows whose shingle others hold too.

    Returns:
        The longest such stretches, (stretches, 3) int64: text, begin and end (exclusive) in `bare(text)`.

    Raises:
        ValueError: `size` is below 1.
    """
    windows, (other_hashes, _) = _Windows.of(texts, size), _occurrences(others, size)
    shared = _is_in(windows.hashes, other_hashes)
    owners, begins, ends = windows.owners[shared], windows.begins[shared], windows.ends[shared]
    # Windows are in order, so those that overlap or touch are neighbours. A new text starts a new stretch.
    first = np.ones(len(owners), dtype=bool)
    first[1:] = (owners[1:] != owners[:-1]) | (begins[1:] > ends[:-1])
    owners, begins, ends = owners[first], begins[first], ends[np.roll(first, -1)]
    text_begins = np.cumsum(windows.lengths) - windows.lengths
    return np.stack([owners, begins - text_begins[owners], ends - text_begins[owners]], axis=1)


def closest(texts: Sequence[str], others: Sequence[str], size: int = 8) -> np.ndarray:
    """For each text find the other that holds most of its shingles, the first of equals.

    Returns:
        (len(texts),) int64, -1 if no other text holds any.

    Raises:
        ValueError: `size` is below 1.
    """
    hashes, owners = _occurrences(texts, size)
    holders = _Holders.of(*_occurrences(others, size))
    known = _is_in(hashes, holders.hashes)
    numbers = np.searchsorted(holders.hashes, hashes[known])
    found = np.full(len(texts), -1)
    for text, own in _rarest_first(numbers, owners[known], holders.frequency, len(texts)):
        found[text] = np.bincount(holders.texts(own)).argmax()
    return found


@dataclass(frozen=True)
class _Holders:
    """The texts that hold each shingle. The number of a shingle is its place among the sorted hashes."""

    hashes: np.ndarray  # (S,) sorted
    frequency: np.ndarray  # (S,) how many texts hold it
    starts: np.ndarray  # (S,) where its texts begin in `owners`
    owners: np.ndarray  # (E,) texts, by shingle
    shingle_of_pair: np.ndarray  # (E,)

    @classmethod
    def of(cls, hashes: np.ndarray, owners: np.ndarray) -> _Holders:
        distinct, shingle_of_pair, frequency = np.unique(hashes, return_inverse=True, return_counts=True)
        return cls(distinct, frequency, np.cumsum(frequency) - frequency, owners, shingle_of_pair)

    def texts(self, numbers: np.ndarray) -> np.ndarray:
        """The holders of each of these shingles, concatenated."""
        begins, ends = self.starts[numbers], self.starts[numbers] + self.frequency[numbers]
        return np.concatenate([self.owners[begin:end] for begin, end in zip(begins, ends, strict=True)])


def _texts_with(own: np.ndarray, needed: int, holders: _Holders, worth: np.ndarray) -> np.ndarray:
    """The texts that hold at least `needed` of the shingles `own`, which are sorted from rare to frequent.

    A text with `needed` of n shingles lacks at most n - needed. It holds one of any n - needed + 1 of them.
    The rarest n - needed + 1 therefore tell whether there can be such a text. Only then are the frequent ones read.
    `worth` marks the shingles (S,) that can give something new.
    """
    rarest = own[: max(len(own) - needed + 1, 0)]
    if not worth[rarest].any():
        return np.empty(0, dtype=np.int64)
    return np.flatnonzero(np.bincount(holders.texts(own)) >= needed)


def _rarest_first(
    shingle_of_pair: np.ndarray, owners: np.ndarray, frequency: np.ndarray, count: int
) -> Iterator[tuple[int, np.ndarray]]:
    """For each text with shingles: its number, and its shingles from the rarest to the most frequent."""
    order = np.lexsort((frequency[shingle_of_pair], owners))
    ends = np.cumsum(np.bincount(owners, minlength=count))
    for text, own in enumerate(np.split(shingle_of_pair[order], ends[:-1])):
        if len(own):
            yield text, own


def _needed(owners: np.ndarray, count: int, share: float) -> np.ndarray:
    """(count,) how many of a text's shingles make up the share; 1 for a text without shingles."""
    if share <= 0:
        raise ValueError(f"share is {share}; it must be above 0")
    own = np.bincount(owners, minlength=count)
    return np.maximum(np.ceil(share * own - 1e-9), 1).astype(np.int64)  # 0.28 * 25 is slightly above 7


def _is_in(hashes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Which of the hashes are in `others`, which are sorted. `np.isin` would take ten times as long."""
    after = np.searchsorted(others, hashes, side="right")
    found = after > 0
    found[found] = others[after[found] - 1] == hashes[found]
    return found


def _join(groups: np.ndarray, one: int, other: int) -> None:
    """Merge two groups under the smaller index."""
    low, high = sorted((groups[one], groups[other]))
    if low != high:
        groups[groups == high] = low


def _occurrences(texts: Sequence[str], size: int) -> tuple[np.ndarray, np.ndarray]:
    """The hash and the text (E,) of every shingle in every text, sorted by hash, then text, and distinct."""
    windows = _Windows.of(texts, size)
    order = np.lexsort((windows.owners, windows.hashes))
    hashes, owners = windows.hashes[order], windows.owners[order]
    new = np.ones(len(hashes), dtype=bool)
    new[1:] = (hashes[1:] != hashes[:-1]) | (owners[1:] != owners[:-1])
    return hashes[new], owners[new]


@dataclass(frozen=True)
class _Windows:
    """All windows of all texts, in order. Places count the characters of all texts, without white space, as one row."""

    hashes: np.ndarray  # (W,) uint64
    owners: np.ndarray  # (W,) texts
    begins: np.ndarray  # (W,) first character
    ends: np.ndarray  # (W,) past the last character
    lengths: np.ndarray  # (len(texts),) characters of each text

    @classmethod
    def of(cls, texts: Sequence[str], size: int) -> _Windows:
        """Concatenates all characters, so that a few NumPy calls hash all windows at once."""
        if size < 1:
            raise ValueError(f"size is {size}; a shingle has at least 1 character")
        row = [bare(text) for text in texts]
        characters = np.frombuffer("".join(row).encode("utf-32-le", "surrogatepass"), dtype="<u4").astype(np.uint64)
        lengths = np.array([len(text) for text in row], dtype=np.int64)
        text_ends = np.cumsum(lengths)
        counts = np.where(lengths < size, lengths.clip(max=1), lengths - size + 1)  # how many windows each text has
        owners = np.repeat(np.arange(len(texts)), counts)
        first_window = np.cumsum(counts) - counts
        begins = np.arange(len(owners)) + np.repeat(text_ends - lengths - first_window, counts)
        ends = np.minimum(begins + size, text_ends[owners])

        hashes = np.full(len(owners), size, dtype=np.uint64)
        for position in range(size):
            places = begins + position
            inside = places < ends
            code = np.where(inside, characters[np.where(inside, places, 0)], np.uint64(NO_CHARACTER))
            hashes = (hashes ^ code) * MULTIPLIER  # wraps at 2^64 on purpose
            hashes ^= hashes >> np.uint64(32)  # copies the high bits, which the product mixes best, to the low ones
        return cls(hashes, owners, begins, ends, lengths)
