"""`tuneloop watch`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tuneloop.cli.show import AsJson, Quiet, WorkspacePath, print_json, print_table, say, workspace_root
from tuneloop.core.i18n import t


def watch(
    release: Annotated[str, typer.Argument(help=t("A release; a model's name means its newest."))],
    events: Annotated[
        Path | None,
        typer.Option("--events", help=t("What it served, an event a line as JSON; what the server kept by default.")),
    ] = None,
    feedback: Annotated[
        Path | None, typer.Option("--feedback", help=t("What people said of it: a file of JSON lines."))
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option("--config", help=t("Whose watch.drift says how to watch; ./tuneloop.yaml by default.")),
    ] = None,
    alerts: Annotated[bool, typer.Option("--alerts/--no-alerts", help=t("Whether alarms are told."))] = True,
    workspace: WorkspacePath = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Drift, accuracy, early warnings; exit code 1 if there is an alarm."""
    from tuneloop import api
    from tuneloop.watch.drift.page import accuracy_headers, accuracy_rows, promise

    found = api.watch(
        release, events=events, feedback=feedback, config=config, workspace=workspace_root(workspace),
        alert=alerts, quiet=quiet,
    )  # fmt: skip
    if as_json:
        print_json(found)
    else:
        if found["accuracy"]:
            print_table(accuracy_headers(), accuracy_rows(found))
        for sentence in found["alarms"]:
            say(t("alarm") + f": {sentence}")
        if not found["alarms"]:
            say(t("No figure raised an alarm. That is no proof that nothing has changed."))
        say(promise(found))
        say(t("The report: {path}", path=found["report"]))
    for error in found["untold"]:
        typer.echo(error, err=True)
    if found["alarms"]:
        raise typer.Exit(1)
