"""The contract of a labelling function, and what many of them say of many texts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tuneloop.core.errors import ConfigError
from tuneloop.core.i18n import t
from tuneloop.core.progress import progress

IntArray = np.ndarray[Any, np.dtype[np.int64]]

SILENT = -1
"""The number of no class: the function has nothing to say."""


class LabellingFunction(ABC):
    """Something that gives a text a class, or abstains.

    Args:
        name: unique in its file.
        place: the file and line that it stands in, for errors.
    """

    kind: str

    def __init__(self, name: str, place: str) -> None:
        self.name, self.place = name, place

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes that it can give; empty where that is not known before it has spoken."""
        return ()

    def begin(self, texts: Sequence[str], labels: Sequence[str]) -> None:
        """Called once, before any `votes`, with the texts that are to be labelled and all classes, sorted."""

    @abstractmethod
    def votes(self, texts: Sequence[str]) -> list[str | None]:
        """A class for each text, None where it abstains."""


@dataclass(frozen=True)
class Votes:
    """What functions say of texts.

    Args:
        names: of the functions.
        labels: all classes, sorted.
        matrix: the number of a class, or `SILENT`; int64, (texts, functions).
    """

    names: tuple[str, ...]
    labels: tuple[str, ...]
    matrix: IntArray

    @property
    def spoken(self) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Whether a function says something of a text, (texts, functions)."""
        return np.asarray(self.matrix != SILENT)

    def speakers(self, row: int) -> list[str]:
        """The functions that say something of a text."""
        return [name for name, said in zip(self.names, self.matrix[row], strict=True) if said != SILENT]

    def without(self, names: set[str]) -> Votes:
        """The same without some functions."""
        kept = [number for number, name in enumerate(self.names) if name not in names]
        return Votes(tuple(self.names[number] for number in kept), self.labels, self.matrix[:, kept])


def vote(
    functions: Sequence[LabellingFunction], texts: Sequence[str], labels: Sequence[str], *, quiet: bool = False
) -> Votes:
    """What the functions say of the texts; each text is asked about once.

    Raises:
        ConfigError: if a function gives a class that is none of `labels`.
    """
    numbers = {label: number for number, label in enumerate(labels)}
    matrix = np.full((len(texts), len(functions)), SILENT, dtype=np.int64)
    with progress(t("functions"), len(functions), quiet=quiet) as bar:
        for column, function in enumerate(functions):
            for row, label in enumerate(function.votes(texts)):
                if label is None:
                    continue
                if label not in numbers:
                    raise ConfigError(
                        t("{place}: function {name} gives {label!r}, which is no class.", place=function.place,
                          name=function.name, label=label),
                        t("Known classes: {known}. Correct it, or add the class to labels.", known=", ".join(labels)),
                    )  # fmt: skip
                matrix[row, column] = numbers[label]
            bar.update(column + 1, function.name)
    return Votes(tuple(function.name for function in functions), tuple(labels), matrix)
