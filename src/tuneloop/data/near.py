"""Texts that nearly equal each other: every pair is found, whatever the order of the rows.

Two texts are near-duplicates if the Jaccard similarity of their sets of five-character runs
reaches a threshold t. MinHash finds most of such pairs; here all are found, and faster. If two
sets differ in at most k runs, and all runs are dealt into k + 1 parts by their hash, then at least
one part is the same in both: a hash of each part leads to every candidate, and each candidate is
compared in full (Arasu, Ganti and Kaushik, "Efficient Exact Set-Similarity Joins", VLDB 2006,
section 4). From |x n y| >= t / (1 + t) (|x| + |y|) follows k <= (1 - t) / (1 + t) (|x| + |y|).
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

IntArray = np.ndarray[Any, np.dtype[Any]]

RUN = 5
"""Characters in a run: words' worth in English, a phrase in Chinese."""

HASH_BITS = 44
CHUNK_CHARACTERS = 250_000
"""At most 2^19 rows of one run each, so that a row's number in its chunk and a hash fit into 63 bits; and few enough
that a chunk stays in the processor's cache, which halves the time."""

PART_BITS = 4
"""Of hashes those with the same first bits are looked at together: a sixteenth of them is copied at once."""

CACHED_SETS = 20_000
MIX = np.uint64(0x9E3779B97F4A7C15)


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
        parts: of each text its parts, (parts, texts): near-duplicates are so in every part. A short question beside a
            long passage would not count otherwise.
    """

    def __init__(self, texts: Sequence[str], threshold: float, *, parts: Sequence[Sequence[str]] = ()) -> None:
        self.texts, self.parts = texts, parts
        self.threshold = threshold
        self._keys = _shared_signatures(texts, threshold)
        self._added: dict[int, list[int]] = {}
        self._runs = lru_cache(maxsize=CACHED_SETS)(lambda row: runs(texts[row]))

    @property
    def doubtful(self) -> Collection[int]:
        """The rows that may nearly equal another one: all others are alone."""
        return self._keys.keys()

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
                    if self._similar(row, other) and self._alike_in_parts(row, other):
                        yield other

    def _alike_in_parts(self, row: int, other: int) -> bool:
        return all(part[row] == part[other] or jaccard(part[row], part[other]) >= self.threshold for part in self.parts)

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


def _shared_signatures(texts: Sequence[str], threshold: float) -> dict[int, list[int]]:
    """For each row the signatures that another row has too."""
    # sets of equal size classes differ too little to be told apart at 1
    similarity = min(threshold, 0.999)
    found: list[tuple[int, IntArray, IntArray]] = []
    for start, hashes, sizes in _hashed_runs(texts):
        classes = np.floor(np.log(sizes) / -np.log(similarity) + 1e-9).astype(np.int64)
        for group in (classes, classes + 1):  # two similar sets are in one size class or in neighbours
            parts = _parts(group, similarity)
            found.append((start, parts.astype(np.int32), _signatures(hashes, sizes, group, parts)))
    twice = _repeated([keys for _, _, keys in found])
    rows, keys = [np.zeros(0, np.int64)], [np.zeros(0, np.uint64)]
    for start, parts, signatures in found:
        shared = _among(signatures, twice)
        rows.append(start + np.repeat(np.arange(len(parts)), parts)[shared])
        keys.append(signatures[shared])
    all_rows, all_keys = np.concatenate(rows), np.concatenate(keys)
    order = np.argsort(all_keys, kind="stable")
    result: dict[int, list[int]] = {}
    for row, key in zip(all_rows[order].tolist(), all_keys[order].tolist(), strict=True):
        result.setdefault(row, []).append(key)
    return result


def _repeated(keys: Sequence[IntArray]) -> IntArray:
    """The numbers that occur more than once, sorted; a part of all is looked at at once, by its first bits."""
    found = [np.zeros(0, np.uint64)]
    for part in range(1 << PART_BITS):
        first = np.uint64(part)
        ordered = np.concatenate([found[0], *(each[each >> np.uint64(64 - PART_BITS) == first] for each in keys)])
        ordered.sort()
        found.append(np.unique(ordered[1:][ordered[1:] == ordered[:-1]]))
    return np.concatenate(found)


def _among(values: IntArray, known: IntArray) -> IntArray:
    """Whether each number is one of the sorted ones."""
    if not len(known):
        return np.zeros(len(values), dtype=bool)
    place = np.minimum(np.searchsorted(known, values), len(known) - 1)
    same: IntArray = known[place] == values
    return same


def _parts(group: IntArray, similarity: float) -> IntArray:
    """Into how many parts sets of this size class and the one below are dealt, shape (rows,)."""
    largest = np.ceil(similarity ** -(group + 1.0))
    differences = (1 - similarity) / (1 + similarity) * 2 * largest
    parts: IntArray = np.floor(differences + 1e-9).astype(np.int64) + 1
    return parts


def _signatures(hashes: IntArray, sizes: IntArray, group: IntArray, parts: IntArray) -> IntArray:
    """A hash of what each row has in each part, shape (sum of parts,)."""
    first = np.cumsum(parts) - parts
    place = np.repeat(first, sizes) + hashes % np.repeat(parts, sizes)
    sums = np.zeros(int(parts.sum()), dtype=np.uint64)
    np.add.at(sums, place, _mixed(hashes.astype(np.uint64)))
    part = np.arange(len(sums)) - np.repeat(first, parts)
    names = (np.repeat(group, parts) << 32 | part).astype(np.uint64)
    return _mixed(sums + _mixed(names))


def _mixed(values: IntArray) -> IntArray:
    """Each 64-bit number scrambled, one to one."""
    for shift in (31, 29):
        values = (values ^ (values >> np.uint64(shift))) * MIX
    return values


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
        hashes = _mixed(hashes ^ shifted)
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
