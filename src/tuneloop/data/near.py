"""Texts that occur twice, or almost: found exactly, in any order of the rows.

Two texts are near-duplicates if the Jaccard similarity of their sets of five-character runs
reaches a threshold. Every such pair is found, not only most of them as with MinHash: if the runs
of each text are sorted by one global order, rarest first, then two sets of similarity t share one
of their first |x| - ceil(t |x|) + 1 runs (Bayardo, Ma and Srikant, "Scaling Up All Pairs
Similarity Search", 2007; Xiao et al., "Efficient Similarity Joins for Near Duplicate Detection",
2008). With t = 0.9 that is a tenth of each text, and few texts share rare runs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

IntArray = np.ndarray[Any, np.dtype[Any]]

RUN = 5
"""Characters in a run: words' worth in English, a phrase in Chinese."""

HASH_BITS = 36
CHUNK_CHARACTERS = 2_000_000
"""At most 2^19 rows of one run: a row's number in its chunk, 7 bits of rarity and a hash fit into 63 bits."""

CACHED_SETS = 20_000
BUCKETS = 1 << 22
"""Runs are counted by the last bits of their hash: the order need only put rare runs first."""


def comparable(text: str) -> str:
    """A text as it is compared: case and spaces do not count."""
    return " ".join(text.casefold().split())


def content_key(text: str, *, seed: int = 0) -> bytes:
    """A number that depends on the text and the seed alone: an order that no one chose."""
    data = text.encode("utf-8", "surrogatepass")
    return hashlib.blake2b(data, digest_size=16, salt=seed.to_bytes(16, "little")).digest()


def jaccard(first: str, second: str) -> float:
    """Shared runs of two comparable texts, as a share of all their runs."""
    one, other = runs(first), runs(second)
    return len(one & other) / len(one | other)


def runs(text: str) -> set[str]:
    """The five-character runs of a text; a shorter text is one run."""
    return {text[start : start + RUN] for start in range(max(len(text) - RUN + 1, 1))}


class NearDuplicates:
    """Finds the earlier texts that a text nearly equals.

    Args:
        texts: comparable texts.
        threshold: Jaccard similarity from which two texts are near-duplicates.
    """

    def __init__(self, texts: Sequence[str], threshold: float) -> None:
        self.texts = texts
        self.threshold = threshold
        self._keys = _shared_prefixes(texts, threshold)
        self._added: dict[int, list[int]] = {}
        self._runs = lru_cache(maxsize=CACHED_SETS)(lambda row: runs(texts[row]))

    def add(self, row: int) -> None:
        """Let `find` find this text from now on."""
        for key in self._keys.get(row, ()):
            self._added.setdefault(key, []).append(row)

    def find(self, row: int) -> Iterator[int]:
        """The added texts that this text nearly equals, each once."""
        seen = {row}
        for key in self._keys.get(row, ()):
            for other in self._added.get(key, ()):
                if other not in seen:
                    seen.add(other)
                    if self._similar(row, other):
                        yield other

    def _similar(self, row: int, other: int) -> bool:
        one, two = self._runs(row), self._runs(other)
        small, large = sorted((len(one), len(two)))
        if small < self.threshold * large:
            return False
        shared = len(one & two)
        return shared >= self.threshold * (small + large - shared)


def near_pairs(texts: Sequence[str], threshold: float) -> Iterator[tuple[int, int]]:
    """Every pair of near-duplicates, as row numbers, the smaller first."""
    finder = NearDuplicates(texts, threshold)
    for row in range(len(texts)):
        for other in finder.find(row):
            yield other, row
        finder.add(row)


def _shared_prefixes(texts: Sequence[str], threshold: float) -> dict[int, list[int]]:
    """For each row the keys of its prefix that occur in another row's prefix too."""
    counts = np.zeros(BUCKETS, dtype=np.int64)
    for _, hashes, _ in _hashed_runs(texts):
        counts += np.bincount(hashes & (BUCKETS - 1), minlength=BUCKETS)
    # the logarithm in 7 bits is fine enough an order
    rarity = np.minimum(4 * np.log2(counts + 1), 127).astype(np.int64) << HASH_BITS
    rows, keys = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for start, hashes, sizes in _hashed_runs(texts):
        ordered = _sort_within_rows(rarity[hashes & (BUCKETS - 1)] | hashes, sizes, bits=HASH_BITS + 7)
        position = np.arange(len(ordered)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        # the guard against rounding may only lengthen the prefix
        lengths = sizes - np.ceil(threshold * sizes - 1e-9).astype(np.int64) + 1
        chosen = position < np.repeat(lengths, sizes)
        rows.append(np.repeat(np.arange(start, start + len(sizes)), sizes)[chosen])
        keys.append(ordered[chosen])
    all_rows, all_keys = np.concatenate(rows), np.concatenate(keys)
    _, inverse, found = np.unique(all_keys, return_inverse=True, return_counts=True)
    shared = found[inverse] > 1
    result: dict[int, list[int]] = {}
    for row, key in zip(all_rows[shared].tolist(), all_keys[shared].tolist(), strict=True):
        result.setdefault(row, []).append(key)
    return result


def _hashed_runs(texts: Sequence[str]) -> Iterator[tuple[int, IntArray, IntArray]]:
    """Chunks of (first row, hashes of the different runs of each row, number of them per row)."""
    for start, end in _chunks(texts):
        part = texts[start:end]
        # a text shorter than a run is filled up to one
        padded = "".join(text.ljust(RUN, "\0") for text in part)
        codes = np.frombuffer(padded.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
        widths = np.array([max(len(text), RUN) for text in part], dtype=np.int64)
        position = np.arange(len(codes)) - np.repeat(np.cumsum(widths) - widths, widths)
        sizes = widths - RUN + 1
        hashes = _roll(codes.astype(np.uint64))[position < np.repeat(sizes, widths)]
        hashes = _sort_within_rows(hashes, sizes, bits=HASH_BITS)
        row = np.repeat(np.arange(len(part)), sizes)
        first = np.ones(len(row), dtype=bool)
        first[1:] = (row[1:] != row[:-1]) | (hashes[1:] != hashes[:-1])
        yield start, hashes[first], np.bincount(row[first], minlength=len(part))


def _sort_within_rows(values: IntArray, sizes: IntArray, *, bits: int) -> IntArray:
    """`values`, of which the first `sizes[0]` belong to row 0 and so on, sorted within each row."""
    row = np.repeat(np.arange(len(sizes), dtype=np.int64), sizes)
    # one sort of 64-bit numbers is many times faster than a sort by two keys
    ordered = np.sort(row << bits | values)
    return np.bitwise_and(ordered, (1 << bits) - 1)


def _roll(codes: IntArray) -> IntArray:
    """A hash of `HASH_BITS` bits of each run of `RUN` code points that starts at each position."""
    hashes = np.zeros(len(codes), dtype=np.uint64)
    for offset in range(RUN):
        shifted = np.zeros_like(codes)
        shifted[: len(codes) - offset] = codes[offset:]
        hashes = (hashes ^ shifted) * np.uint64(0x9E3779B97F4A7C15)
        hashes ^= hashes >> np.uint64(29)
    return (hashes >> np.uint64(64 - HASH_BITS)).astype(np.int64)


def _chunks(texts: Sequence[str]) -> Iterator[tuple[int, int]]:
    start = size = 0
    for row, text in enumerate(texts):
        size += max(len(text), RUN)
        if size >= CHUNK_CHARACTERS:
            yield start, row + 1
            start, size = row + 1, 0
    if start < len(texts):
        yield start, len(texts)
