"""The rows of the snapshot: filtered and paged by the studio, so that a browser never holds more than a page."""

from __future__ import annotations

from dataclasses import dataclass

from nicegui import ui

from tuneloop.core.i18n import t
from tuneloop.data.correcting import SnapshotRow
from tuneloop.data.split import SPLITS
from tuneloop.studio.pages.data_fix import Editor
from tuneloop.studio.pages.data_looked import Looked, label_text
from tuneloop.studio.view import heading

PAGE_ROWS = 25
SHOWN_CHARS = 300
SEARCH_WAIT_S = 0.3


@dataclass
class _Filter:
    split: str = ""
    label: str = ""
    search: str = ""
    start: int = 0


async def rows(looked: Looked, names: list[str], editor: Editor) -> None:
    """Filters, one page of rows, and the way to the others."""
    heading(t("Rows"))
    asked = _Filter()

    @ui.refreshable
    async def page() -> None:
        found, total = await looked.view.thread(
            looked.table.page, split=asked.split, label=asked.label, search=asked.search, start=asked.start,
            count=PAGE_ROWS,
        )  # fmt: skip
        last = min(asked.start + PAGE_ROWS, total)
        told = t("{first} to {last} of {total} rows", first=asked.start + 1 if total else 0, last=last, total=total)
        with ui.element("div").classes("row"):
            ui.label(told).props("role=status").mark("rows-told")
            _turn(t("Earlier rows"), "chevron_left", asked.start - PAGE_ROWS, enabled=asked.start > 0)
            _turn(t("Later rows"), "chevron_right", asked.start + PAGE_ROWS, enabled=last < total)
        with ui.element("div").classes("wide"):
            _table(looked, found, editor)

    def _turn(name: str, icon: str, start: int, *, enabled: bool) -> None:
        button = ui.button(icon=icon, on_click=looked.view.act(lambda: show(start=start))).props("flat dense round")
        button.props(f'aria-label="{name}"')
        button.set_enabled(enabled)

    def show(**wanted: int | str) -> None:
        asked.start = 0
        for name, value in wanted.items():
            setattr(asked, name, value)
        page.refresh()

    with ui.element("div").classes("row"):
        _choice(t("Split"), list(SPLITS), lambda value: show(split=value))
        if names:
            _choice(t("Label"), names, lambda value: show(label=value))
        search = ui.input(t("Text or id"), on_change=lambda event: show(search=event.value or ""))
        search.props(f"clearable debounce={int(SEARCH_WAIT_S * 1000)} type=search").mark("search")
    await page()
    looked.redraw.append(page.refresh)


def _choice(name: str, values: list[str], chosen: object) -> None:
    options = {"": t("all")} | {value: value for value in values}
    select = ui.select(options, value="", label=name, on_change=lambda event: chosen(event.value or ""))  # type: ignore[operator]
    select.classes("choice")


def _table(looked: Looked, found: list[SnapshotRow], editor: Editor) -> None:
    with ui.element("table").classes("plain"):
        with ui.element("tr"):
            for name in (t("Split"), t("Row"), t("Text"), t("Label"), ""):
                with ui.element("th"):
                    ui.label(name or t("Correct")).classes("" if name else "muted")
        for row in found:
            with ui.element("tr"):
                _cells(looked, row, editor)


def _cells(looked: Looked, row: SnapshotRow, editor: Editor) -> None:
    for text in (row.split, row.id):
        with ui.element("td"):
            ui.label(text)
    with ui.element("td").classes("reading"):
        text_of(looked, row)
    with ui.element("td"):
        label_of(looked, row)
    with ui.element("td"):
        button = ui.button(icon="edit", on_click=looked.view.act(lambda: editor.open(row))).props("flat dense round")
        button.props["aria-label"] = t("Correct row {row}", row=row.id)


def text_of(looked: Looked, row: SnapshotRow) -> None:
    """Text and pair of a row, cut where they are long."""
    for part in (row.text, row.pair):
        if part is not None:
            ui.label(cut(looked.text(part))).classes("text")


def label_of(looked: Looked, row: SnapshotRow) -> None:
    """The label of a row, and what it becomes."""
    now = looked.state.label(row)
    ui.label(cut(label_text(row.label)))
    if now != row.label:
        ui.label(f"→ {cut(label_text(now))}").classes("changed")


def cut(text: str) -> str:
    """A text that is not too long for a table."""
    return text if len(text) <= SHOWN_CHARS else text[:SHOWN_CHARS] + "…"
