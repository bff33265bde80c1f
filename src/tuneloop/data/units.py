"""The smallest parts of a text that get a tag: words, numbers, Chinese characters, other signs."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f"
UNIT = re.compile(rf"[{HAN}]|[^\W\d_{HAN}]+|\d+|[^\w\s]|_")


def units(text: str) -> np.ndarray[Any, np.dtype[np.int64]]:
    """The characters of each unit of a text, from and to, int64, shape (units, 2), in order."""
    return np.array([match.span() for match in UNIT.finditer(text)], dtype=np.int64).reshape(-1, 2)


def is_han(character: str) -> bool:
    """Whether a character is Chinese."""
    return re.match(f"[{HAN}]", character) is not None
