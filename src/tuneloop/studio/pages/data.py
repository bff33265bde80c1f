"""The data of the project: what a snapshot holds, what is suspicious about it, and corrections in place."""

from __future__ import annotations

from typing import Any

from nicegui import ui

from tuneloop.core.i18n import t
from tuneloop.core.paths import CONFIG_NAME
from tuneloop.core.project import Project
from tuneloop.data.check import CheckReport, summary_rows
from tuneloop.data.split import SPLITS
from tuneloop.studio.jobs import Job
from tuneloop.studio.pages import Route
from tuneloop.studio.pages.data_fix import Editor, corrections, suspects
from tuneloop.studio.pages.data_looked import Looked, look, plain_text
from tuneloop.studio.pages.data_new import form
from tuneloop.studio.pages.data_rows import cut, rows
from tuneloop.studio.pages.jobs import watched
from tuneloop.studio.tables import table
from tuneloop.studio.view import View, facts, heading, nothing

CHART_CLASSES = 30
TABLE_CLASSES = 100
COLOURS = ("#4269d0", "#efb118", "#3ca951")
INK = "#808488"


async def overview(view: View) -> None:
    """The page, or the form that makes a configuration."""
    project = view.studio.project
    if project is None:
        form(view)
        return
    running = next((job for job in view.studio.jobs.running() if job.arguments[:1] == ["check"]), None)
    if running:
        _follow(view, running)
    waiting = ui.label(t("Reading the data ...")).props("role=status")
    try:
        looked = await view.thread(look, view, project)
    finally:
        waiting.delete()
    if looked is None:
        _about(project)
        nothing(t("The data was not read yet."), t("Reading cleans it, splits it and looks for what is suspicious."))
        _check_button(view, t("Read and check the data"), started=running is not None)
        _same_check(view)
    else:
        await _show(looked, started=running is not None)


async def _show(looked: Looked, *, started: bool) -> None:
    names = list(looked.table.counts()) if looked.snapshot.labels else []  # else labels are texts or numbers
    editor = Editor(looked, list(looked.snapshot.labels))
    _about(looked.project, looked)
    _standing(looked, started=started)
    _same_check(looked.view)
    if looked.changed:
        _changed(looked)
    if looked.report:
        _problems(looked.report)
    _distribution(looked)
    if looked.report:
        _found(looked.report)
    suspects(looked, editor)
    await rows(looked, names, editor)
    corrections(looked)
    config = looked.view.studio.config.name
    other = [] if config == CONFIG_NAME else ["--config", config]
    named = "" if config == CONFIG_NAME else f", config={config!r}"
    looked.view.same(["correct", "label", "train", "12", "LABEL", *other], f"tl.correct('train', '12', 'LABEL'{named})")


def _same_check(view: View) -> None:
    view.same(view.studio.arguments("check", config=True), f"tl.check({view.studio.config.name!r})")


def _about(project: Project, looked: Looked | None = None) -> None:
    data = project.config.data
    known = {t("Project"): project.config.name, t("Source"): data.source, t("Task"): project.config.task.type}
    if looked:
        read = looked.snapshot.report["source"]
        known[t("Rows in the file")] = sum(each["rows"] for each in read.values())
        sizes = looked.snapshot.info["rows"]
        known[t("Splits")] = ", ".join(f"{split} {sizes[split]:,}" for split in SPLITS)
        known[t("Removed")] = _removed(looked.snapshot.report)
        known[t("Snapshot")] = f"{looked.snapshot.name}-{looked.snapshot.hash[:12]}"
    facts(known)


def _removed(report: dict[str, Any]) -> str:
    duplicates = report["duplicates"]
    told = t("{exact} duplicates, {near} near-duplicates, {conflicts} contradictions, {blank} blank",
             exact=duplicates["exact"], near=duplicates["near"], conflicts=duplicates["conflicts"],
             blank=report["cleaning"].get("blank", 0))  # fmt: skip
    corrected = report.get("corrections")
    if corrected:
        told += "; " + t("corrected: {changed} labels changed, {left_out} rows left out", changed=corrected["changed"],
                         left_out=corrected["left_out"])  # fmt: skip
    return told


def _standing(looked: Looked, *, started: bool) -> None:
    """Whether the snapshot is up to date, and the button that makes the new one."""

    @ui.refreshable
    def told() -> None:
        state = looked.state
        if looked.current and looked.report:
            ui.label(t("The snapshot is what the data, the settings and the corrections make.")).classes("good")
            return
        with ui.element("div").classes("card").mark("standing"):
            if state.pending or state.taken_back:
                text = t("{pending} corrections wait for a new snapshot; {back} were taken back.",
                         pending=len(state.pending), back=state.taken_back)  # fmt: skip
            elif looked.current:
                text = t("This snapshot was not checked yet.")
            else:
                text = t("The data or the settings have changed since this snapshot.")
            ui.label(text)
            name = t("Check the data") if looked.current else t("Make the new snapshot")
            _check_button(looked.view, name, started=started)

    with ui.element("div").props("role=status"):
        told()
    looked.redraw.append(told.refresh)
    unused = looked.snapshot.report.get("corrections", {}).get("unused", [])
    if unused:
        ui.label(t("These lines of {file} fit no row: {lines}", file=looked.project.config.data.corrections,
                   lines=", ".join(map(str, unused[:20])))).classes("muted")  # fmt: skip


