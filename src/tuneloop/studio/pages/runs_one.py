"""One run: its curves while they grow, how far it is, what it was made with, and what can be done with it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nicegui import ui

from tuneloop.core.i18n import t
from tuneloop.core.progress import format_duration
from tuneloop.evaluation.names import decimals, metric_name
from tuneloop.experiments.run_words import best_text, state_name
from tuneloop.studio.charts import draw, lines, redraw
from tuneloop.studio.pages.runs_jobs import job_at, jobs_about, run_arguments
from tuneloop.studio.pages.runs_parts import configuration, environment, evaluation
from tuneloop.studio.tables import table
from tuneloop.studio.view import View, facts, heading, link
from tuneloop.training.curves import DEV, Curves, Points, curves_of
from tuneloop.training.run import Run, open_run
from tuneloop.training.runs import FINISHED, STOPPED, WORKING, RunRow, row_of, stop

REFRESH_S = 1.5
NUMBERS = 50
"""Evaluations in the table below the curves, the newest."""


@dataclass(frozen=True)
class Now:
    """What the page shows of a moment, read beside the event loop."""

    row: RunRow
    curves: dict[str, Points]
    seconds_left: float | None
    size_bytes: int
    evaluated_ns: int
    metric: str
    figures: tuple[str, ...]
    jobs: tuple[tuple[str, str], ...]

    @property
    def signature(self) -> tuple[object, ...]:
        """What, when it is another, needs more than the curves to be drawn again."""
        return self.row.state, self.row.pid, self.evaluated_ns, self.jobs


def read(view: View, name: str, figure: str) -> Now:
    """The run as it stands.

    Args:
        figure: the dev figure to show; that by which weights are chosen where it is empty.

    Raises:
        TrainingError: if there is no such run.
    """
    run = open_run(name, view.studio.workspace)
    row, found = row_of(run), curves_of(run.path)
    found.read(worker=row.pid)
    figures = tuple(each.removeprefix(DEV) for each in found.names if each.startswith(DEV))
    metric = figure if figure in figures else row.metric or next(iter(figures), "")
    names = {"loss": "loss", "dev": DEV + metric, "rate": "learning_rate"}
    curves = {key: found.points(each) for key, each in names.items()}
    jobs = tuple((job.id, job.state) for job in view.studio.jobs.all() if name in job.arguments)
    return Now(
        row, curves, _left(row, found), _size(run), _changed(run.path / "evaluation.json"), metric, figures, jobs
    )


def _left(row: RunRow, found: Curves) -> float | None:
    _, planned = row.steps
    return found.seconds_left(planned) if planned and row.state == WORKING else None


def _size(run: Run) -> int:
    folder = run.model_path
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else 0


def _changed(path: Path) -> int:
    return path.stat().st_mtime_ns if path.is_file() else 0


async def one(view: View) -> None:
    """The page of a run."""
    name, figure = view.parts["name"], view.query.get("figure", "")
    now = await view.thread(read, view, name, figure)
    heading(name)
    status = ui.element("div")
    charts = _Charts(now)

    @ui.refreshable
    async def body() -> None:
        await _body(view, now)

    async def choose(event: Any) -> None:
        nonlocal figure
        figure = event.value
        await look()

    async def look() -> None:
        nonlocal now
        before = now
        now = await view.thread(read, view, name, figure)
        progress.show(now)
        charts.show(now)
        if now.signature != before.signature:
            actions.refresh()
            body.refresh()

    @ui.refreshable
    def actions() -> None:
        _actions(view, now)

    with status:
        progress = _Progress(now)
        actions()
    charts.build(now, choose)
    await body()
    ui.timer(REFRESH_S, look)


class _Progress:
    """How far it is, in a line and a bar that change in their place."""

    def __init__(self, now: Now) -> None:
        self.line = ui.label().props("role=status").classes("run-state")
        self.bar = ui.linear_progress(0, show_value=False, size="8px")
        self.bar.props["aria-label"] = t("Progress of the run")
        self.show(now)

    def show(self, now: Now) -> None:
        self.line.set_text(_how_far(now))
        done, planned = now.row.steps
        self.bar.set_visibility(bool(planned) and now.row.state != FINISHED)
        self.bar.set_value(done / planned if planned else 0)


def _how_far(now: Now) -> str:
    row = now.row
    done, planned = row.steps
    parts = [state_name(row)]
    if row.state == FINISHED:
        parts.append(t("{steps} steps", steps=f"{done:,}"))
    elif planned:
        parts.append(t("step {done} of {total}", done=f"{done:,}", total=f"{planned:,}"))
    if now.seconds_left is not None:
        parts.append(t("about {time} left", time=format_duration(now.seconds_left)))
    elif row.state == WORKING and planned:
        parts.append(t("the time left is being measured"))
    if best := best_text(row):
        parts.append(t("best on dev: {figure}", figure=best))
    return " · ".join(parts)


class _Charts:
    """Loss, the dev figure and the learning rate; new points come into the same charts."""

    def __init__(self, now: Now) -> None:
        self.drawn: dict[str, ui.echart] = {}
        self.titles: dict[str, ui.label] = {}
        self.known: dict[str, Points] = {}
        self.metric = now.metric

    def build(self, now: Now, choose: Any) -> None:
        heading(t("Curves"))
        self.which = ui.refreshable(_which)
        self.which(now, choose)
        with ui.element("div").classes("grid charts"):
            for key, title in self._titles(now).items():
                with ui.element("div"):
                    with ui.element("h3"):
                        self.titles[key] = ui.label(title)
                    points = {title: now.curves[key]}
                    self.drawn[key] = draw(lines(points, x=t("step"), y=""), self._said(title, now.curves[key]))
        self.known, self.choose, self.figures = dict(now.curves), choose, now.figures
        with ui.expansion(t("The numbers"), icon="table_rows"):
            self.numbers = ui.refreshable(_numbers)
            self.numbers(now)

    def _titles(self, now: Now) -> dict[str, str]:
        return {
            "loss": t("Loss of each step"),
            "dev": t("{figure} on dev", figure=metric_name(now.metric)) if now.metric else t("Figure on dev"),
            "rate": t("Learning rate"),
        }

    def _said(self, title: str, points: Points) -> str:
        last = (
            t("last {value} at step {step}", value=f"{points[-1][1]:.4g}", step=points[-1][0])
            if points
            else t("none yet")
        )
        return f"{title}: {last}"

    def show(self, now: Now) -> None:
        for key, title in self._titles(now).items():
            if now.curves[key] != self.known.get(key) or now.metric != self.metric:
                redraw(self.drawn[key], {title: now.curves[key]})
                self.titles[key].set_text(title)
                self.drawn[key].props["aria-label"] = self._said(title, now.curves[key])
        if now.curves["dev"] != self.known.get("dev") or now.metric != self.metric:
            self.numbers.refresh(now)
        if now.figures != self.figures:  # the first evaluation has come
            self.which.refresh(now, self.choose)
        self.known, self.metric, self.figures = dict(now.curves), now.metric, now.figures


def _which(now: Now, choose: Any) -> None:
    """Which of the figures on dev is shown, where there are several."""
    if len(now.figures) > 1:
        names = {each: metric_name(each) for each in now.figures}
        ui.select(names, label=t("Figure on dev"), value=now.metric, on_change=choose).props("dense outlined")


def _numbers(now: Now) -> None:
    """The evaluations on dev as a table, the newest first."""
    rows = [[f"{step:,}", decimals(value)] for step, value in reversed(now.curves["dev"][-NUMBERS:])]
    table([t("step"), metric_name(now.metric)], rows, name=t("Figures on dev"), numbers=(0, 1))


def _actions(view: View, now: Now) -> None:
    """The buttons, and the same as commands."""
    row, name = now.row, now.row.id
    job = job_at(view, row)
    resume = [*run_arguments(view, row.run), "--resume", "--run", name]
    evaluate, release = (view.studio.arguments(word, name) for word in ("evaluate", "release"))
    workspace = f', workspace="{view.studio.workspace.root}"' if view.studio.root else ""

    def stop_now() -> None:
        view.studio.jobs.stop(job.id) if job else stop(row.run)
        ui.notify(t("It stops after the step that it is at, and can go on later."), type="positive")

    def button(text: str, icon: str, arguments: list[str]) -> None:
        ui.button(text, icon=icon, on_click=view.act(lambda: _start(view, arguments)))

    with ui.element("div").classes("row"):
        if row.state == WORKING:
            ui.button(t("Stop"), icon="stop", on_click=view.act(stop_now))
        elif row.state == STOPPED:
            button(t("Resume"), "play_arrow", resume)
        else:
            button(t("Evaluate"), "fact_check", evaluate)
            button(t("Release"), "inventory_2", release)
        ui.button(
            t("Compare"), icon="compare_arrows", on_click=lambda: ui.navigate.to("/runs/compare?runs=" + name)
        ).props("flat")
    _at_work(view, row, job)
    if row.state == WORKING:
        view.same(view.studio.arguments("runs", "stop", name), f'tl.stop_run("{name}"{workspace})', action=t("Stop"))
    elif row.state == STOPPED:
        view.same(resume, f'run = tl.tune("{resume[1]}", resume="{name}")', action=t("Resume"))
    else:
        view.same(evaluate, f'figures = tl.evaluate("{name}"{workspace})', action=t("Evaluate"))
        view.same(release, f'release = tl.release("{name}"{workspace})', action=t("Release"))


def _start(view: View, arguments: list[str]) -> None:
    job = view.start(arguments)
    ui.navigate.to(f"/jobs/{job.id}", new_tab=False) if arguments[0] == "release" else ui.navigate.reload()


def _at_work(view: View, row: RunRow, job: Any) -> None:
    """What works on it, and what did before."""
    for each in [job] if job else []:
        with ui.element("div").classes("row"):
            ui.label(t("Trained by"))
            link(each.command, f"/jobs/{each.id}").classes("code")
    if row.state == WORKING and job is None:
        known = (
            t("It was started outside the studio, as process {pid}.", pid=row.pid)
            if row.pid
            else t("It was started outside the studio.")
        )
        ui.label(known).classes("muted")
    jobs_about(view, row)


async def _body(view: View, now: Now) -> None:
    row, info = now.row, now.row.run.info
    model = info.get("model", {})
    heading(t("What it is"))
    settings = row.settings
    training = settings.get("training", {})
    known = {
        t("method"): row.method, t("why"): info.get("chosen", {}).get("why", ""),
        t("epochs"): _short(training.get("epochs")), t("learning rate"): _short(training.get("learning_rate")),
        t("batch size"): training.get("batch_size"), t("seed"): row.seed, t("data"): row.data,
        t("pretrained model"): model.get("source"), t("parameters"): _parameters(model),
        t("best on dev"): best_text(row), t("best step"): info.get("best_step"),
        t("started"): str(info.get("started", ""))[:19].replace("T", " "),
        t("time of the steps"): format_duration(info["steps_s"]) if info.get("steps_s") else None,
        t("training texts per second"): f"{info['samples_per_s']:.1f}" if info.get("samples_per_s") else None,
        t("share of the machine's best"): f"{info['flops_share']:.0%}" if info.get("flops_share") else None,
        t("peak memory"): f"{info['peak_memory_bytes'] / 2**30:.2f} GiB" if info.get("peak_memory_bytes") else None,
        t("size of the model on disk"): f"{now.size_bytes / 1e6:,.1f} MB" if now.size_bytes else None,
        t("folder"): os.path.relpath(row.run.path, view.studio.base),
    }  # fmt: skip
    facts({name: value for name, value in known.items() if value not in (None, "")})
    await evaluation(view, row)
    configuration(row)
    environment(info)


def _parameters(model: dict[str, Any]) -> str | None:
    if not model.get("parameters"):
        return None
    total, trained = model["parameters"], model["trained_parameters"]
    return t(
        "{total}, of which {trained} are trained ({share})",
        total=f"{total:,}",
        trained=f"{trained:,}",
        share=f"{trained / total:.1%}",
    )


def _short(value: Any) -> str | None:
    return f"{value:g}" if isinstance(value, int | float) else None
