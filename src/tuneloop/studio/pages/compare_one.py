"""One comparison or search: quality against cost, the front, and which one to take and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nicegui import ui

from tuneloop.core.i18n import t
from tuneloop.evaluation.names import decimals, metric_name, model_name
from tuneloop.experiments import search_page, words
from tuneloop.experiments.found import LABELS, Experiment, Point, cost_names, costs_of, open_experiment, points
from tuneloop.studio.charts import draw, mark, scatter
from tuneloop.studio.tables import Cell, table
from tuneloop.studio.view import View, heading, link, report

SPREAD = 20
"""How many times more the dearest may cost than the cheapest before costs are shown by their factors."""


@dataclass
class _Choice:
    """What is shown of an experiment in one tab; it also stands in the address."""

    experiment: Experiment
    cost: str
    budget: str

    @property
    def budgets(self) -> dict[str, Mapping[str, Any]]:
        return {str(each["budget"]): each for each in self.experiment.found.get("budgets", ())}

    @property
    def shown(self) -> Mapping[str, Any] | None:
        return None if self.cost == LABELS else self.budgets.get(self.budget)

    def address(self) -> str:
        return f"/compare/{self.experiment.id}?cost={self.cost}&budget={self.budget}"


async def one(view: View) -> None:
    """The page of a comparison or search."""
    experiment = await view.thread(open_experiment, view.parts["name"], view.studio.workspace)
    costs, found = costs_of(experiment), experiment.found
    budgets = [str(each["budget"]) for each in found.get("budgets", ())]
    cost, budget = view.query.get("cost", ""), view.query.get("budget", "")
    choice = _Choice(
        experiment, cost if cost in costs else costs[0], budget if budget in budgets else (budgets or [""])[-1]
    )
    heading(experiment.id)

    @ui.refreshable
    def picture() -> None:
        _advice(choice)
        _picture(choice)
        _table(choice)

    def choose(name: str, value: str) -> None:
        setattr(choice, name, value)
        ui.navigate.history.replace(choice.address())
        picture.refresh()

    with ui.element("div").classes("row"):
        if len(costs) > 1:
            names = {name: cost_names()[name] for name in costs}
            field = ui.select(names, label=t("Cost"), value=choice.cost).props("outlined dense")
            field.on_value_change(lambda event: choose("cost", event.value))
        if len(budgets) > 1:
            named = {
                str(each["budget"]): words.budget_name(each["budget"], classes=found["classes"])
                for each in found["budgets"]
            }
            field = ui.select(named, label=t("Labels"), value=choice.budget).props("outlined dense")
            field.on_value_change(lambda event: choose("budget", event.value))
    picture()
    _missing(found)
    _report(experiment)
    _same(view, experiment)


def _advice(choice: _Choice) -> None:
    """What to take, with the reason."""
    found = choice.experiment.found
    if choice.experiment.kind == "search":
        said = [search_page.outcome(found)]
    else:
        shown = [choice.shown] if choice.shown else list(choice.budgets.values())
        said = [words.recommendation(found, each) for each in shown]
    with ui.element("div").classes("card good"):
        for sentence in said:
            ui.label(sentence)
        if choice.experiment.kind == "search":
            run = found["best"]["run"]
            link(t("Open its run"), f"/runs/{run}")


def _picture(choice: _Choice) -> None:
    found = points(choice.experiment, cost=choice.cost, budget=choice.shown)
    metric = metric_name(choice.experiment.found["metric"])
    heading(t("What quality costs"))
    costs = [each.cost for each in found if each.cost > 0]
    log = len(costs) == len(found) > 1 and max(costs) > SPREAD * min(costs)
    named = [(_name(choice, each), each) for each in found]
    ringed = {name for name, each in named if each.take}
    front = sorted((each.cost, each.value) for _, each in named if each.front)
    options = scatter(
        {name: (each.cost, each.value, each.low, each.high) for name, each in named},
        front=front, ringed=ringed, x=cost_names()[choice.cost], y=metric, log=log,
    )  # fmt: skip
    best = ", ".join(name for name, each in named if each.front)
    draw(
        options,
        t("{metric} against {cost}; on the front: {names}", metric=metric, cost=cost_names()[choice.cost], names=best),
    )
    with ui.element("div").classes("row"):
        for number, (name, each) in enumerate(named):
            with ui.element("span").classes("key"):
                mark(number)
                ui.label(name).classes("strong" if each.take else "")
    ui.label(
        t("Higher is better, further left is cheaper. The line joins those that no other beats at no higher cost (the "
          "Pareto front); the ring is what to take; upright lines are 95 % intervals.")
    ).classes("muted")  # fmt: skip


def _name(choice: _Choice, point: Point) -> str:
    return t("trial {number}", number=point.label) if choice.experiment.kind == "search" else model_name(point.label)


def _table(choice: _Choice) -> None:
    """The points as a table, then all that is known of the methods or trials."""
    found = points(choice.experiment, cost=choice.cost, budget=choice.shown)
    metric = metric_name(choice.experiment.found["metric"])
    headers = [t("name"), metric, t("95 % interval"), cost_names()[choice.cost], ""]
    table(headers, [_cells(choice, number, each) for number, each in enumerate(found)], name=t("What quality costs"))
    kept = choice.experiment.found
    if choice.experiment.kind == "search":
        heading(t("Trials"))
        table(search_page.headers(kept), search_page.rows(kept), name=t("Trials"))
    for each in [choice.shown] if choice.shown else list(choice.budgets.values()):
        heading(words.budget_name(each["budget"], classes=kept["classes"]))
        table(words.headers(kept["metric"]), words.rows(each), name=t("Methods"))


def _cells(choice: _Choice, number: int, point: Point) -> list[Cell]:
    def name() -> None:
        with ui.element("span").classes("key"):
            mark(number)
            ui.label(_name(choice, point)).classes("strong" if point.take else "")

    interval = "-" if point.low is None else f"{decimals(point.low)} – {decimals(point.high)}"
    said = [t("take it")] * point.take + [t("on the front")] * point.front
    return [name, decimals(point.value), interval, f"{point.cost:,.4g}", ", ".join(said)]


def _missing(found: Mapping[str, Any]) -> None:
    """What is not in the table, and why."""
    missing: Sequence[tuple[str, str]] = [*found.get("refused", {}).items(), *found.get("failed", {}).items()]
    for method, why in missing:
        ui.label(t("Not in the table: {method}. {why}", method=method, why=why)).classes("muted")


def _report(experiment: Experiment) -> None:
    if not (experiment.path / "report.html").is_file():
        return
    path = f"/report/{experiment.kind}/{experiment.id}"
    heading(t("The whole report"))
    ui.link(t("Open it in a window of its own"), path, new_tab=True)
    with ui.expansion(t("Show it here"), icon="description").classes("full"):
        report(t("Report of {name}", name=experiment.id), path)


def _same(view: View, experiment: Experiment) -> None:
    word, part = ("compare", "recommendations") if experiment.kind == "comparison" else ("search", "best")
    python = f'found = tl.{word}("{view.studio.config.name}")\nprint(found["{part}"])'
    view.same(view.studio.arguments(word, config=True), python)
