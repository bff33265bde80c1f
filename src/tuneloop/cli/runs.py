"""`tuneloop runs`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from tuneloop.cli.show import AsJson, WorkspacePath, print_json, print_table, say, workspace_root
from tuneloop.core.i18n import t

app = typer.Typer(no_args_is_help=True)


@app.command("list", help=t("Every run, the newest first."))
def list_runs(workspace: WorkspacePath = None, as_json: AsJson = False) -> None:
    """Method, seed, data, state and best dev figure."""
    from tuneloop import api
    from tuneloop.experiments.run_words import headers, run_cells

    found = api.runs(workspace=workspace_root(workspace))
    if as_json:
        print_json([{"run": row.id, "state": row.state, "method": row.method, "seed": row.seed, "data": row.data,
                     "metric": row.metric, "best": row.best} | row.run.info for row in found])  # fmt: skip
    else:
        print_table(headers(), [run_cells(row) for row in found])


@app.command(help=t("Stop a run where it can go on later, wherever its command was started."))
def stop(
    run: Annotated[str, typer.Argument(help=t("A run that is at work; the newest by default."))] = "latest",
    workspace: WorkspacePath = None,
) -> None:
    """As Ctrl-C does in its own terminal."""
    from tuneloop import api

    pid = api.stop_run(run, workspace=workspace_root(workspace))
    say(t("The process {pid} was asked to stop; it ends after the step that it is at.", pid=pid))


@app.command(help=t("What differs between runs, and which of them is really better."))
def compare(
    names: Annotated[list[str], typer.Argument(help=t("Two runs or more."))],
    workspace: WorkspacePath = None,
    as_json: AsJson = False,
) -> None:
    """Settings, data and figures that differ; a paired test against the best."""
    from tuneloop import api

    found = api.compare_runs(names, workspace=workspace_root(workspace))
    print_json(found) if as_json else _show(found, names)


def _show(found: dict[str, Any], names: list[str]) -> None:
    from tuneloop.experiments.run_words import difference_rows, verdicts

    print_table(["", t("what"), *names], difference_rows(found))
    for sentence in verdicts(found):
        say(sentence)
