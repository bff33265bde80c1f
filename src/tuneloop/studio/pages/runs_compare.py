"""Several runs beside each other: curves in one chart, what differs, and which is really better."""

from __future__ import annotations

from collections.abc import Sequence

from nicegui import ui

from tuneloop.api import compare_runs
from tuneloop.core.i18n import t
from tuneloop.core.progress import format_duration
from tuneloop.evaluation.names import figure_text, metric_name
from tuneloop.experiments.run_words import best_text, difference_rows, state_name, verdicts
from tuneloop.releases.compare import side
from tuneloop.studio.charts import draw, lines, mark
from tuneloop.studio.tables import table
from tuneloop.studio.view import View, facts, heading, link, nothing
from tuneloop.training.curves import DEV, Points, curves_of
from tuneloop.training.run import open_run
from tuneloop.training.runs import RunRow, row_of, run_rows

MOST = 8
"""Runs in one comparison: more curves cannot be told apart."""
OFFERED = 200


async def compared(view: View) -> None:
    """The comparison of the runs in the address."""
    names = list(dict.fromkeys(name for name in view.query.get("runs", "").split(",") if name))[:MOST]
    rows = await view.thread(lambda: [row_of(open_run(name, view.studio.workspace)) for name in names])
    await _choose(view, names)
    if len(rows) < 2:
        nothing(t("Choose two runs or more."), t("What differs between them, and which is better, is shown here."))
        return
    await _curves(view, rows)
    heading(t("Figures"))
    table([t("figure"), *names], await view.thread(_figures, rows), name=t("Figures"))
    await _differences(view, names)
    view.same(
        view.studio.arguments("runs", "compare", *names),
        f"found = tl.compare_runs({names!r}"
        + (f', workspace="{view.studio.workspace.root}")' if view.studio.root else ")"),
    )


async def _choose(view: View, names: Sequence[str]) -> None:
    known = [row.id for row in (await view.thread(run_rows, view.studio.workspace))[:OFFERED]]
    offered = list(dict.fromkeys([*names, *known]))
    field = ui.select(offered, label=t("Runs"), value=list(names), multiple=True, with_input=True)
    field.props(f"outlined use-chips max-values={MOST}").classes("full")

    def go() -> None:
        ui.navigate.to("/runs/compare?runs=" + ",".join(field.value))

    with ui.element("div").classes("row"):
        ui.button(t("Compare"), icon="compare_arrows", on_click=go)


async def _curves(view: View, rows: Sequence[RunRow]) -> None:
    heading(t("Curves"))
    found = await view.thread(_read, rows)
    titles = {"loss": t("Loss of each step"), "dev": t("Figure on dev"), "rate": t("Learning rate")}
    with ui.element("div").classes("row"):
        for number, row in enumerate(rows):
            with ui.element("span").classes("key"):
                mark(number)
                link(row.id, f"/runs/{row.id}")
    with ui.element("div").classes("grid charts"):
        for key, title in titles.items():
            with ui.element("div"):
                heading(title, 3)
                last = (f"{name}: {points[-1][1]:.4g}" for name, points in found[key].items() if points)
                draw(lines(found[key], x=t("step"), y=""), f"{title}. {', '.join(last)}")


def _read(rows: Sequence[RunRow]) -> dict[str, dict[str, Points]]:
    found: dict[str, dict[str, Points]] = {"loss": {}, "dev": {}, "rate": {}}
    for row in rows:
        curves = curves_of(row.run.path)
        curves.read()
        for key, name in (("loss", "loss"), ("dev", DEV + row.metric), ("rate", "learning_rate")):
            found[key][row.id] = curves.points(name)
    return found


def _figures(rows: Sequence[RunRow]) -> list[list[str]]:
    """Of training, and with intervals of the test split where a run was evaluated."""
    info = [row.run.info for row in rows]
    sides = [side(row.run) for row in rows]
    metrics = dict.fromkeys(name for each in sides for name in each.metrics)
    parameters = [each.get("model", {}).get("trained_parameters") for each in info]
    return [
        [t("state"), *map(state_name, rows)],
        [t("method"), *(row.method for row in rows)],
        [t("best on dev"), *(best_text(row) or "-" for row in rows)],
        [t("time of the steps"), *(format_duration(each["steps_s"]) if each.get("steps_s") else "-" for each in info)],
        [t("trained parameters"), *("-" if each is None else f"{each:,}" for each in parameters)],
        *(
            [t("{figure} on test", figure=metric_name(name)), *(figure_text(each.metrics.get(name)) for each in sides)]
            for name in metrics
        ),
    ]


async def _differences(view: View, names: Sequence[str]) -> None:
    """The settings that differ and the paired tests, which take a moment."""
    place = ui.element("div")
    with place:
        ui.spinner(size="2em").props(f'aria-label="{t("Testing the differences")}"')
    found = await view.thread(compare_runs, names, workspace=view.studio.workspace.root)
    place.clear()
    with place:
        heading(t("Which is better?"))
        if found["best"]:
            facts({t("highest on test"): found["best"]})
        for sentence in verdicts(found):
            ui.label(sentence)
        heading(t("Settings and data that differ"))
        rows = [row for row in difference_rows({**found, "metrics": {}})]
        if rows:
            table(["", t("what"), *names], rows, name=t("Settings and data that differ"))
        else:
            ui.label(t("All settings and the data are the same."))
