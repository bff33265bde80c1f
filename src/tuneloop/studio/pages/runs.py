"""Every training run: how it stands, what it was made with, and how good it is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from urllib.parse import quote, urlencode

from nicegui import ui

from tuneloop.core.i18n import t
from tuneloop.core.paths import Workspace
from tuneloop.experiments.run_words import headers, run_cells, state_name
from tuneloop.studio.pages import Route, runs_compare, runs_new, runs_one
from tuneloop.studio.tables import Cell, table
from tuneloop.studio.view import View, link, nothing
from tuneloop.training.runs import WORKING, RunRow, run_rows

Change = Callable[[], Awaitable[None]]

REFRESH_S = 2.0
PAGE = 25
"""Runs on a page of the list."""


def shown(rows: Sequence[RunRow], *, words: str, state: str, order: str) -> list[RunRow]:
    """The runs whose name holds `words` and that stand as `state` says, in the order asked for."""
    found = [row for row in rows if words in row.id and state in ("", row.state)]
    if order == "best":
        found.sort(key=lambda row: -1e9 if row.best is None else row.best, reverse=True)
    return found


class _List:
    """The list in one tab: what is asked for, which also stands in the address, and what is chosen."""

    def __init__(self, view: View) -> None:
        self.view = view
        self.words = view.query.get("q", "").strip()
        self.state, self.order = view.query.get("state", ""), view.query.get("order", "")
        number = view.query.get("page", "1")
        self.page = int(number) if number.isdecimal() and len(number) < 7 else 1
        self.chosen: set[str] = set()
        self._reads = 0
        self.rows: list[RunRow] = []
        self.total = 0
        self.states: dict[str, ui.label] = {}

    @property
    def pages(self) -> int:
        return max(1, -(-self.total // PAGE))

    async def read(self) -> None:
        """The newest wish holds: what an older read finds after it is left."""
        self._reads += 1
        mine = self._reads
        found = await self.view.thread(_read, self, self.view.studio.workspace)
        if mine == self._reads:
            self.rows, self.total, self.page = found

    def signature(self) -> list[object]:
        """What, when it is another, needs the table to be built again."""
        return [self.total, self.page, *((row.id, row.state) for row in self.rows)]

    def address(self) -> str:
        given = {"q": self.words, "state": self.state, "order": self.order, "page": str(self.page)}
        usual = {"page": "1"}
        words = {key: value for key, value in given.items() if value and value != usual.get(key)}
        return "/runs" + (f"?{urlencode(words)}" if words else "")


def _read(asked: _List, workspace: Workspace) -> tuple[list[RunRow], int, int]:
    found = shown(run_rows(workspace), words=asked.words, state=asked.state, order=asked.order)
    page = min(max(1, asked.page), max(1, -(-len(found) // PAGE)))
    rows = found[(page - 1) * PAGE : page * PAGE]
    for row in rows:  # what the table needs is read here, beside the event loop
        run_cells(row)
    return rows, len(found), page


async def overview(view: View) -> None:
    """The list, with what can be done with several."""
    asked = _List(view)
    await asked.read()
    with ui.element("div").classes("row"):
        ui.button(t("New run"), icon="add", on_click=lambda: ui.navigate.to("/runs/new"))
        together = ui.button(t("Compare the chosen"), icon="compare_arrows", on_click=lambda: _compare(asked))
        together.props("flat")
    _filters(asked, lambda: change())

    @ui.refreshable
    def rows() -> None:
        asked.states.clear()
        together.set_enabled(len(asked.chosen) > 1)
        if not asked.rows:
            nothing(
                t("There is no such run here."), t("A new run begins with the button above, or with: tuneloop tune")
            )
            return
        table([t("choose"), *headers()], [_cells(asked, row, together) for row in asked.rows], name=t("Runs"))
        _pager(asked, lambda: change())

    async def change() -> None:
        ui.navigate.history.replace(asked.address())  # first: who sees the new list and reloads gets it again
        await asked.read()
        rows.refresh()

    async def look() -> None:
        before = asked.signature()
        await asked.read()
        if asked.signature() != before:
            rows.refresh()
        for row in asked.rows:
            if row.state == WORKING and row.id in asked.states:
                asked.states[row.id].set_text(state_name(row))

    rows()
    ui.timer(REFRESH_S, look)


def _cells(asked: _List, row: RunRow, together: ui.button) -> list[Cell]:
    name, state, *others = run_cells(row)

    def choose() -> None:
        box = ui.checkbox(value=row.id in asked.chosen, on_change=lambda event: note(bool(event.value)))
        box.props["aria-label"] = t("Choose {run}", run=row.id)

    def note(chosen: bool) -> None:
        (asked.chosen.add if chosen else asked.chosen.discard)(row.id)
        together.set_enabled(len(asked.chosen) > 1)

    def stand() -> None:
        asked.states[row.id] = ui.label(state).classes("keep good" if row.state == WORKING else "keep")

    return [choose, lambda: link(name, f"/runs/{row.id}").classes("keep"), stand, *others]


def _filters(asked: _List, change: Change) -> None:
    states = {"": t("all"), "working": t("at work"), "stopped": t("stopped"), "finished": t("finished")}
    orders = {"": t("newest first"), "best": t("best first")}

    async def take(name: str, value: str) -> None:
        setattr(asked, name, value)
        asked.page = 1
        await change()

    with ui.element("div").classes("row"):
        words = ui.input(label=t("Name holds"), value=asked.words).props("dense outlined debounce=300 clearable")
        words.on_value_change(lambda event: take("words", (event.value or "").strip()))
        state = ui.select(states, label=t("State"), value=asked.state if asked.state in states else "")
        state.props("dense outlined").on_value_change(lambda event: take("state", event.value))
        order = ui.select(orders, label=t("Order"), value=asked.order if asked.order in orders else "")
        order.props("dense outlined").on_value_change(lambda event: take("order", event.value))


def _pager(asked: _List, change: Change) -> None:
    async def go(step: int) -> None:
        asked.page += step
        await change()

    with ui.element("div").classes("row"):
        back = ui.button(t("Previous page"), on_click=lambda: go(-1)).props("flat")
        ui.label(t("Page {page} of {pages}, {count} runs", page=asked.page, pages=asked.pages, count=asked.total))
        on = ui.button(t("Next page"), on_click=lambda: go(1)).props("flat")
        back.set_enabled(asked.page > 1)
        on.set_enabled(asked.page < asked.pages)


def _compare(asked: _List) -> None:
    ui.navigate.to("/runs/compare?runs=" + quote(",".join(sorted(asked.chosen))))


ROUTES = [
    Route("/runs", lambda: t("Runs"), overview, icon="show_chart"),
    Route("/runs/new", lambda: t("New run"), runs_new.new),
    Route("/runs/compare", lambda: t("Runs compared"), runs_compare.compared),
    Route("/runs/{name}", lambda: t("Run"), runs_one.one),
]
