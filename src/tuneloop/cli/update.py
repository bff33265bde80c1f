"""`tuneloop update`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from tuneloop.cli.show import AsJson, Quiet, WorkspacePath, print_json, print_table, say, workspace_root
from tuneloop.core.i18n import t
from tuneloop.releases.deployment_words import told_sentences

EXIT_CODES = {"promote": 0, "hold": 1, "ask": 3}
"""What the shell is told; 2 is a mistake in the call."""


def update(
    release: Annotated[
        str, typer.Argument(help=t("A release; a model's name means the one deployed, else its newest."))
    ],
    data: Annotated[
        list[Path] | None, typer.Option("--data", "-d", help=t("A labelled file with new rows. Repeatable."))
    ] = None,
    feedback: Annotated[
        bool, typer.Option("--feedback", help=t("Take what people said of answers, where events kept the texts."))
    ] = False,
    steps: Annotated[
        str, typer.Option("--steps", help=t("What to try, in this order: recalibrate,head,adapter,full."))
    ] = "",
    config: Annotated[
        Path | None,
        typer.Option(
            "--config", help=t("Whose sections update, continual, deploy hold; those of the release by default.")
        ),
    ] = None,
    store: Annotated[
        str | None,
        typer.Option(
            "--store", help=t("postgresql://HOST/DATABASE; that of ./tuneloop.yaml or the workspace by default.")
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help=t("Only say which rows there are and what would be tried."))
    ] = False,
    workspace: WorkspacePath = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Exit code 0: released; 1: held, something is worse; 3: a person has to decide."""
    from tuneloop import api

    found = api.update(
        release,
        data=data or [],
        feedback=feedback,
        steps=[each.strip() for each in steps.split(",") if each.strip()],  # type: ignore[misc]
        config=config,
        store=store,
        workspace=workspace_root(workspace),
        dry_run=dry_run,
        quiet=quiet,
    )
    if as_json:
        print_json(found)
    else:
        (_show_outlook if dry_run else _show)(found)
    if not dry_run and EXIT_CODES[found["verdict"]]:
        raise typer.Exit(EXIT_CODES[found["verdict"]])


def _show(found: dict[str, Any]) -> None:
    from tuneloop.loop.decision_page import collected, summary, tried_headers, tried_rows

    for line in collected(found["new_rows"]):
        say(line)
    print_table(tried_headers(), tried_rows(found))
    for line in summary(found):
        say(line)
    if found["deployed"]:
        for line in told_sentences(found["deployed"]):
            say(line)
    elif found["release"]:
        say(t("Next: tuneloop deploy {name} --canary 0.1", name=found["release"]))
    say(t("Report: {path}", path=found["report"]))


def _show_outlook(found: dict[str, Any]) -> None:
    from tuneloop.loop.decision_page import collected

    for line in collected(found["new_rows"]):
        say(line)
    names = {"new": t("the new rows")}
    rows = [[names.get(name, name), *each.values()] for name, each in found["rows"].items()]
    print_table([t("rows of"), "train", "dev", "test"], rows)
    methods = [f"{step} ({method['type']})" for step, method in found["steps"].items()]
    say(t("To be tried, until dev says that something is better: {steps}", steps=", ".join(methods)))
