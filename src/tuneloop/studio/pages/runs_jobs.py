"""Which job of the studio works on which run."""

from __future__ import annotations

import os

from tuneloop.core.i18n import t
from tuneloop.studio.jobs import Job
from tuneloop.studio.pages.jobs import state_text
from tuneloop.studio.tables import Cell, table
from tuneloop.studio.view import View, heading, link
from tuneloop.training.run import Run
from tuneloop.training.runs import WORKING, RunRow, run_rows

SHOWN = 5


def job_at(view: View, row: RunRow) -> Job | None:
    """The running job whose process holds the run's lock."""
    if row.state != WORKING or not row.pid:
        return None
    return next((job for job in view.studio.jobs.running() if job.pid == row.pid), None)


def run_of(view: View, job: Job) -> str:
    """The run that a job trains or has trained; empty before it has one, and of jobs that train none."""
    rows = run_rows(view.studio.workspace)
    at = next((row.id for row in rows if row.pid and row.pid == job.pid and job.running), "")
    printed = "" if at else job.output()  # at the end a command says which run it was
    return at or next((row.id for row in rows if row.id in printed), "")


def run_arguments(view: View, run: Run) -> list[str]:
    """`tune` with the very settings of a run, whatever has become of the project's since."""
    return ["tune", os.path.relpath(run.path / "config.yaml", view.studio.base)]


def jobs_about(view: View, row: RunRow) -> None:
    """The newest jobs whose command names the run, if there are any."""
    found = [job for job in view.studio.jobs.all() if row.id in job.arguments][:SHOWN]
    if found:
        heading(t("What was done with it"), 3)
        rows = [[job.started[:19].replace("T", " "), state_text(job), _link(job)] for job in found]
        table([t("started"), t("state"), t("command")], rows, name=t("What was done with it"))


def _link(job: Job) -> Cell:
    return lambda: link(job.command, f"/jobs/{job.id}").classes("code")
