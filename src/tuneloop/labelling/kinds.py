"""What a label is for each task, how it is read, and how JSON writes it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from tuneloop.core.config import TaskConfig
from tuneloop.core.errors import ConfigError
from tuneloop.core.i18n import t
from tuneloop.data.stored import as_label, plain_label
from tuneloop.tasks import task_class

if TYPE_CHECKING:
    from tuneloop.tasks.base import Task

Kind = Literal["class", "classes", "number", "spans"]

KINDS: dict[str, Kind] = {
    "classification": "class",
    "pair": "class",
    "similarity": "class",
    "multilabel": "classes",
    "regression": "number",
    "pair_regression": "number",
    "tagging": "spans",
}

KEYS = "123456789abcdefghijklmnoprtvwxyz"
"""What is pressed for classes, in their order; u, s and q undo, skip and quit."""


def kind_of(task: str) -> Kind:
    """What the labels of a task are.

    Raises:
        ConfigError: if people cannot label for this task here.
    """
    if task not in KINDS:
        raise ConfigError(
            t("Labels for the task {task} cannot be given here.", task=task),
            t("It can be done for: {known}.", known=", ".join(KINDS)),
        )
    return KINDS[task]


@cache
def _task(name: str) -> type[Task]:
    """The class of a task; looking one up among installed packages takes too long for every row."""
    return task_class(TaskConfig(type=name))


def takes_pairs(task: str) -> bool:
    """Whether the task judges two texts."""
    return _task(task).takes_pairs


def read_input(task: str, text: Any, pair: Any) -> tuple[str, str | None]:
    """Text and pair of a row as the task has them; words become a text.

    Raises:
        ValueError: with the reason, if they are missing or no texts.
    """
    text, pair = _task(task).parse_input(text, pair)
    wanted = [text, pair] if takes_pairs(task) else [text]
    for each in wanted:
        if not isinstance(each, str):
            raise ValueError(t("the text is missing") if each is None else t("{value} is not a text", value=each))
        if not each.strip():
            raise ValueError(t("the text is empty"))
    return text, pair if takes_pairs(task) else None


def read_label(task: str, text: Any, pair: Any, raw: Any) -> Any:
    """The label that a cell or a person gives, as JSON keeps it.

    Args:
        text: as the file has it: a text, or words where `raw` has a tag for each.

    Raises:
        ValueError: with the reason, if it can be none.
    """
    kind = _task(task)
    if kind_of(task) == "class" and not isinstance(raw, str | int | float):
        raise ValueError(t("{value} is not one label", value=repr(raw)[:60]))
    label = kind.parse_row(text, pair, raw)[2] if kind.row_by_row else kind.parse_label(raw)
    return plain_label(label)


def names_in(task: str, labels: Iterable[Any]) -> list[str]:
    """The classes that occur in labels as JSON keeps them, sorted; none for numbers."""
    return _task(task).label_names(map(as_label, labels))


def refuse_unknown(task: str, label: Any, known: Sequence[str]) -> None:
    """Nothing, if every class of a label is known, or none is known yet.

    Raises:
        ValueError: with the nearest known class.
    """
    for name in names_in(task, [label]) if known else []:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            reason = t("{name!r} is none of the classes {known}", name=name[:60], known=", ".join(known[:20]))
            raise ValueError(reason + (" (" + t("did you mean {name}?", name=near[0]) + ")" if near else ""))
