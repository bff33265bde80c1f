"""Tables of texts and of ways to other pages; what stands in a cell is only ever text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from nicegui import ui


class Way(NamedTuple):
    """A cell that leads to a page; `path` is made of our own ids."""

    text: str
    path: str


Cell = str | Way


def table(
    headers: Sequence[str], rows: Iterable[Sequence[Cell]], *, name: str = "", numbers: Sequence[int] = ()
) -> None:
    """A table that scrolls by itself where the page is too narrow.

    Args:
        name: what it is a table of, for screen readers.
        numbers: columns of numbers.
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
                            ui.link(*cell) if isinstance(cell, Way) else ui.label(cell)
