"""A conversation with a model that writes, and questions to the documents that travel with a release."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from nicegui import ui

from tuneloop.core.errors import TuneloopError
from tuneloop.core.i18n import t
from tuneloop.studio.pages.playground_inputs import MOST_CHARS, kept_field, store, stored
from tuneloop.studio.view import View, heading, problem

if TYPE_CHECKING:
    from tuneloop.api.answers import Answering
    from tuneloop.knowledge.answers import Answer

LOOK_S = 0.1
"""How often what was written meanwhile is shown."""


def chat(view: View, name: str, *, documents: bool) -> None:
    """A conversation; with documents, each question can be answered from them, with citations."""
    ui.label(t("Written answers have no word heat-map: they are many decisions, not one number.")).classes("muted")
    Chat(view, name, documents=documents)


def documents(view: View, name: str) -> None:
    """Questions to the documents that travel with a release that does not write."""
    heading(t("Ask its documents"))
    question = kept_field(t("question"), "question")
    shown = ui.element("div").props("role=status").mark("cited")

    async def ask() -> None:
        if question.value:
            shown.clear()
            found = await view.thread(lambda: view.studio.opened(name).ask(question.value))
            with shown:
                cited(found)

    ui.button(t("Ask"), icon="menu_book", on_click=view.act(ask)).mark("ask")


def cited(found: Answer) -> None:
    """An answer with where it stands written, or why there is none."""
    if found.abstained:
        ui.label(t("The documents do not answer this.")).classes("card bad")
        ui.label(found.why).classes("muted")
        return
    ui.label(found.text).classes("text")
    with ui.element("ol").classes("citations"):
        for each in found.citations:
            where = [each.document, each.section, t("page {page}", page=each.page) if each.page else ""]
            with ui.element("li").props(f"value={int(each.number)}"):
                ui.label(", ".join(filter(None, where))).classes("muted")
                with ui.element("blockquote"):
                    ui.label(each.quote)


class Chat:
    """What was said, and what is being written; the browser's tab keeps it.

    Args:
        view: the page.
        name: the release.
        documents: whether documents travel with it.
    """

    def __init__(self, view: View, name: str, *, documents: bool) -> None:
        self._view, self._name = view, name
        self._said: list[dict[str, str]] = []
        self._turn = 0
        ui.context.client.on_delete(self._stop)
        self._keeper = ui.element("div").props("hidden")
        self._log = ui.element("div").classes("chat").props("role=log aria-live=polite").mark("chat")
        self._log.props["aria-label"] = t("Conversation")
        self._cite = ui.checkbox(t("Answer from its documents alone, with citations"), value=documents)
        self._cite.set_visibility(documents)
        self._input = ui.textarea(t("your message")).props(f"autogrow outlined maxlength={MOST_CHARS}")
        self._input.classes("typed").mark("message")
        send = view.act(self._send)
        self._input.on(
            "keydown.enter", send,
            js_handler="(event) => { if (!event.shiftKey && !event.isComposing) { event.preventDefault(); emit() } }",
        )  # fmt: skip
        with ui.element("div").classes("row"):
            self._button = ui.button(t("Send"), icon="send", on_click=send).mark("send")
            self._halt = ui.button(t("Stop"), icon="stop", on_click=self._stop).props("flat").mark("halt")
            ui.button(t("New conversation"), icon="restart_alt", on_click=self._clear).props("flat").mark("clear")
            ui.label(t("Enter sends, Shift+Enter begins a line.")).classes("muted")
        self._halt.set_visibility(False)
        view.same(
            view.studio.arguments("predict", name, "FILE"),
            f'tl.load({name!r}{view.studio.place}).predict([[{{"role": "user", "content": "..."}}]])',
        )
        ui.timer(0.05, self._restore, once=True)

    async def _restore(self) -> None:
        try:
            kept = json.loads(await stored("chat") or "[]")
            said = [{"role": str(each["role"]), "content": str(each["content"])} for each in kept]
        except (ValueError, TypeError, KeyError):
            return
        if not self._said:
            self._said = said
            for each in said:
                self._bubble(each["role"], each["content"])

    def _bubble(self, role: str, text: str) -> ui.label:
        with self._log, ui.element("div").classes(f"said {'mine' if role == 'user' else 'theirs'}"):
            ui.label(t("you") if role == "user" else self._name).classes("muted")
            return ui.label(text).classes("text").mark(f"said-{role}")

    def _stop(self) -> None:
        self._turn += 1

    def _clear(self) -> None:
        self._stop()
        self._said = []
        self._log.clear()
        store(self._keeper, "chat", [])

    async def _send(self) -> None:
        text = str(self._input.value or "").strip()[:MOST_CHARS]
        if not text or not self._button.enabled:
            return
        self._input.value = ""
        self._said.append({"role": "user", "content": text})
        self._bubble("user", text)
        self._busy(True)
        try:
            await (self._cited(text) if self._cite.value else self._written())
        except TuneloopError as error:
            self._said.pop()  # it was not answered: the next message does not follow it
            with self._log:
                problem(error)
        finally:
            self._busy(False)
            store(self._keeper, "chat", self._said)

    def _busy(self, busy: bool) -> None:
        self._button.set_enabled(not busy)
        self._halt.set_visibility(busy)

    @property
    def _answering(self) -> Answering:
        return self._view.studio.opened(self._name)

    async def _cited(self, question: str) -> None:
        found = await self._view.thread(lambda: self._answering.ask(question))
        with self._log, ui.element("div").classes("said theirs").mark("cited"):
            cited(found)
        self._said.append({"role": "assistant", "content": found.text or found.why})

    async def _written(self) -> None:
        """The answer, as far as it is written, until it ends or is stopped."""
        from tuneloop.inference.in_turn import GivenUp

        turn, said = self._turn, list(self._said)
        pieces: list[str] = []
        shown = self._bubble("assistant", "…")

        def write() -> None:
            try:
                self._answering.write(said, pieces.append, wanted=lambda: turn == self._turn)
            except GivenUp:
                return

        def look() -> None:
            if pieces:
                shown.set_text("".join(pieces))

        with self._log:
            timer = ui.timer(LOOK_S, look)
        try:
            await self._view.thread(write)
        except TuneloopError:
            shown.parent_slot.parent.delete()  # type: ignore[union-attr]
            raise
        finally:
            timer.cancel()
        text = "".join(pieces)
        if said == self._said:  # else the conversation was begun anew meanwhile
            shown.set_text(text)
            self._said.append({"role": "assistant", "content": text})
