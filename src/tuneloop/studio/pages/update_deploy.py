"""Which release of a model answers: what holds, the history, and the buttons that change it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from nicegui import ui

from tuneloop import api
from tuneloop.core.deploying import MOST_SHARE
from tuneloop.core.i18n import t
from tuneloop.releases.deployment_words import kinds, stages, told_sentences
from tuneloop.studio.jobs import command_line
from tuneloop.studio.pages.update_trial import trial
from tuneloop.studio.tables import table
from tuneloop.studio.view import View, heading

LOOK_S = 1.0
SHOWN = 15
"""Changes of the history that are shown at once."""


class Deployed:
    """What is deployed of a model, as it is recorded now, whoever changes it.

    Args:
        view: the page.
        name: of the model.
        releases: its releases, the newest first.
    """

    def __init__(self, view: View, name: str, releases: list[str]) -> None:
        self._view, self._name, self._releases = view, name, releases
        self._root = view.studio.workspace.root
        self.found: dict[str, Any] = {}

    async def place(self) -> None:
        """Put it onto the page and keep it as it is recorded."""
        self._state = ui.element("div").mark("deployed")
        self._actions = Actions(self._view, self._name, self._releases, self)
        self._past = ui.element("div")
        await self.look()
        ui.timer(LOOK_S, self._view.act(self.look), immediate=False)

    async def look(self) -> None:
        """Draw it where something has changed."""
        (found,) = await self._view.thread(api.deployments, self._name, workspace=self._root)
        if found != self.found:
            self.found = found
            self._draw()

    def _draw(self) -> None:
        for part, draw in ((self._state, self._draw_state), (self._past, self._draw_past)):
            part.clear()
            with part:
                draw(self.found)

    def _draw_state(self, found: Mapping[str, Any]) -> None:
        tried = found["candidate"]
        with ui.element("div").classes("grid figures").props("role=status"):
            _card(
                t("answers now"),
                found["current"] or "–",
                t("by nobody's word: it is the newest") if not found["change"] else "",
            )
            _card(t("one before"), found["before"] or "–", t("a rollback goes there") if found["before"] else "")
            if tried:
                note = f"{stages()[tried['stage']]} {tried['share']:.0%}, {moment(tried['at'])} UTC"
                _card(t("being tried"), tried["release"], note)
        trial(found)

    def _draw_past(self, found: Mapping[str, Any]) -> None:
        heading(t("History"), 3)
        past = found["history"][::-1]
        if not past:
            ui.label(t("Nothing was deployed yet; servers answer with the newest release.")).classes("muted")
            return
        _history(past[:SHOWN])
        if len(past) > SHOWN:
            with ui.expansion(t("{count} earlier ones", count=len(past) - SHOWN)).classes("numbers"):
                _history(past[SHOWN : 20 * SHOWN])


class Actions:
    """Deploy, shadow, canary, promote, roll back: each is asked about once, and told."""

    def __init__(self, view: View, name: str, releases: list[str], shown: Deployed) -> None:
        self._view, self._name, self._deployed = view, name, shown
        heading(t("Change it"), 3)
        with ui.element("div").classes("row"):
            self._release = ui.select(releases, value=releases[0], label=t("Release"), with_input=len(releases) > 10)
            ways = {"promote": t("promote: answers all requests"), "canary": t("canary: answers a share"),
                    "shadow": t("shadow: answers unseen")}  # fmt: skip
            self._way = ui.select(ways, value="promote", label=t("How"))
            self._share = ui.number(t("Share"), value=0.1, min=0.01, max=MOST_SHARE, step=0.01, format="%.2f")
            self._share.bind_visibility_from(self._way, "value", value="canary")
            self._why = ui.input(t("Why, for the record")).props("maxlength=500")
            for each in (self._release, self._way, self._why):
                each.classes("field")
        with ui.element("div").classes("row"):
            ui.button(t("Deploy"), icon="rocket_launch", on_click=view.act(self.deploy)).mark("deploy")
            back = ui.button(t("Roll back"), icon="undo", on_click=view.act(self.roll_back)).props("outline")
            back.mark("rollback")
        self._same = ui.element("div")
        for changed in (self._release, self._way, self._share, self._why):
            changed.on_value_change(self._draw_same)
        self._draw_same()

    async def deploy(self) -> None:
        """What the form says."""
        named = self._named()
        await self._ask(api.deploy, self._release.value, named, command_line(self._arguments()))

    async def roll_back(self) -> None:
        """To the release before, or without what is being tried."""
        why = {"why": self._why.value} if self._why.value else {}
        words = ["rollback", self._name, *(["--why", self._why.value] if why else [])]
        await self._ask(api.rollback, self._name, why, command_line(self._view.studio.arguments(*words)))

    async def _ask(self, action: Callable[..., dict[str, Any]], about: str, named: dict[str, Any], line: str) -> None:
        """Say what would be done to what holds, and do that alone when it is confirmed."""
        await self._deployed.look()
        named = {
            "why": "",
            **named,
            "workspace": self._view.studio.workspace.root,
            "after": self._deployed.found["change"],
        }
        planned = await self._view.thread(action, about, **named, dry_run=True)
        if not await _confirmed(planned, line):
            return
        made = await self._view.thread(action, about, **named)
        ui.notify(next(told_sentences(made)), type="positive")
        await self._deployed.look()

    def _named(self) -> dict[str, Any]:
        """The arguments of `api.deploy` that the form says."""
        found: dict[str, Any] = {}
        if self._way.value == "canary":
            found["canary"] = float(self._share.value or 0)
        if self._way.value == "shadow":
            found["shadow"] = True
        return found | ({"why": self._why.value} if self._why.value else {})

    def _arguments(self) -> list[str]:
        named = self._named()
        words = ["deploy", self._release.value]
        words += ["--canary", f"{named['canary']:g}"] if "canary" in named else []
        words += ["--shadow"] if "shadow" in named else []
        words += ["--why", named["why"]] if "why" in named else []
        return self._view.studio.arguments(*words)

    def _draw_same(self) -> None:
        self._same.clear()
        place = self._view.studio.place
        more = "".join(f", {name}={value!r}" for name, value in self._named().items())
        with self._same:
            self._view.same(
                self._arguments(),
                f"tl.deploy({self._release.value!r}{more}{place})\n"
                f"tl.rollback({self._name!r}{place})  # {t('takes it back')}\n"
                f"print(tl.deployments({self._name!r}{place}))",
            )


async def _confirmed(planned: Mapping[str, Any], line: str) -> bool:
    """Whether a person wants what was planned."""
    with ui.dialog() as dialog, ui.card().classes("asking").props("role=alertdialog") as card:
        card.props["aria-label"] = t("Change what answers?")
        heading(t("Change what answers?"))
        ui.label(t("Afterwards:")).classes("muted")
        for sentence in told_sentences(dict(planned)):
            ui.label(sentence)
        ui.label(line).classes("code")
        with ui.element("div").classes("row"):
            ui.button(t("Do it"), on_click=lambda: dialog.submit(True)).props("autofocus").mark("confirm")
            ui.button(t("Cancel"), on_click=lambda: dialog.submit(False)).props("flat")
    try:
        return bool(await dialog)
    finally:
        dialog.delete()


def _card(name: str, value: str, note: str) -> None:
    with ui.element("div").classes("card"):
        ui.label(name).classes("muted")
        ui.label(value).classes("big")
        ui.label(note).classes("muted")


def _history(past: list[Mapping[str, Any]]) -> None:
    rows = [[each["number"], moment(each["at"]), each["who"], kinds()[each["kind"]], each["release"], each["why"]]
            for each in past]  # fmt: skip
    headers = [t("number"), t("when (UTC)"), t("who"), t("what"), t("release"), t("why")]
    table(headers, rows, name=t("History"))


def moment(at: float) -> str:
    """A moment, UTC, to the second."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S}"
