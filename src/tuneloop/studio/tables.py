"""Tables as browsers and screen readers know them; what stands in a cell is text, whatever it looks like."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, NamedTuple

from nicegui import ui

from tuneloop.media.items import described


class Way(NamedTuple):
    """A cell that leads to a page; `path` is made of our own ids."""

    text: str
    path: str


Cell = str | Way | Callable[[], object]
"""A text, a way, or what puts something else into the cell."""

SHORT = 24
"""Characters."""


def table(
    headers: Sequence[str], rows: Iterable[Sequence[Cell]], *, name: str = "", numbers: Collection[int] = ()
) -> None:
    """A table with a head; it scrolls by itself where it is wider than the page.

    Args:
        name: what it holds, for who does not see it.
        numbers: columns of figures, which stand to the right.
    """
    with ui.element("div").classes("wide").props("tabindex=0"), ui.element("table").classes("plain") as whole:
        if name:
            whole.props["aria-label"] = name
        with ui.element("thead"), ui.element("tr"):
            for place, header in enumerate(headers):
                with ui.element("th").props("scope=col").classes("number" if place in numbers else ""):
                    ui.label(header)
        with ui.element("tbody"):
            for row in rows:
                with ui.element("tr"):
                    for place, cell in enumerate(row):
                        with ui.element("td").classes("number" if place in numbers else ""):
                            _put(cell)


def _put(cell: Any) -> None:
    """A short text stays in one line, so that a narrow window scrolls instead of breaking every figure."""
    if isinstance(cell, Way):
        ui.link(*cell)
    elif callable(cell):
        cell()
    else:
        text = described(str(cell))
        ui.label(text).classes("text keep" if len(text) <= SHORT else "text")
