"""A new comparison or search: the project's own sections with their commonest settings as a form."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from nicegui import ui

from tuneloop.core.i18n import t
from tuneloop.core.project import open_project
from tuneloop.experiments.jobs import name_of
from tuneloop.experiments.words import values
from tuneloop.methods.catalogue import catalogue
from tuneloop.studio.tables import table
from tuneloop.studio.view import View, heading, nothing


async def new(view: View) -> None:
    """Two forms, one below the other."""
    project = await view.thread(lambda: view.studio.project)
    if project is None:
        nothing(t("There is no tuneloop.yaml here yet."), t("Write one with: tuneloop init YOUR_DATA.csv"))
        return
    waiting = ui.label(t("The methods are being read …")).props("role=status")
    methods = await view.thread(catalogue, task=project.config.task.type)
    waiting.delete()
    _comparison(view, project.config, [each["name"] for each in methods])
    _search(view, project.config)


def _comparison(view: View, config: Any, known: list[str]) -> None:
    section = config.comparison
    usual: dict[str, Any] = {
        "methods": [name_of(each) for each in section.methods],
        "seeds": ",".join(map(str, section.seeds)),
        "budgets": ",".join(map(str, section.budgets)),
    }
    given = dict(usual)
    heading(t("Compare methods"))
    ui.label(t("Each method is trained with each seed on each number of labels; all are judged on the same rows."))
    commands = _Commands(view, "compare", lambda: compare_words(given, usual))
    offered = list(dict.fromkeys([*usual["methods"], *sorted(known)]))
    with ui.element("div").classes("grid"):
        chosen = ui.select(offered, label=t("Methods"), value=usual["methods"], multiple=True)
        _field(chosen.props("outlined use-chips"), given, "methods", commands)
        seeds = ui.input(label=t("Seeds, with commas between"), value=usual["seeds"])
        _field(seeds.props("outlined"), given, "seeds", commands)
        hint = t("Labels of each class, such as 8,32,all")
        _field(ui.input(label=hint, value=usual["budgets"]).props("outlined"), given, "budgets", commands)
    commands.build(t("Compare"))


def _search(view: View, config: Any) -> None:
    section = config.search
    usual = {"trials": section.trials}
    given = dict(usual)
    heading(t("Search for settings"))
    ui.label(t("Trials try values of these settings; what is behind is given up, the best becomes a run."))
    rows = [[name, _axis(axis)] for name, axis in section.space.items()]
    table([t("setting"), t("values")], rows, name=t("Settings that are searched"))
    ui.label(t("Other settings and values are written in the section search of tuneloop.yaml.")).classes("muted")
    commands = _Commands(view, "search", lambda: search_words(given, usual))
    with ui.element("div").classes("grid"):
        _field(ui.number(label=t("Trials"), value=section.trials, min=1, precision=0).props("outlined"),
               given, "trials", commands)  # fmt: skip
    commands.build(t("Search"))


def _axis(axis: Any) -> str:
    if axis.choices:
        return ", ".join(map(str, axis.choices))
    steps = (
        t(", by factors") if axis.log else "" if axis.step is None else t(", in steps of {step}", step=f"{axis.step:g}")
    )
    return f"{axis.low:g} – {axis.high:g}{steps}"


def _field(field: Any, given: dict[str, Any], name: str, commands: _Commands) -> None:
    def take(event: Any) -> None:
        given[name] = event.value
        commands.shown.refresh()

    field.on_value_change(take)


def compare_words(given: Mapping[str, Any], usual: Mapping[str, Any]) -> list[str]:
    """The options of `tuneloop compare` for what is not as the project has it."""
    texts = {name: ",".join(value) if isinstance(value, list) else str(value or "") for name, value in given.items()}
    same = {name: ",".join(value) if isinstance(value, list) else str(value) for name, value in usual.items()}
    return [
        word
        for name, text in texts.items()
        if text.replace(" ", "") not in ("", same[name])
        for word in (f"--{name}", text.replace(" ", ""))
    ]


def search_words(given: Mapping[str, Any], usual: Mapping[str, Any]) -> list[str]:
    """The options of `tuneloop search` for what is not as the project has it."""
    trials = int(given["trials"] or usual["trials"])
    return [] if trials == usual["trials"] else ["--trials", str(trials)]


class _Commands:
    """The button that starts a command, and the same to copy."""

    def __init__(self, view: View, command: str, options: Callable[[], list[str]]) -> None:
        self.view, self.command, self.options = view, command, options
        self.shown = ui.refreshable(self._same)

    @property
    def arguments(self) -> list[str]:
        return [*self.view.studio.arguments(self.command, config=True), *self.options()]

    def build(self, name: str) -> None:
        with ui.element("div").classes("row"):
            ui.button(name, icon="play_arrow", on_click=self.view.act(self._start))
        self.name = name
        self.shown()

    def _overrides(self) -> dict[str, Any]:
        words = self.options()
        pairs = dict(zip(words[::2], words[1::2], strict=True))
        if self.command == "search":
            return {f"search.{key[2:]}": int(text) for key, text in pairs.items()}
        return {f"comparison.{key[2:]}": values(text) for key, text in pairs.items()}

    def _same(self) -> None:
        name, changed = self.view.studio.config.name, self._overrides()
        project = f'tl.open_project("{name}", overrides={changed!r})' if changed else f'"{name}"'
        self.view.same(self.arguments, f"found = tl.{self.command}({project})", action=self.name)

    async def _start(self) -> None:
        await self.view.thread(open_project, self.view.studio.config, overrides=self._overrides())
        self.view.start(self.arguments)
        ui.navigate.to("/compare")
