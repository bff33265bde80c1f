"""What was started: output as it comes, stop, and the command again."""

from __future__ import annotations

from nicegui import ui

from tuneloop.core.i18n import t
from tuneloop.studio.jobs import Job
from tuneloop.studio.pages import Route
from tuneloop.studio.tables import Cell, table
from tuneloop.studio.view import View, code, heading, link, nothing

REFRESH_S = 1.0
SHOWN = 100
"""Jobs in the list, the newest."""


def state_text(job: Job) -> str:
    """How a job stands, in words."""
    return {
        "running": t("at work"),
        "done": t("done"),
        "said": t("done: see what it says"),
        "held": t("held: it asks a person"),
        "failed": t("failed"),
        "stopped": t("stopped"),
        "killed": t("ended without a word"),
    }[job.state]


def overview(view: View) -> None:
    """Every job, the newest first."""

    @ui.refreshable
    def rows() -> None:
        jobs = view.studio.jobs.all()[:SHOWN]
        if not jobs:
            nothing(t("Nothing was started here yet."), t("What the other pages start is listed here."))
            return
        found = [[job.started.replace("T", " ").rstrip("Z"), state_text(job), _way(job)] for job in jobs]
        table([t("started"), t("state"), t("command")], found, name=t("Started"))

    rows()
    ui.timer(REFRESH_S * 2, rows.refresh)


def _way(job: Job) -> Cell:
    return lambda: link(job.command, f"/jobs/{job.id}").classes("code")


def one(view: View) -> None:
    """A job with its output."""
    job = view.studio.jobs.open(view.parts["name"])
    code(t("Command line"), job.command, "bash")
    watched(view, job)


def watched(view: View, job: Job) -> None:
    """How a job stands and what it prints, for as long as the page is open."""
    heading(t("Output"))
    with ui.element("div").classes("row"):
        state = ui.label(state_text(job)).props("role=status").mark("job-state")
        stop = ui.button(t("Stop"), icon="stop", on_click=view.act(lambda: view.studio.jobs.stop(job.id))).props("flat")
    output = ui.label(job.output()).classes("output").props("tabindex=0").mark("job-output")

    def refresh() -> None:
        now = view.studio.jobs.open(job.id)
        state.set_text(state_text(now))
        output.set_text(now.output())
        stop.set_visibility(now.running)
        if not now.running:
            timer.cancel()

    timer = ui.timer(REFRESH_S, refresh)
    stop.set_visibility(job.running)


ROUTES = [
    Route("/jobs", lambda: t("Started"), overview, icon="playlist_play"),
    Route("/jobs/{name}", lambda: t("Started"), one),
]
