"""What can be done with releases: make one of a run, measure it on another file, copy it out."""

from __future__ import annotations

from contextlib import suppress

from nicegui import ui

from tuneloop.core.errors import TuneloopError
from tuneloop.core.i18n import t
from tuneloop.core.paths import check_id
from tuneloop.releases.read import Release
from tuneloop.studio.files import data_files
from tuneloop.studio.pages.release_files import begin
from tuneloop.studio.view import View, heading
from tuneloop.training.run import open_run

EXPORTS = "exports"
"""The folder of the project that copies of releases go into."""


def make_release(view: View, released: set[str]) -> None:
    """A form that makes a release of a finished run.

    Args:
        released: runs of which there is a release already.
    """
    with ui.expansion(t("Make a release of a finished run"), icon="add").classes("same"):
        runs = finished_runs(view, released)
        if not runs:
            ui.label(t("Every finished run has a release, or no run is finished yet.")).classes("muted")
            return
        chosen = ui.select(runs, value=runs[0], label=t("run")).classes("field").mark("run")

        @ui.refreshable
        def same() -> None:
            arguments = view.studio.arguments("release", chosen.value)
            go = view.act(lambda: begin(view, arguments))
            ui.button(t("Make the release"), icon="inventory_2", on_click=go).mark("make-release")
            view.same(arguments, f"tl.release({chosen.value!r}{view.studio.place})")

        same()
        chosen.on_value_change(same.refresh)


def finished_runs(view: View, released: set[str]) -> list[str]:
    """Finished runs without a release, the newest first."""
    found = []
    for path in sorted(view.studio.workspace.runs.glob("*/run.json"), key=lambda each: -each.stat().st_mtime_ns):
        with suppress(TuneloopError):
            run = open_run(path.parent.name, view.studio.workspace)
            if run.status == "finished" and run.id not in released:
                found.append(run.id)
    return found


def act_on(view: View, release: Release) -> None:
    """Forms for one release."""
    heading(t("Measure it on another file"))
    _measure(view, release)
    heading(t("Copy it out"))
    _copy(view, release)


def _measure(view: View, release: Release) -> None:
    files = data_files(view.studio.base)
    if not files:
        ui.label(t("There is no data file in the folder of the project.")).classes("muted")
        return
    ui.label(t("The file needs the columns of the data that the release was made of, with labels.")).classes("muted")
    chosen = ui.select(files, value=files[0], label=t("labelled file")).classes("field").mark("file")

    @ui.refreshable
    def same() -> None:
        name = f"./{chosen.value}" if chosen.value.startswith("-") else chosen.value
        arguments = view.studio.arguments("evaluate", release.id, "--data", name)
        ui.button(t("Measure"), icon="speed", on_click=view.act(lambda: begin(view, arguments))).mark("measure")
        python = f"from pathlib import Path\ntl.evaluate({release.id!r}, data=Path({name!r}){view.studio.place})"
        view.same(arguments, python)

    same()
    chosen.on_value_change(same.refresh)


def _copy(view: View, release: Release) -> None:
    said = t("Every file is checked, and goes into a new folder in {folder}/ of the project.", folder=EXPORTS)
    ui.label(said).classes("muted")
    name = (
        ui.input(t("Name of the folder"), value=release.id).props("maxlength=64").classes("field").mark("export-name")
    )

    def arguments() -> list[str]:
        return view.studio.arguments("releases", "export", release.id, f"{EXPORTS}/{check_id(name.value or '')}")

    ui.button(t("Copy"), icon="drive_file_move", on_click=view.act(lambda: begin(view, arguments()))).mark("export")
    target = f"{EXPORTS}/{release.id}"
    view.same(
        view.studio.arguments("releases", "export", release.id, target),
        f"from pathlib import Path\ntl.api.export({release.id!r}, Path({target!r}){view.studio.place})",
    )
