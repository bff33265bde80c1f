"""What a release answers in service: figures that move, drift, alerts, and a button for `tuneloop watch`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from nicegui import ui

from tuneloop.core.i18n import t
from tuneloop.core.paths import CONFIG_NAME
from tuneloop.studio.jobs import Job
from tuneloop.studio.pages import Route, watch_found
from tuneloop.studio.pages.jobs import watched as show_job
from tuneloop.studio.pages.watch_counts import SPANS_S, counting
from tuneloop.studio.pages.watch_live import Live
from tuneloop.studio.view import View, heading, link, nothing, report
from tuneloop.watch.base import Event

SLOWLY_S = 2.0


async def page(view: View) -> None:
    """The release that the address names, else what is deployed, else the newest."""
    names = await view.thread(_releases, view)
    if not names:
        nothing(t("There is no release to watch yet."), t("Release a run, then serve it with watch.events set."))
        return
    chosen = await view.thread(_chosen, view, names)
    span = view.query.get("span", "")
    if span not in SPANS_S:
        span = await view.thread(_usual_span, view, chosen)
    _choice(chosen, span, names)
    findings = Findings(view, chosen)
    live = Live(view, chosen, span, lambda: findings.found)
    findings.place()
    _start(view, chosen)
    await live.refresh()
    await findings.look()


class Findings:
    """What lies in the folder of a watched release, read again when a file changes."""

    def __init__(self, view: View, release: str) -> None:
        self._view, self._release = view, release
        self._folder = view.studio.workspace.watched / release
        self._seen: tuple[Any, ...] = ()
        self._newest: Event | None = None
        self.found: Mapping[str, Any] | None = None
        self._alerts: list[dict[str, Any]] = []

    async def read(self) -> bool:
        """Read what is new; whether there was anything."""
        files = ("watch.json", "watch.html", "alerts.jsonl", "alerts-told.json")
        seen = tuple(_touched(self._folder / name) for name in files)
        if seen == self._seen:
            return False
        from tuneloop import api

        root = self._view.studio.workspace.root
        self.found = await self._view.thread(api.watched, self._release, workspace=root)
        await self._view.thread(_import_detectors, self.found)
        self._alerts = await self._view.thread(api.alerts, self._release, workspace=root)
        newest = await self._view.thread(counting(self._view.studio).newest, self._release)
        self._newest, self._seen = newest, seen
        return True

    def place(self) -> None:
        """Where it stands, and is drawn again when it changes on the disk."""
        self._part = ui.element("div")
        ui.timer(SLOWLY_S, self._view.act(self.look), immediate=False)

    async def look(self) -> None:
        """Draw what is new."""
        if await self.read():
            self._part.clear()
            with self._part:
                self._draw()

    def _draw(self) -> None:
        watch_found.alerts(self._alerts)
        kept = None if self._newest is None else self._newest.text is not None
        watch_found.findings(self.found, texts_kept=kept)
        if (self._folder / "watch.html").is_file():
            folded(t("The page of this watch"), f"/report/watch/{self._release}?{self._seen[1]}")


def folded(title: str, path: str) -> None:
    """The page at `path`, which a command wrote, behind its title."""
    with ui.expansion(title, icon="description").classes("numbers"):
        report(title, path)


def _choice(chosen: str, span: str, names: list[str]) -> None:
    def go(**changed: str) -> None:
        ui.navigate.to("/watch?" + urlencode({"release": chosen, "span": span, **changed}))

    with ui.element("div").classes("row"):
        ui.select(
            names,
            value=chosen,
            label=t("Release"),
            with_input=len(names) > 10,
            on_change=lambda event: go(release=event.value),
        ).classes("field")
        spans = {
            "1h": t("the last hour"), "24h": t("the last day"), "7d": t("the last week"), "30d": t("the last 30 days"),
            "all": t("all that is kept"),
        }  # fmt: skip
        ui.select(spans, value=span, label=t("Time"), on_change=lambda event: go(span=event.value)).classes("field")


def _start(view: View, release: str) -> None:
    """A form for `tuneloop watch`, and the job that it became."""
    heading(t("Watch again"))
    ui.label(t("Compares what was served with what the release was measured on, and tells who is to hear of alarms."))
    with ui.element("div").classes("row"):
        told = ui.switch(t("tell alarms"), value=True).mark("watch-alerts")
        button = ui.button(t("Start tuneloop watch"), icon="visibility").mark("watch-start")
    place = ui.element("div")

    def arguments() -> list[str]:
        studio, words = view.studio, ["watch", release]
        if studio.config.is_file() and studio.config.name != CONFIG_NAME:
            words += ["--config", studio.config.name]
        return studio.arguments(*words, *([] if told.value else ["--no-alerts"]))

    def show(job: Job) -> None:
        place.clear()
        with place:
            link(job.command, f"/jobs/{job.id}").classes("code")
            show_job(view, job)

    button.on_click(view.act(lambda: show(view.start(arguments()))))
    same = ui.element("div")

    def draw_same() -> None:
        same.clear()
        with same:
            view.same(arguments(), python(view, release, alert=told.value))

    told.on_value_change(draw_same)
    draw_same()
    last = next((job for job in view.studio.jobs.all() if job.arguments[:2] == ["watch", release]), None)
    if last is not None:
        show(last)


def python(view: View, release: str, *, alert: bool) -> str:
    """The same from Python."""
    named = {"workspace": None if view.studio.root is None else str(view.studio.workspace.root)}
    if view.studio.config.is_file() and view.studio.config.name != CONFIG_NAME:
        named["config"] = view.studio.config.name
    more = "".join(f", {name}={_quoted(name, value)}" for name, value in named.items() if value)
    return (
        "from pathlib import Path\nfrom tuneloop.api import watch\n\n"
        f"found = watch({release!r}{more}{'' if alert else ', alert=False'})\nprint(found['alarms'])\n"
        f"for stretch in tl.event_series({release!r}):\n    print(stretch.at, stretch.labels, stretch.took_ms(0.95))"
    )


def _quoted(name: str, value: str) -> str:
    return f"Path({value!r})" if name == "workspace" else repr(value)


def _import_detectors(found: Mapping[str, Any] | None) -> None:
    """What takes a moment the first time, so that no page waits for it."""
    from tuneloop.watch.drift import DETECTORS

    for name in found["detectors"] if found else ():
        DETECTORS.get(name)


def _releases(view: View) -> list[str]:
    """Ids, the newest first."""
    from tuneloop.releases.index import rows

    return [row.id for row in reversed(rows(view.studio.workspace))]


def _chosen(view: View, names: list[str]) -> str:
    from tuneloop.releases.deployment import deployed
    from tuneloop.releases.index import model_of, newest

    asked = view.query.get("release")
    if asked:
        return newest(asked, view.studio.workspace)
    current = deployed(model_of(names[0]), view.studio.workspace).current
    return current if current in names else names[0]


def _usual_span(view: View, release: str) -> str:
    """The last day, or all where it was quiet."""
    import time

    newest = counting(view.studio).newest(release)
    day_s = SPANS_S["24h"] or 0.0
    return "24h" if newest is None or newest.at > time.time() - day_s else "all"


def _touched(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


ROUTES = [Route("/watch", lambda: t("Watch"), page, icon="show_chart")]
