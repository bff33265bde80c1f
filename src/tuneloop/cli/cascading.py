"""`tuneloop cascade CHEAP STRONG`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tuneloop.cli.show import AsJson, Quiet, WorkspacePath, print_json, say, workspace_root
from tuneloop.core.i18n import t


def cascade(
    cheap: Annotated[str, typer.Argument(help=t("A release that answers first; a model's name means its newest."))],
    strong: Annotated[str, typer.Argument(help=t("A release that answers what the first is not sure of."))],
    name: Annotated[
        str | None, typer.Option("--name", help=t("Name of the new model; STRONG's with -cascade by default."))
    ] = None,
    max_loss: Annotated[
        float, typer.Option("--max-loss", min=1e-4, max=0.5, help=t("Accuracy that may be lost; 0.005 = 0.5 points."))
    ] = 0.005,
    confidence: Annotated[
        float, typer.Option("--confidence", min=0.5, max=0.999, help=t("Probability with which no more is lost."))
    ] = 0.9,
    data: Annotated[
        Path | None,
        typer.Option("--data", help=t("Labelled rows that neither has learnt from; the dev split by default.")),
    ] = None,
    workspace: WorkspacePath = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Fits from what sureness on the first answer counts, so that no more accuracy is lost than is allowed."""
    from tuneloop import api

    made = api.cascade(
        cheap, strong, name=name, max_loss=max_loss, confidence=confidence, data=data,
        workspace=workspace_root(workspace), quiet=quiet,
    )  # fmt: skip
    if as_json:
        print_json(made.info)
        return
    from tuneloop.releases.cascade_words import told

    for sentence in told(made.info["cascade"]):
        say(sentence)
    say(t("Release {name} answers with {engine}: {path}", name=made.id, engine=made.engine, path=made.path))
    say(t("Next: tuneloop serve {name}", name=made.id))
