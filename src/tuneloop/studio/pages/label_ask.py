"""The text that waits and the keys that answer it."""

from __future__ import annotations

from typing import Any

from nicegui import ui
from nicegui.events import GenericEventArguments

from tuneloop.core.i18n import t
from tuneloop.labelling.desk import Desk, Progress
from tuneloop.labelling.kinds import KEYS, Kind
from tuneloop.labelling.store import Item
from tuneloop.media.items import described
from tuneloop.studio.pages.data_looked import plain_text
from tuneloop.studio.view import View

LISTEN = """
document.addEventListener('keydown', event => {
  const asked = document.querySelector('[data-item]'), at = event.target;
  if (!asked || event.repeat || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (at.closest('input, textarea, select, [contenteditable=true], .q-menu, .q-dialog')) return;
  const pressing = event.key === 'Enter' && at.closest('button, a, [role=button], summary');
  if (pressing || !(event.key === 'Enter' || asked.dataset.keys.includes(event.key.toLowerCase()))) return;
  event.preventDefault();
  emitEvent('label-key', {key: event.key.toLowerCase(), item: asked.dataset.item});
});
document.body.dataset.keys = 'heard';
"""
"""A key goes with the text that was on the screen when it was pressed, so that no unseen text is ever answered."""


class Asking:
    """The card with the text; what it knows of one answer in the making is lost with the tab, and nothing else.

    Args:
        view: the page.
        desk: whose texts.
        kind: what an answer is.
        names: the classes, in the order of their keys.
    """

    def __init__(self, view: View, desk: Desk, *, kind: Kind, names: list[str]) -> None:
        self._view = view
        self._desk = desk
        self._kind = kind
        self._names = names
        self._chosen: set[str] = set()
        self._item: Item | None = None
        self._progress = Progress(0, 0, 0, 0)
        self._busy = False

    async def build(self) -> None:
        """Put the card onto the page and listen."""
        await self._view.thread(self._read)
        ui.run_javascript(LISTEN)
        ui.on("label-key", self._told)
        with ui.element("div").props("aria-live=polite"):
            self._card()

    def _read(self) -> None:
        self._item, self._progress = self._desk.current, self._desk.progress()
        before = self._desk.before
        self._chosen = set(before.label) if before and self._kind == "classes" and before.label else set()

    @ui.refreshable_method
    def _card(self) -> None:
        told = t("{answered} answered, {skipped} skipped by you; {texts} texts in all", **self._progress._asdict())
        if self._item is None:
            with ui.element("div").classes("card empty").mark("queue-empty"):
                ui.label(t("No text waits for you."))
                ui.label(t("Get more below, or settle what others disagree on.")).classes("muted")
            self._undo_button(None)
        else:
            self._question(self._item)
        ui.label(told).classes("muted").mark("progress")

    def _question(self, item: Item) -> None:
        keys = KEYS[: len(self._names)] if self._kind != "number" else ""
        card = ui.element("section").classes("card ask").mark("ask")
        card.props["data-item"], card.props["data-keys"] = item.id, f"{keys}us"
        card.props["aria-label"] = t("The text to label")
        with card:
            ui.label(described(item.text)).classes("text whole asked")
            if item.pair is not None:
                ui.separator()
                ui.label(item.pair).classes("text whole asked")
            self._why(item)
            with ui.element("div").classes("row answers"):
                self._answers(item)
            with ui.element("div").classes("row"):
                self._key_button(t("Skip"), "S", lambda: self._skip(item.id))
                self._undo_button(item)

    def _why(self, item: Item) -> None:
        if self._desk.before:
            ui.label(t("You had said: {label}", label=_said(self._desk.before.label))).classes("muted")
        if item.guess is not None:
            ui.label(t("The model says: {label}", label=item.guess)).classes("muted").mark("guess")

    def _answers(self, item: Item) -> None:
        if self._kind == "number":
            self._number(item)
            return
        for key, name in zip(KEYS, self._names, strict=False):
            guessed = self._kind == "class" and name == item.guess
            button = self._key_button(
                name, key + (" ⏎" if guessed else ""), lambda name=name: self._choose(item.id, name)
            )
            pressed = name in self._chosen if self._kind == "classes" else guessed
            button.props(remove="flat").props("unelevated" if pressed else "outline")
            if self._kind == "classes":
                button.props["aria-pressed"] = "true" if pressed else "false"
        if len(self._names) > len(KEYS):
            self._others(item)
        if self._kind == "classes":
            self._key_button(t("Save"), "⏎", lambda: self._save(item.id, sorted(self._chosen)))

    def _others(self, item: Item) -> None:
        """Classes that have no key of their own."""
        rest = self._names[len(KEYS) :]
        select = ui.select(rest, label=t("More classes"), with_input=True).classes("choice")
        select.on_value_change(self._view.act(lambda: self._choose(item.id, select.value)))

    def _number(self, item: Item) -> None:
        field = ui.number(t("Number"), value=_number_of(item.guess)).props("autofocus").mark("number")

        async def save() -> None:
            if field.value is None:
                ui.notify(t("Type a number first."), type="warning")
            else:
                await self._save(item.id, float(field.value))

        field.on("keydown.enter", self._view.act(save))
        self._key_button(t("Save"), "⏎", save)

    def _undo_button(self, item: Item | None) -> None:
        self._key_button(t("Undo"), "U" if item else "", self._undo)

    def _key_button(self, name: str, key: str, act: Any) -> ui.button:
        button = ui.button(on_click=self._view.act(act)).props("flat no-caps")
        with button:
            for each in key.split():
                with ui.element("kbd"):
                    ui.label(each.upper())
            ui.label(name)
        return button

    async def _told(self, event: GenericEventArguments) -> None:
        """A key, with the text that it was pressed for."""
        key, item = str(event.args.get("key", "")), str(event.args.get("item", ""))
        await self._view.act(lambda: self._pressed(key, item))()

    async def _pressed(self, key: str, item: str) -> None:
        if self._item is None or item != self._item.id:
            return
        place = KEYS.find(key) if len(key) == 1 else -1
        if key == "u":
            await self._undo()
        elif key == "s":
            await self._skip(item)
        elif key == "enter":
            await self._enter(item)
        elif 0 <= place < len(self._names):
            await self._choose(item, self._names[place])

    async def _enter(self, item: str) -> None:
        """Take what the model says, or save the classes that were chosen."""
        guess = self._item.guess if self._item else None
        if self._kind == "classes":
            await self._save(item, sorted(self._chosen))
        elif self._kind == "class" and guess in self._names:
            await self._save(item, guess)
        elif self._kind == "class":
            ui.notify(t("No model has said anything of this text: press a key."), type="warning")

    async def _choose(self, item: str, name: str) -> None:
        if self._kind == "class":
            await self._save(item, name)
        elif self._item is not None and self._item.id == item:
            self._chosen ^= {name}
            self._card.refresh()

    async def _skip(self, item: str) -> None:
        await self._save(item, None, skipped=True)

    async def _save(self, item: str, label: Any, *, skipped: bool = False) -> None:
        """Keep an answer, then show the next text."""

        def keep() -> None:
            self._desk.answer(item, label, skipped=skipped)
            self._read()

        await self._alone(keep)

    async def _undo(self) -> None:
        undone: list[bool] = []

        def back() -> None:
            undone.append(self._desk.undo() is not None)
            self._read()

        await self._alone(back)
        if undone == [False]:
            ui.notify(t("There is nothing to undo."))

    async def _alone(self, work: Any) -> None:
        """One change at a time; what is pressed while the disk is waited for was pressed for a text that is gone."""
        if self._busy:
            return
        self._busy = True
        try:
            await self._view.thread(work)
        finally:
            self._busy = False
        self._card.refresh()


def _said(label: Any) -> str:
    return t("skipped") if label is None else plain_text(label)


def _number_of(guess: str | None) -> float | None:
    try:
        return None if guess is None else float(guess)
    except ValueError:
        return None
