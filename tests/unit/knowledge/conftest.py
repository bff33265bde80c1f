"""An embedder without a model, and indexes of small files."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from tuneloop.knowledge import NewIndex, open_index
from tuneloop.knowledge.index import Index
from tuneloop.knowledge.words import words


class HashedWords:
    """Texts that share words are near each other."""

    def __init__(self, identity: str = "hashed") -> None:
        self.identity = identity
        self.asked = 0

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        self.asked += len(texts)
        found = np.full((len(texts), 96), 1e-3, np.float32)
        for row, text in enumerate(texts):
            for word in words(text):
                found[row, int(hashlib.md5(word.encode()).hexdigest(), 16) % 96] += 1
        return found / np.linalg.norm(found, axis=1, keepdims=True)

    def known(self, text: str) -> float:
        return 1.0


HANDBOOK = """Some words before the first heading.

# Handbook

## Leave

Each employee has 28 days of leave a year. Leave that is not taken lapses in March.

## Travel

Trains are booked through the travel desk. A flight needs the approval of a director.

```text
# no heading
```

## 报销

发票须在三十天内提交给财务部。超过期限的发票不予报销。
"""


@pytest.fixture
def embedder() -> HashedWords:
    return HashedWords()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with two documents."""
    path = tmp_path / "docs"
    path.mkdir()
    (path / "handbook.md").write_text(HANDBOOK, encoding="utf-8")
    (path / "notes.txt").write_text("The printer on the second floor is out of order. Use the one in room 214.")
    return path


@pytest.fixture
def opened(tmp_path: Path, embedder: HashedWords) -> Iterator[Callable[..., Index]]:
    """Opens the index of the test, made with the hashed words by default; closed at its end."""
    indexes: list[Index] = []

    def open_it(model: HashedWords | None = embedder, **settings: object) -> Index:
        indexes.append(open_index(tmp_path / "index", model, **({"new": NewIndex()} | settings)))
        return indexes[-1]

    yield open_it
    for each in indexes:
        each.close()
