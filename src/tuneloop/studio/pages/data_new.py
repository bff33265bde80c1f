"""A project's beginning: which file, what it seems to be, and the configuration written for it."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from nicegui import ui

from tuneloop import api
from tuneloop.core.errors import DataError
from tuneloop.core.i18n import t
from tuneloop.data.guess import guess
from tuneloop.data.readers import READERS, SUFFIXES
from tuneloop.data.readers.samples import SAMPLE_PREFIX, SAMPLES
from tuneloop.studio.view import View, facts, heading

if TYPE_CHECKING:
    from tuneloop.data.guess import Guess

MANY = 24
"""Files that are offered, at most; others are typed."""


def form(view: View) -> None:
    """Ask for the data, show what is guessed of it, and write the configuration on demand."""
    ui.label(t("There is no configuration here yet. Name a data file of this folder, or a sample.")).classes("text")
    source = ui.input(t("Data file, or sample:NAME")).classes("wider").mark("source")
    with ui.element("div").classes("row").props("role=group") as offered:
        offered.props["aria-label"] = t("Files of this folder, and samples")
        for name in offers(view.studio.base):
            ui.button(name, on_click=lambda _, name=name: source.set_value(name)).props("outline dense no-caps")
    ui.button(t("Look at it"), icon="search", on_click=view.act(lambda: look())).mark("look")
    place = ui.element("div").props("role=status")

    async def look() -> None:
        asked = inside(source.value or "", view.studio.base)
        place.clear()
        found = await view.thread(guess, asked, base=view.studio.base)
        with place:
            _guessed(view, asked, found)


def _guessed(view: View, source: str, found: Guess) -> None:
    async def write() -> None:
        await view.thread(api.init, source, path=view.studio.config, base=view.studio.base)
        ui.navigate.to("/data")

    heading(t("What it seems to be"))
    columns = {name: value for name, value in found.columns.to_json().items() if value is not None}
    facts(
        {t("Task"): found.task, t("Name"): found.name, t("Columns"): ", ".join(f"{k}: {v}" for k, v in columns.items())}
    )
    with ui.element("ul"):
        for reason in found.reasons:
            with ui.element("li"):
                ui.label(reason)
    ui.label(t("Everything can be changed in {file} afterwards.", file=view.studio.config.name)).classes("muted")
    ui.button(t("Write {file}", file=view.studio.config.name), icon="save", on_click=view.act(write)).mark("write")
    output = [] if view.studio.config.name == "tuneloop.yaml" else ["--output", view.studio.config.name]
    view.same(["init", source, *output], f"tl.init({source!r})")


def inside(source: str, base: Path) -> str:
    """A source as a configuration names it, if it lies in the project's folder or is a sample.

    Raises:
        DataError: if it is neither.
    """
    source = source.strip()
    if not source:
        raise DataError(t("No file is named."), t("Name a data file of this folder, or a sample."))
    if source.startswith(SAMPLE_PREFIX):
        return source
    path = (base / source).resolve()
    if not path.is_relative_to(base.resolve()) or path == base.resolve():
        raise DataError(
            t("{name} does not lie in the folder of this project.", name=source[:200]),
            t("Copy the file there; the command line takes files of other folders too."),
        )
    return path.relative_to(base.resolve()).as_posix()


def offers(base: Path) -> list[str]:
    """Files that look like data, then the samples that are installed."""
    known = {f".{name}" for name in READERS.names()} | set(SUFFIXES)
    try:
        files = sorted(path.name for path in base.iterdir() if path.suffix.lower() in known and path.is_file())
    except OSError:
        files = []
    samples = [f"{SAMPLE_PREFIX}{name}" for name, sample in SAMPLES.items() if find_spec(sample.package)]
    return [name for name in files if not name.startswith(".")][:MANY] + samples
