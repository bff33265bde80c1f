"""A form for `tuneloop update`: new rows, feedback, what is tried."""

from __future__ import annotations

from typing import Any, get_args

from nicegui import ui

from tuneloop.core.i18n import t
from tuneloop.core.updating import Step
from tuneloop.studio.files import data_files
from tuneloop.studio.jobs import Job
from tuneloop.studio.pages.jobs import watched
from tuneloop.studio.view import View, heading, link

STEPS = get_args(Step)


class UpdateForm:
    """The options of the command line, and the job that they became.

    Args:
        view: the page.
        name: of the model.
        releases: its releases, the newest first.
    """

    def __init__(self, view: View, name: str, releases: list[str]) -> None:
        self._view, self._name = view, name
        heading(t("Update it with new rows"))
        ui.label(t("Tries the cheapest step first and releases what is better for certain; a person decides the rest."))
        with ui.element("div").classes("row"):
            self._fields(releases)
        ui.button(t("Start tuneloop update"), icon="model_training", on_click=view.act(self._start)).mark(
            "update-start"
        )
        self._same = ui.element("div")
        self._job = ui.element("div")
        for each in self._inputs():
            each.on_value_change(self._draw_same)
        self._draw_same()
        last = next((job for job in view.studio.jobs.all() if job.arguments[:1] == ["update"]), None)
        if last is not None:
            self._show(last)

    def _fields(self, releases: list[str]) -> None:
        files = data_files(self._view.studio.base)
        usual = {self._name: t("{name}: the one that answers", name=self._name)}
        self._release = ui.select(usual | {each: each for each in releases}, value=self._name, label=t("Release"))
        self._files = ui.select(files, multiple=True, value=[], label=t("Files of new rows")).props("use-chips")
        self._steps = ui.select(list(STEPS), multiple=True, value=[], label=t("Steps (as configured)")).props(
            "use-chips"
        )
        self._store = ui.input(t("Store of events (usual)"), placeholder="postgresql://HOST/DATABASE")
        for each in (self._release, self._files, self._steps, self._store):
            each.classes("field")
        self._feedback = ui.switch(t("take feedback too"))
        self._config = ui.switch(t("settings of this project, not those of the release"))
        self._dry = ui.switch(t("only say what would be tried"))
        self._config.set_visibility(self._view.studio.config.is_file())

    def _inputs(self) -> tuple[Any, ...]:
        return self._release, self._files, self._steps, self._store, self._feedback, self._config, self._dry

    def arguments(self) -> list[str]:
        """The command line of what the form says."""
        words = ["update", self._release.value]
        for name in self._files.value:
            words += ["--data", name]
        words += ["--feedback"] if self._feedback.value else []
        words += ["--steps", ",".join(self._chosen_steps())] if self._steps.value else []
        words += ["--config", self._view.studio.config.name] if self._config.value else []
        words += ["--store", self._store.value] if self._store.value else []
        words += ["--dry-run"] if self._dry.value else []
        return self._view.studio.arguments(*words)

    def _chosen_steps(self) -> list[str]:
        return [step for step in STEPS if step in self._steps.value]

    def _python(self) -> str:
        studio = self._view.studio
        named = {
            "data": list(self._files.value), "feedback": self._feedback.value, "steps": self._chosen_steps(),
            "config": studio.config.name if self._config.value else "", "store": self._store.value,
            "workspace": "" if studio.root is None else str(studio.root.resolve()), "dry_run": self._dry.value,
        }  # fmt: skip
        more = "".join(f", {name}={value!r}" for name, value in named.items() if value)
        return f"decision = tl.update({self._release.value!r}{more})"

    def _start(self) -> None:
        self._show(self._view.start(self.arguments()))

    def _show(self, job: Job) -> None:
        self._job.clear()
        with self._job:
            link(job.command, f"/jobs/{job.id}").classes("code")
            watched(self._view, job)

    def _draw_same(self) -> None:
        self._same.clear()
        with self._same:
            self._view.same(self.arguments(), self._python())
