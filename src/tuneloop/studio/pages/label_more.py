"""Getting new texts to label: `tuneloop label next` as a job."""

from __future__ import annotations

from nicegui import ui

from tuneloop.core.i18n import t
from tuneloop.labelling.choose import AUTO
from tuneloop.labelling.strategies import STRATEGIES
from tuneloop.studio.jobs import Job
from tuneloop.studio.pages.data_new import inside
from tuneloop.studio.pages.jobs import watched
from tuneloop.studio.view import View, heading

MOST = 10_000


def more(view: View, who: str, people: int) -> None:
    """How many texts, chosen how, and from where."""
    heading(t("Get texts"))
    running = next((job for job in view.studio.jobs.running() if job.arguments[:2] == ["label", "next"]), None)
    with ui.element("div").classes("row"):
        count = ui.number(t("How many"), value=20, min=1, max=MOST, precision=0).mark("count")
        strategy = ui.select([AUTO, *STRATEGIES.names()], value=AUTO, label=t("Chosen by")).classes("choice")
        pool = ui.input(t("File of texts")).props("clearable").mark("pool")
        labels = ui.input(t("New classes, with commas")).mark("classes")
    ui.label(
        t("Without a file, rows of the data that have no label are taken; without classes, those of the data.")
    ).classes("muted")
    place = ui.element("div")

    def start() -> None:
        words = ["label", "next", "--json", "--annotator", who, "--count", str(int(count.value or 1))]
        words += ["--strategy", str(strategy.value)] if strategy.value != AUTO else []
        words += ["--per-item", str(people)] if people > 1 else []
        words += ["--pool", inside(pool.value, view.studio.base)] if (pool.value or "").strip() else []
        words += ["--labels", labels.value] if (labels.value or "").strip() else []
        words += ["--config", view.studio.config.name]
        button.disable()
        job = view.start(words)
        with place:
            _follow(view, job)

    button = ui.button(t("Get texts"), icon="playlist_add", on_click=view.act(start)).mark("get")
    if running:
        button.disable()
        with place:
            _follow(view, running)


def _follow(view: View, job: Job) -> None:
    """What the job prints; when the texts are there, the page asks about them."""
    watched(view, job)

    def ended() -> None:
        now = view.studio.jobs.open(job.id)
        if not now.running:
            timer.cancel()
            if now.exit_code == 0:
                ui.navigate.reload()

    timer = ui.timer(1.0, ended)
