"""How long the texts are, and in which scripts they are written."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
LATIN = re.compile(r"[A-Za-z\u00c0-\u024f]")
LETTER = re.compile(r"[^\W\d_]")
RUNS = tuple(re.compile(f"{pattern.pattern}+") for pattern in (HAN, LATIN, LETTER))
"""As many characters, in fewer pieces."""

MAIN_SHARE = 0.7
"""Share of the letters from which a text counts as written in one script."""


@dataclass(frozen=True)
class Lengths:
    """Lengths of texts, in characters or in tokens."""

    mean: float
    median: float
    p95: float
    p99: float
    max: int

    def as_json(self) -> dict[str, Any]:
        """The figures as plain values."""
        return asdict(self)


def lengths(values: Sequence[int] | np.ndarray[Any, Any]) -> Lengths:
    """Statistics of at least one length."""
    array = np.asarray(values)
    median, p95, p99 = (float(value) for value in np.percentile(array, [50, 95, 99]))
    return Lengths(round(float(array.mean()), 1), median, p95, p99, int(array.max()))


def script(text: str) -> str:
    """han, latin, mixed (both), other, or none (no letters)."""
    if text.isascii():
        return "latin" if LATIN.search(text) else "none"
    han, latin, letters = (sum(map(len, pattern.findall(text))) for pattern in RUNS)
    if not letters:
        return "none"
    # one Chinese character says about as much as two or three letters
    total = 3 * han + latin + (letters - han - latin)
    if 3 * han >= MAIN_SHARE * total:
        return "han"
    if latin >= MAIN_SHARE * total:
        return "latin"
    return "mixed" if han and latin else "other"


def scripts(texts: Iterable[str]) -> dict[str, float]:
    """Share of the texts in each script, the commonest first."""
    counts = Counter(map(script, texts))
    return {name: count / counts.total() for name, count in counts.most_common()}
