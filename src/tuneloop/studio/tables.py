"""Tables as browsers and screen readers know them; what stands in a cell is text, whatever it looks like."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from nicegui import ui

Cell = str | Callable[[], object]
"""A text, or what puts something else into the cell."""

SHORT = 24
"""Characters."""


def table(headers: Sequence[str], rows: Sequence[Sequence[Cell]], *, caption: str = "", number: int = 10**6) -> None:
    """A table with a head; it scrolls by itself where it is wider than the page.

    Args:
        caption: what it holds, for who does not see it.
        number: from which column on there are figures, which stand to the right.
    """
    with wide(caption), ui.element("table").classes("plain"):
        with ui.element("thead"), ui.element("tr"):
            for place, header in enumerate(headers):
                with ui.element("th").props("scope=col").classes("number" if place >= number else ""):
                    ui.label(header)
        with ui.element("tbody"):
            for row in rows:
                with ui.element("tr"):
                    for place, cell in enumerate(row):
                        with ui.element("td").classes("number" if place >= number else ""):
                            _text(cell) if isinstance(cell, str) else cell()


def _text(cell: str) -> None:
    """A short text stays in one line, so that a narrow window scrolls instead of breaking every figure."""
    ui.label(cell).classes("keep" if len(cell) <= SHORT else "")


@contextmanager
def wide(caption: str) -> Iterator[None]:
    """What may be wider than the page, and is reached by keyboard so that it can be scrolled."""
    with ui.element("div").classes("wide").props("tabindex=0 role=region") as box:
        box.props["aria-label"] = caption
        yield
