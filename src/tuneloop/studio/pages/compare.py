"""Comparisons of methods and searches for settings: what there is, and what is at work."""

from __future__ import annotations

from datetime import UTC, datetime

from nicegui import ui

from tuneloop.core.i18n import t
from tuneloop.evaluation.names import decimals, metric_name, model_name
from tuneloop.experiments.found import Experiment, experiments
from tuneloop.experiments.words import budget_name
from tuneloop.studio.jobs import Job
from tuneloop.studio.pages import Route, compare_new, compare_one
from tuneloop.studio.pages.jobs import state_text
from tuneloop.studio.progress import how_far
from tuneloop.studio.tables import Cell, table
from tuneloop.studio.view import View, heading, link, nothing

REFRESH_S = 2.0
COMMANDS = ("compare", "search")


async def overview(view: View) -> None:
    """The list, with what is at work above it."""
    with ui.element("div").classes("row"):
        ui.button(t("New comparison or search"), icon="add", on_click=lambda: ui.navigate.to("/compare/new"))
    found: list[Experiment] = await view.thread(experiments, view.studio.workspace)
    jobs = _unfinished(view)

    @ui.refreshable
    def rows() -> None:
        if jobs:
            heading(t("At work, or stopped"))
            for job in jobs:
                _job(view, job)
            heading(t("Finished"))
        if not found and not jobs:
            nothing(
                t("Nothing was compared or searched yet."),
                t("Which methods, or which values of settings, suit your data best? Start with the button above."),
            )
        elif found:
            headers = [t("name"), t("kind"), t("figure"), t("what to take"), t("finished")]
            table(headers, [_cells(each) for each in found], name=t("Comparisons and searches"))

    async def look() -> None:
        nonlocal found, jobs
        before = [(each.id, each.changed_ns) for each in found], [_said(job) for job in jobs]
        found, jobs = await view.thread(experiments, view.studio.workspace), _unfinished(view)
        if ([(each.id, each.changed_ns) for each in found], [_said(job) for job in jobs]) != before:
            rows.refresh()

    rows()
    ui.timer(REFRESH_S, look)


def _unfinished(view: View) -> list[Job]:
    """The jobs at work, and the newest other one if it did not end well."""
    jobs = [job for job in view.studio.jobs.all() if job.arguments[:1] and job.arguments[0] in COMMANDS]
    return [job for place, job in enumerate(jobs) if job.running or (place == 0 and job.state != "done")]


def _said(job: Job) -> tuple[str, str, object]:
    return job.id, job.state, how_far(job.output())


def _job(view: View, job: Job) -> None:
    """One that is not finished: how far it is, and how to go on."""
    far = how_far(job.output())
    with ui.element("div").classes("card"):
        link(job.command, f"/jobs/{job.id}").classes("code")
        parts = [state_text(job)] + ([f"{far.title} {far.done}/{far.total}", far.note] if far else [])
        ui.label(" · ".join(filter(None, parts))).props("role=status")
        if far:
            bar = ui.linear_progress(far.done / far.total, show_value=False, size="8px")
            bar.props["aria-label"] = t("Progress")
        with ui.element("div").classes("row"):
            if job.running:
                ui.button(t("Stop"), icon="stop", on_click=view.act(lambda: view.studio.jobs.stop(job.id))).props(
                    "flat"
                )
            else:
                ui.button(t("Go on"), icon="play_arrow", on_click=view.act(lambda: _again(view, job))).props("flat")


def _again(view: View, job: Job) -> None:
    """The same command: what is finished is not done again."""
    view.start(job.arguments)


def _cells(each: Experiment) -> list[Cell]:
    found = each.found
    when = datetime.fromtimestamp(each.changed_ns / 1e9, UTC)
    kind = t("comparison of methods") if each.kind == "comparison" else t("search for settings")
    take = _search(found) if each.kind == "search" else _comparison(found)
    name: Cell = lambda: link(each.id, f"/compare/{each.id}").classes("keep")  # noqa: E731
    return [name, kind, metric_name(found["metric"]), take, f"{when:%Y-%m-%d %H:%M}"]


def _search(found: dict[str, object]) -> str:
    best = found["best"]
    assert isinstance(best, dict)
    return t("{value} with the run {run}", value=decimals(best["value"]), run=best["run"])


def _comparison(found: dict[str, object]) -> str:
    budgets, advice = found["budgets"], found["recommendations"]
    assert isinstance(budgets, list) and isinstance(advice, dict)
    several = len(budgets) > 1
    parts = []
    for budget in budgets:
        name = model_name(advice[str(budget["budget"])]["take"])
        labels = budget_name(budget["budget"], classes=bool(found["classes"]))
        parts.append(f"{name} ({labels})" if several else name)
    return ", ".join(parts)


ROUTES = [
    Route("/compare", lambda: t("Compare"), overview, icon="scatter_plot"),
    Route("/compare/new", lambda: t("New comparison or search"), compare_new.new),
    Route("/compare/{name}", lambda: t("Comparison"), compare_one.one),
]
