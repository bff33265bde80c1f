"""What tasks share that read two texts apart, each as a vector."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from tuneloop.tasks.base import TaskOptions
from tuneloop.tasks.parted import PartedTask

if TYPE_CHECKING:
    from pathlib import Path

    from tuneloop.data.tokens import Tokens
    from tuneloop.models.tokenizer import Tokenizer
    from tuneloop.tasks.base import FloatArray


class EmbeddingTask(PartedTask):
    """A task whose logits are vectors, one for each text of a pair; their cosine says how near the two are."""

    takes_pairs = True
    layout = "apart"
    embeds = True

    def __init__(self, options: TaskOptions, state: Mapping[str, Any]) -> None:
        super().__init__(options, state)
        self.width = int(state.get("width", 0))

    def meet(self, config: Any) -> None:
        self.width = int(config.hidden_size)

    @property
    def outputs(self) -> int:
        return self.width

    @property
    def output_names(self) -> tuple[str, ...]:
        return ()

    @property
    def state(self) -> dict[str, Any]:
        return {"labels": list(self.labels), "width": self.width}

    def tokenizer(self, folder: Path, max_tokens: int, template: str = "") -> Tokenizer:
        from tuneloop.models.item_tokenizer import open_item_tokenizer, reads_items
        from tuneloop.models.layouts import ApartTokenizer

        if reads_items(folder):
            return open_item_tokenizer(folder, max_tokens, apart=True)  # type: ignore[no-any-return]
        return ApartTokenizer(folder, max_tokens)

    def vectors(self, logits: FloatArray, tokens: Tokens) -> tuple[FloatArray, FloatArray]:
        """The vectors of the first and of the second texts, (n, hidden) each, of length 1."""
        starts = tokens.groups[:-1]
        unit = logits / np.maximum(np.linalg.norm(logits, axis=1, keepdims=True), 1e-12)
        return unit[starts], unit[np.minimum(starts + 1, len(unit) - 1)]


def numbered(names: Iterable[Any]) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Equal names as equal numbers, from 0, in the order in which they come."""
    known: dict[Any, int] = {}
    return np.array([known.setdefault(name, len(known)) for name in names], dtype=np.int64)
