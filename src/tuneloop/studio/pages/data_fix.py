"""Correcting: one row in a dialog, the suspected rows with a key press each, and the corrections with the way back."""

from __future__ import annotations

from typing import Any

from nicegui import ui

from tuneloop import api
from tuneloop.core.i18n import t
from tuneloop.data.check import SuspectRow, suspected
from tuneloop.data.correcting import SnapshotRow
from tuneloop.data.corrections import Correction
from tuneloop.studio.pages.data_looked import Looked, label_text
from tuneloop.studio.view import heading

SUSPECTS_AT_ONCE = 10
CORRECTIONS_SHOWN = 100
TEXT_CHARS = 160


class Editor:
    """A dialog for one row at a time.

    Args:
        looked: what the tab looks at.
        names: the classes.
    """

    def __init__(self, looked: Looked, names: list[str]) -> None:
        self._looked = looked
        self._names = names
        self._dialog = ui.dialog()
        self._dialog.props["aria-label"] = t("Correct a row")

    def open(self, row: SnapshotRow) -> None:
        """Show a row and what can be done with it."""
        self._dialog.clear()
        with self._dialog, ui.card().classes("editor"):
            with ui.element("h3"):
                ui.label(t("Row {row} of {split}", row=row.id, split=row.split))
            for part in (row.text, row.pair):
                if part is not None:
                    ui.label(self._looked.text(part)).classes("text whole")
            ui.label(t("Label: {label}", label=label_text(row.label))).classes("muted")
            with ui.element("div").classes("row"):
                self._actions(row)
        self._dialog.open()

    def _actions(self, row: SnapshotRow) -> None:
        if self._looked.correctable:
            field = self._field(row)
            self._button(t("Keep this label"), row, lambda: _given(field.value), icon="check")
        else:
            ui.label(t("Labels of this task are corrected in the data file; rows can be left out here."))
        self._button(t("Leave out"), row, lambda: None, icon="block").props("flat")
        ui.button(t("Close"), on_click=self._dialog.close).props("flat")

    def _field(self, row: SnapshotRow) -> Any:
        now: Any = self._looked.state.label(row)
        now = row.label if now is None else now
        name = t("The right label")
        if self._looked.kind == "number":
            return ui.number(name, value=now)
        if self._looked.kind == "classes":
            value = [each for each in now if each in self._names] if isinstance(now, tuple) else []
            return ui.select(self._names, value=value, label=name, multiple=True).classes("choice")
        options = self._names if now in self._names else [*self._names, str(now)]
        return ui.select(options, value=now, label=name, with_input=True).classes("choice")

    def _button(self, name: str, row: SnapshotRow, label: Any, *, icon: str) -> ui.button:
        async def save() -> None:
            await self._looked.correct(row, label())
            self._dialog.close()

        return ui.button(name, icon=icon, on_click=self._looked.view.act(save))


def _given(value: Any) -> Any:
    """What a field holds; an empty one is no label, which is refused."""
    return "" if value is None else value


def suspects(looked: Looked, editor: Editor) -> None:
    """Rows whose label may be wrong, the most suspicious first, each with what a simple model would say."""
    heading(t("Suspected label errors"))
    if looked.report is None:
        ui.label(t("They are looked for by: tuneloop check")).classes("muted")
        return
    found = looked.report.suspects
    ui.label(suspected(looked.report)).classes("muted")
    if not found:
        return
    ui.label(
        t("A simple model, trained without the row, finds the label unlikely. It is a suspicion: read the text.")
    ).classes("muted")
    shown = {"count": SUSPECTS_AT_ONCE}

    @ui.refreshable
    def cards() -> None:
        for each in found[: shown["count"]]:
            _suspect(looked, each, editor)
        if shown["count"] < len(found):
            ui.button(t("More"), on_click=more).props("flat")

    def more() -> None:
        shown["count"] += SUSPECTS_AT_ONCE
        cards.refresh()

    cards()
    looked.redraw.append(cards.refresh)


def _suspect(looked: Looked, suspect: SuspectRow, editor: Editor) -> None:
    row = looked.table.row(suspect.split, suspect.id)
    now = looked.state.label(row)
    act = looked.view.act
    with ui.element("section").classes("card").props("role=group").mark("suspect") as card:
        card.props["aria-label"] = t("Row {row} of {split}", row=row.id, split=row.split)
        for part in (row.text, row.pair):
            if part is not None:
                ui.label(looked.text(part)).classes("text whole")
        ui.label(
            t("{split}, row {row}: labelled {given}, probably {suggested} (the label fits with {score:.0%})",
              split=row.split, row=row.id, given=label_text(row.label), suggested=label_text(suspect.suggested),
              score=suspect.score)
        ).classes("muted")  # fmt: skip
        with ui.element("div").classes("row"):
            if now != row.label:
                ui.label(t("Corrected: {label}", label=label_text(now))).classes("changed").props("role=status")
                ui.button(t("Undo"), icon="undo", on_click=act(lambda: looked.correct(row, _plain(row.label)))).props(
                    "flat"
                )
                return
            if looked.correctable:
                take = ui.button(on_click=act(lambda: looked.correct(row, _plain(suspect.suggested))))
                take.set_text(t("Label it {label}", label=label_text(suspect.suggested)))
                take.props("no-caps")
            ui.button(t("Leave out"), on_click=act(lambda: looked.correct(row))).props("flat no-caps")
            ui.button(t("Another label"), on_click=act(lambda: editor.open(row))).props("flat no-caps")


def _plain(label: Any) -> Any:
    return list(label) if isinstance(label, tuple) else label


def corrections(looked: Looked) -> None:
    """What was corrected, and how to take it back."""

    @ui.refreshable
    def lines() -> None:
        state = looked.state
        if not state.lines:
            ui.label(t("Nothing is corrected.")).classes("muted")
            return
        ui.label(
            t("{lines} lines in {file}; {pending} are not in this snapshot yet.", lines=len(state.lines),
              file=looked.project.config.data.corrections, pending=len(state.pending))
        ).classes("muted")  # fmt: skip
        pending = {each.line for each in state.pending}
        with ui.element("div").classes("wide"), ui.element("table").classes("plain"):
            with ui.element("tr"):
                for name in (t("Text"), t("was"), t("now"), t("in this snapshot"), t("Undo")):
                    with ui.element("th"):
                        ui.label(name)
            for each in reversed(state.lines[-CORRECTIONS_SHOWN:]):
                _line(looked, each, pending=each.line in pending)

    heading(t("Corrections"))
    lines()
    looked.redraw.append(lines.refresh)


def _line(looked: Looked, line: Correction, *, pending: bool) -> None:
    async def undo() -> None:
        await looked.view.thread(api.undo_correction, line.id, config=looked.project)
        await looked.again()

    text = looked.text(line.text)
    was = t("any label") if line.was is None else label_text(line.was)
    with ui.element("tr").mark("correction"):
        for cell in (text[:TEXT_CHARS], was, label_text(line.label), t("not yet") if pending else t("yes")):
            with ui.element("td"):
                ui.label(cell)
        with ui.element("td"):
            button = ui.button(icon="undo", on_click=looked.view.act(undo)).props("flat dense round")
            button.props["aria-label"] = t("Take back: {text}", text=text[:60])
