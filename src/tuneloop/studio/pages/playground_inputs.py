"""What a task is asked with: the fields of the page, and what is made of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nicegui import ui

from tuneloop.core.errors import DataError
from tuneloop.core.i18n import t
from tuneloop.data.examples import as_input

if TYPE_CHECKING:
    from tuneloop.data.examples import Input
    from tuneloop.tasks.base import Task

DEBOUNCE_MS = 300
"""How long nothing must be typed before the model is asked."""
MOST_CHARS = 20_000
KEPT = "tuneloop-playground-"
"""Names in the browser's storage of a tab, which a reload and a restart leave as it is."""


@dataclass(frozen=True)
class Shape:
    """How an input looks.

    Args:
        text: what the first field is called.
        pair: what the second one is called; empty without one.
        many: whether each line of the second field is an input of its own.
    """

    text: str
    pair: str = ""
    many: bool = False


def shape_of(task: Task) -> Shape:
    """The fields for a task."""
    known = {
        "qa": Shape(t("question"), t("text that holds the answer")),
        "multiple_choice": Shape(t("question"), t("choices, one in each line")),
        "retrieval": Shape(t("query"), t("passages, one in each line"), many=True),
    }
    return known.get(task.name) or Shape(t("text"), t("second text") if task.takes_pairs else "")


def inputs_of(task: Task, text: str, pair: str) -> list[Input]:
    """What the model is asked; nothing as long as a field is empty.

    Raises:
        DataError: if the fields are no input of this task.
    """
    shape = shape_of(task)
    if not text.strip() or (shape.pair and not pair.strip()):
        return []
    if shape.many:
        return [as_input(text, line) for line in pair.splitlines() if line.strip()]
    try:
        given, other = task.parse_input(text, pair or None) if task.row_by_row else (text, pair or None)
    except ValueError as error:
        raise DataError(t("This is no input yet: {why}.", why=error), "") from None
    return [as_input(given, other)]


class Fields:
    """The fields on the page, which the browser keeps for its tab.

    Args:
        task: what is asked.
        changed: called when something was typed and then nothing for a moment.
    """

    def __init__(self, task: Task, changed: Callable[..., Any]) -> None:
        self._task = task
        shape = shape_of(task)
        self._fields = [kept_field(shape.text, "text", changed)]
        if shape.pair:
            self._fields.append(kept_field(shape.pair, "pair", changed))

    @property
    def inputs(self) -> list[Input]:
        """What the model is asked; see `inputs_of`."""
        text, pair = [*(str(field.value or "")[:MOST_CHARS] for field in self._fields), ""][:2]
        return inputs_of(self._task, text, pair)


def kept_field(label: str, name: str, changed: Callable[..., Any] | None = None) -> ui.textarea:
    """A field for a text; what stands in it is still there after a reload."""
    field = ui.textarea(label, on_change=changed).classes("typed").mark(name)
    field.props(f"debounce={DEBOUNCE_MS} autogrow outlined maxlength={MOST_CHARS}")
    field.on("update:modelValue", js_handler=f"(value) => sessionStorage.setItem('{KEPT}{name}', value)")

    async def restore() -> None:
        kept = await stored(name)
        if kept and not field.value:
            field.value = kept

    ui.timer(0.05, restore, once=True)
    return field


async def stored(name: str) -> str:
    """What the tab of the browser keeps under a name of ours; empty if there is nothing, or no browser any more."""
    try:
        found = await ui.run_javascript(f"return sessionStorage.getItem('{KEPT}{name}')", timeout=5)
    except TimeoutError:
        return ""
    return found if isinstance(found, str) else ""


def store(keeper: ui.element, name: str, value: Sequence[Mapping[str, str]]) -> None:
    """Let the tab of the browser keep plain JSON, which reaches it as an attribute and in no script."""
    keeper.props["data-kept"] = json.dumps(value)
    ui.run_javascript(
        f"const kept = document.getElementById('{keeper.html_id}').dataset.kept;"
        f"sessionStorage.setItem('{KEPT}{name}', kept)"
    )