def _check_button(view: View, name: str, *, started: bool) -> None:
    place = ui.element("div")

    def start() -> None:
        button.disable()
        job = view.start(view.studio.arguments("check", config=True))
        with place:
            _follow(view, job)

    button = ui.button(name, icon="fact_check", on_click=view.act(start)).mark("check")
    button.set_enabled(not started)


def _follow(view: View, job: Job) -> None:
    """What a check prints; when it has made its snapshot, the page shows that."""
    watched(view, job)

    def ended() -> None:
        now = view.studio.jobs.open(job.id)
        if now.running:
            return
        timer.cancel()
        # 2: the snapshot is there, and something is wrong with it
        if now.exit_code == 0 or (now.exit_code == 2 and "check.html" in now.output()):
            ui.navigate.to("/data")

    timer = ui.timer(1.0, ended)


def _changed(looked: Looked) -> None:
    changed = looked.changed
    assert changed is not None
    heading(t("What changed since the snapshot before"))
    sizes = ", ".join(f"{split} {before:,} → {now:,}" for split, (before, now) in changed.rows.items())
    facts({
        t("Splits"): sizes, t("Labels changed"): changed.relabelled, t("Rows gone"): changed.gone,
        t("Rows new"): changed.new, t("Rows in another split"): changed.moved,
    })  # fmt: skip
    if changed.examples:
        shown = [[cut(looked.text(text)), plain_text(was), plain_text(now)] for text, was, now in changed.examples]
        _measures([t("Text"), t("was"), t("now")], shown)


def _problems(report: CheckReport) -> None:
    names = {"error": t("error"), "warning": t("warning"), "note": t("note")}
    found = report.problems
    if not found:
        return
    heading(t("What to look at"))
    for each in found:
        with ui.element("div").classes("card" + (" bad" if each.severity == "error" else "")):
            ui.label(f"{names[each.severity]}: {each.message}")
            ui.label(each.hint).classes("muted")


def _distribution(looked: Looked) -> None:
    counts = looked.table.counts() if looked.snapshot.labels else {}
    if counts:
        heading(t("Labels"))
        first = dict(list(counts.items())[:CHART_CLASSES])
        _bars(list(first), {split: [each[split] for each in first.values()] for split in SPLITS})
        shown = [[name, *(each[split] for split in SPLITS)] for name, each in list(counts.items())[:TABLE_CLASSES]]
        _measures([t("Label"), *SPLITS], shown)
        if len(counts) > TABLE_CLASSES:
            ui.label(t("{count} classes in all; the commonest are shown.", count=len(counts))).classes("muted")
        return
    borders, numbers = looked.table.histogram()
    if borders:
        heading(t("Labels"))
        _bars([f"{low:.3g}" for low in borders[:-1]], numbers)
        if looked.report:
            shown = [[split, each["low"], each["mean"], each["high"]] for split, each in looked.report.numbers.items()]
            _measures([t("Split"), t("lowest"), t("mean"), t("highest")], shown)


def _bars(names: list[str], values: dict[str, list[int]]) -> None:
    axis = {"axisLabel": {"color": INK}, "axisLine": {"lineStyle": {"color": INK}}}
    chart = ui.echart({
        "color": list(COLOURS), "animation": False, "legend": {"top": 0, "textStyle": {"color": INK}},
        "tooltip": {"trigger": "axis", "renderMode": "richText"},
        "grid": {"left": 8, "right": 16, "top": 36, "bottom": 8, "containLabel": True},
        "xAxis": {"type": "category", "data": [name[:24] for name in names], **axis},
        "yAxis": {"type": "value", "splitLine": {"lineStyle": {"color": "#8884"}}, **axis},
        "series": [
            {"name": split, "type": "bar", "stack": "rows", "data": each} for split, each in values.items()
        ],
    }).classes("chart")  # fmt: skip
    chart.props["role"], chart.props["aria-label"] = "img", t("Rows per label and split; the numbers are in the table")


def _found(report: CheckReport) -> None:
    heading(t("What was found"))
    lengths = [
        [name, split, round(each.median), round(each.p95), each.max]
        for name, parts in ((t("characters"), report.characters), (t("tokens"), report.tokens))
        for split, each in parts.items()
    ]
    _measures([t("Lengths"), t("Split"), t("median"), t("95 %"), t("longest")], lengths)
    if report.too_long is not None:
        ui.label(t("{share:.1%} of the texts are longer than the model reads.", share=report.too_long))
    told = (t("Scripts"), t("Removed"), t("Personal data"))
    facts({name: value for name, value in summary_rows(report) if name in told})
    ui.link(t("The page with plots"), "/report/data/check", new_tab=True)


def _measures(headers: list[str], lines: list[list[Any]]) -> None:
    """A table in which numbers are written out and stand to the right."""
    numbers = [place for place, cell in enumerate(lines[0]) if isinstance(cell, int | float)] if lines else []
    table(headers, [[_written(cell) for cell in line] for line in lines], numbers=numbers)


def _written(cell: Any) -> str:
    return f"{cell:,}" if isinstance(cell, int) else f"{cell:.4g}" if isinstance(cell, float) else str(cell)


ROUTES = [Route("/data", lambda: t("Data"), overview, icon="table_view")]
