"""A new run: the project's configuration with its commonest settings as a form, its cost told before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nicegui import ui

from tuneloop.core.i18n import t
from tuneloop.core.project import open_project
from tuneloop.methods.catalogue import catalogue
from tuneloop.studio.jobs import Job
from tuneloop.studio.pages.jobs import watched
from tuneloop.studio.pages.runs_jobs import run_of
from tuneloop.studio.view import View, heading, nothing

REFRESH_S = 1.5
NUMBERS = ("training.epochs", "training.learning_rate", "training.batch_size", "seed")
WHOLE = ("training.batch_size", "seed")


async def new(view: View) -> None:
    """The form, and what was started from it."""
    project = await view.thread(lambda: view.studio.project)
    if project is None:
        nothing(t("There is no tuneloop.yaml here yet."), t("Write one with: tuneloop init YOUR_DATA.csv"))
        return
    usual = _usual(project.config)
    waiting = ui.label(t("The methods are being read …")).props("role=status")
    methods = await view.thread(catalogue, task=project.config.task.type)
    waiting.delete()
    given = dict(usual)
    ui.label(t("Everything else is as tuneloop.yaml says.")).classes("muted")

    @ui.refreshable
    def commands() -> None:
        changed = changes(given, usual)
        view.same(tune_arguments(view, changed), _python(view, changed))

    def take(name: str, value: Any) -> None:
        given[name] = value
        commands.refresh()

    _form(given, methods, take)
    with ui.element("div").classes("row"):
        cost, start = t("What would it cost?"), t("Start")
        ui.button(cost, icon="calculate", on_click=view.act(lambda: _start(view, given, usual, dry=True))).props(
            "outline"
        )
        ui.button(start, icon="play_arrow", on_click=view.act(lambda: _start(view, given, usual, dry=False)))
    commands()
    _newest(view)


def _usual(config: Any) -> dict[str, Any]:
    training = config.training
    values = (training.epochs, training.learning_rate, training.batch_size, config.seed)
    return {"method": config.method.asked or config.method.type, **dict(zip(NUMBERS, values, strict=True))}


def _form(given: dict[str, Any], methods: list[dict[str, Any]], take: Any) -> None:
    titles = {
        "training.epochs": t("Epochs"),
        "training.learning_rate": t("Learning rate"),
        "training.batch_size": t("Batch size"),
        "seed": t("Seed"),
    }
    names = sorted({each["name"] for each in methods} | {given["method"]})
    summaries = {each["name"]: each["summary"] for each in methods}
    with ui.element("div").classes("grid"):
        with ui.element("div"):
            chosen = ui.select(names, label=t("Method"), value=given["method"], with_input=True).props("outlined")
            about = ui.label(summaries.get(given["method"], "")).classes("muted")
            chosen.on_value_change(
                lambda event: (take("method", event.value), about.set_text(summaries.get(event.value, "")))
            )
        for name, title in titles.items():
            field = ui.number(label=title, value=given[name], min=0).props("outlined step=any")
            field.on_value_change(lambda event, name=name: take(name, event.value))


def changes(given: Mapping[str, Any], usual: Mapping[str, Any]) -> dict[str, Any]:
    """What is not as the project has it; an emptied field is as the project has it."""
    found = {name: value for name, value in given.items() if value not in (None, "") and value != usual[name]}
    return {name: int(value) if name in WHOLE and float(value).is_integer() else value for name, value in found.items()}


def tune_arguments(view: View, changed: Mapping[str, Any], *, dry: bool = False) -> list[str]:
    """The command for these settings on top of the project's."""
    overrides = [word for name, value in changed.items() for word in ("--set", f"{name}={_plain(value)}")]
    return [*view.studio.arguments("tune", config=True), *(["--dry-run"] if dry else []), *overrides]


def _plain(value: Any) -> str:
    """A value as YAML reads it back: it takes 3e-05 for a text and 3.0e-05 for a number."""
    if isinstance(value, float):
        text = repr(value)
        return text if "e" not in text or "." in text.partition("e")[0] else text.replace("e", ".0e")
    return str(value)


def _python(view: View, changed: Mapping[str, Any]) -> str:
    name = view.studio.config.name
    if not changed:
        return f'run = tl.tune("{name}")'
    return f'run = tl.tune(tl.open_project("{name}", overrides={dict(changed)!r}))'


async def _start(view: View, given: Mapping[str, Any], usual: Mapping[str, Any], *, dry: bool) -> None:
    changed = changes(given, usual)
    await view.thread(open_project, view.studio.config, overrides=changed)  # a wrong value is told here
    view.start(tune_arguments(view, changed, dry=dry))
    ui.navigate.reload()


def _newest(view: View) -> None:
    """The newest job that trains or tells a cost, with its output; it stays through a reload and a restart."""
    job = next((each for each in view.studio.jobs.all() if each.arguments[:1] == ["tune"]), None)
    if job is None:
        return
    heading(t("Last started"))
    with ui.element("div").classes("row"):
        ui.label(job.command).classes("code")
        way = ui.link(t("Open its run"), "#")
    way.set_visibility(False)
    if "--dry-run" not in job.arguments:
        _follow(view, job, way)
    watched(view, job)


def _follow(view: View, job: Job, way: ui.link) -> None:
    """Show the way to the run as soon as there is one."""

    async def look() -> None:
        now = view.studio.jobs.open(job.id)
        if name := await view.thread(run_of, view, now):
            way.props["href"] = f"/runs/{name}"
            way.set_visibility(True)
        if name or not now.running:
            timer.cancel()

    timer = ui.timer(REFRESH_S, look)
