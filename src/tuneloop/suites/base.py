"""What a suite is, as data: its tasks, their files, how a record is read, which figure counts, what is submitted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuneloop.data.readers.table import Table

if TYPE_CHECKING:
    from tuneloop.data.examples import Examples
    from tuneloop.tasks.base import FloatArray, Task

Files = tuple[tuple[str, ...], ...]
"""Files that are read one after the other; each is the first of its possible names that is there."""

Cell = str | Callable[[Mapping[str, Any]], Any]
"""A column, or what is made of a record; a ValueError says why nothing can be made of it."""

Reader = Callable[[Path, bool], Table]
"""From a file, and whether it must have labels, to its records."""


@dataclass(frozen=True)
class Fields:
    """Where the parts of an example stand in a record.

    Args:
        text: the text.
        pair: the second text, or the choices.
        label: the answer; absent in test files.
        id: the record's own name; its number from 0 by default.
        group: records of one group (a passage) never stand on both sides of the rows held out.
        drop: records with one of these labels have none.
    """

    text: Cell
    pair: Cell | None = None
    label: Cell = "label"
    id: Cell | None = None
    group: Cell | None = None
    drop: tuple[str, ...] = ()


@dataclass(frozen=True)
class Part:
    """Rows that are measured, or answered for a submission.

    Args:
        name: dev, matched, ...; the file of the submission for a test set.
        files: where they are.
    """

    name: str
    files: Files


def part(name: str, *alternatives: str) -> Part:
    """A part in one file, which may have any of these names."""
    return Part(name, (alternatives,))


Submit = Callable[["Examples", "Task", "FloatArray"], str]
"""From test rows and what the model's task decides by to the text of the file."""

Settle = Callable[["Examples", "FloatArray"], "FloatArray"]
"""From rows and what the model says of each to what is answered to all of them together."""


@dataclass(frozen=True)
class Benchmark:
    """One task of a suite.

    Args:
        name: as in --tasks.
        task: the type of our task.
        fields: where the parts of an example stand.
        read: the layout of its files.
        metrics: the official figures, the first one counts.
        submit: what a submission file says.
        train: training files.
        dev: labelled rows for the figures; the first counts.
        tests: unlabelled rows for the submission.
        folders: other names of its folder.
        max_tokens: as in the authors' own baseline.
        settle: how rows are answered that hang together; each by itself by default.
    """

    name: str
    task: str
    fields: Fields
    read: Reader
    metrics: tuple[str, ...]
    submit: Submit
    train: Files = (("train.json",),)
    dev: tuple[Part, ...] = (part("dev", "dev.json"),)
    tests: tuple[Part, ...] = ()
    folders: tuple[str, ...] = ()
    max_tokens: int = 128
    settle: Settle | None = None


@dataclass(frozen=True)
class Suite:
    """Tasks that are published and scored together.

    Args:
        name: as in `tuneloop bench NAME`.
        archive: the file of the whole submission.
        tasks: in their usual order.
        suffix: what the published folders' names may end with.
    """

    name: str
    archive: str
    tasks: Sequence[Benchmark] = field(default_factory=tuple)
    suffix: str = ""
