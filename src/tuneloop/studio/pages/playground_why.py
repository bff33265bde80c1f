"""What else there is to a prediction, asked for by a button: changed words, and training texts."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from nicegui import ui

from tuneloop.core.errors import TuneloopError
from tuneloop.core.i18n import t
from tuneloop.studio.pages.playground_answer import answer_text
from tuneloop.studio.tables import Cell, table
from tuneloop.studio.view import View, heading, problem

if TYPE_CHECKING:
    from tuneloop.data.examples import Input
    from tuneloop.explain.counterfactual import Counterfactuals
    from tuneloop.explain.influence import Influence, Influences
    from tuneloop.explain.nearest import Near, Nearest
    from tuneloop.tasks.base import Task

BUDGET = 500
"""Answers of the model that a search for changed words may take here."""
ROWS = 1000
"""Training rows that are read, at most."""
ANY = ""

Current = Callable[[], "Input | None"]
"""The input that stands in the fields; None while there is none."""


def more(view: View, name: str, task: Task, current: Current) -> list[ui.element]:
    """Changed words and training texts, for the tasks that have them; where they are shown."""
    from tuneloop.explain.counterfactual import TASKS

    places = [_changed_words(view, name, task, current)] if task.name in TASKS else []
    return [*places, _training_texts(view, name, current)] if task.layout == "whole" else places


def _changed_words(view: View, name: str, task: Task, current: Current) -> ui.element:
    heading(t("What would change the answer?"))
    options = {ANY: t("any other class"), **{label: label for label in task.labels}}
    with ui.element("div").classes("row"):
        wanted = ui.select(options, value=ANY, label=t("wanted answer")).classes("field").mark("wanted")
        button = ui.button(t("Find the fewest words"), icon="find_replace").mark("counterfactual")
    shown = ui.element("div").props("role=status").mark("counterfactual-found")

    def work(item: Input) -> Counterfactuals:
        answering = view.studio.opened(name)
        return answering.counterfactual(item, target=wanted.value or None, budget=BUDGET)

    def show(item: Input, found: Counterfactuals) -> None:
        _counterfactuals(found)
        words = ["--target", wanted.value] if wanted.value else []
        target = f", target={wanted.value!r}" if wanted.value else ""
        budget = ["--budget", str(BUDGET)]
        view.same(
            about(view, "counterfactual", name, item, *words, *budget),
            f"tl.api.counterfactual({name!r}, {item!r}{target}, budget={BUDGET}{view.studio.place})",
        )

    button.on_click(view.act(lambda: ask(view, current, shown, work, show)))
    return shown


def _counterfactuals(found: Counterfactuals) -> None:
    from tuneloop.explain.counterfactual import sentences

    first, *changes, last = sentences(found)
    ui.label(first)
    for sentence in changes:
        ui.label(sentence).classes("card")
    ui.label(last).classes("muted")


def _training_texts(view: View, name: str, current: Current) -> ui.element:
    heading(t("Which training texts is it like?"))
    said = t("The first time, the model reads up to {rows} training rows; other pages go on meanwhile.", rows=ROWS)
    ui.label(said).classes("muted")
    button = ui.button(t("Find them"), icon="manage_search").mark("evidence")
    shown = ui.element("div").props("role=status").mark("evidence-found")

    def work(item: Input) -> tuple[Nearest, Influences | None]:
        return view.studio.opened(name).evidence(item, rows=ROWS)

    def show(item: Input, found: tuple[Nearest, Influences | None]) -> None:
        _evidence(*found)
        view.same(
            about(view, "evidence", name, item, "--rows", str(ROWS)),
            f"tl.api.evidence({name!r}, {item!r}, rows={ROWS}{view.studio.place})",
        )

    button.on_click(view.act(lambda: ask(view, current, shown, work, show)))
    return shown


def _evidence(near: Nearest, influences: Influences | None) -> None:
    from tuneloop.explain.nearest import sentence

    rows: list[list[Cell]] = [
        [f"{each.similarity:.3f}", answer_text(each.label), _text(each), each.id] for each in near.rows
    ]
    table([t("similarity"), t("label"), t("text"), t("row")], rows, name=t("Nearest training rows"))
    ui.label(sentence(near)).classes("muted")
    if influences is None:
        return
    for title, some in (
        (t("Rows that speak for {label}", label=influences.label), influences.helpful),
        (t("Rows that speak against {label}", label=influences.label), influences.harmful),
    ):
        heading(title, 3)
        cells: list[list[Cell]] = [[f"{each.value:+.4f}", each.label, _text(each), each.id] for each in some]
        table([t("influence"), t("label"), t("text"), t("row")], cells, name=title)


def _text(row: Near | Influence) -> str:
    return row.text if row.pair is None else f"{row.text} | {row.pair}"


async def ask(
    view: View, current: Current, shown: ui.element, work: Callable[[Any], Any], show: Callable[[Any, Any], None]
) -> None:
    """`show` what `work` finds for the input in the fields; an error of ours stands in its place."""
    item = current()
    shown.clear()
    shown.classes(remove="stale")
    with shown:
        if item is None:
            ui.label(t("Type a text first."))
            return
        ui.spinner()
    try:
        found = await view.thread(work, item)
    except TuneloopError as error:
        found = error
    shown.clear()
    with shown:
        problem(found) if isinstance(found, TuneloopError) else show(item, found)


def about(view: View, command: str, name: str, item: Input, *words: str) -> list[str]:
    """A command on an input; the text stands behind --, as it may begin with a dash."""
    text, pair = (item, None) if isinstance(item, str) else item
    second = [] if pair is None else ["--pair", pair]
    return [*view.studio.arguments(command, name, *words, *second), "--", text]
