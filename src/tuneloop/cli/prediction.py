"""`tuneloop predict`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tuneloop.cli.show import Address, OnRay, Quiet, Workers, WorkspacePath, say, workspace_root
from tuneloop.core.i18n import t


def predict(
    release: Annotated[str, typer.Argument(help=t("A release; a model's name means its newest."))],
    source: Annotated[
        str, typer.Argument(metavar="[FILE]", help=t("A data file; - reads one text per line from standard input."))
    ] = "-",
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help=t("A .csv, .jsonl or .parquet file; JSON lines on standard output else.")),
    ] = None,
    engine: Annotated[str | None, typer.Option("--engine", help=t("Another engine than the release's own."))] = None,
    workspace: WorkspacePath = None,
    on: OnRay = "",
    workers: Workers = None,
    address: Address = "",
    quiet: Quiet = False,
) -> None:
    """Every row comes back with its answer; the columns of the file are kept."""
    from tuneloop import api

    answered = api.predict_file(
        release, source, output=output, engine=engine, workspace=workspace_root(workspace), on=on, workers=workers,
        address=address, quiet=quiet,
    )  # fmt: skip
    if output:
        say(t("Wrote {rows} answers to {path}", rows=answered, path=output))
