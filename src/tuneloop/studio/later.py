"""What takes a while to read: the page is there at once, and its part comes when it is known."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from nicegui import ui

from tuneloop.core.errors import TuneloopError
from tuneloop.core.i18n import t
from tuneloop.studio.view import View, problem

T = TypeVar("T")


def later(view: View, work: Callable[[], T], show: Callable[[T], None]) -> None:
    """`show` what `work` gives, which is computed beside the pages; an error of ours stands in its place."""
    place = ui.element("div").props("role=status")
    with place:
        ui.label(t("Reading …")).classes("muted")

    async def load() -> None:
        found: T | TuneloopError
        try:
            found = await view.thread(work)
        except TuneloopError as error:
            found = error
        place.clear()
        with place:
            problem(found) if isinstance(found, TuneloopError) else show(found)

    ui.timer(0.05, load, once=True)
