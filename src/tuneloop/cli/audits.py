"""`tuneloop audit`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from tuneloop.cli.show import AsJson, Quiet, WorkspacePath, print_json, print_table, say, workspace_root
from tuneloop.core.i18n import t


def audit(
    target: Annotated[str, typer.Argument(help=t("A run or a release; the newest run by default."))] = "latest",
    only: Annotated[
        list[str] | None, typer.Option("--only", help=t("Run this audit and no other. Repeatable."))
    ] = None,
    rows: Annotated[int | None, typer.Option("--rows", min=10, help=t("Test rows to look at, at most."))] = None,
    config: Annotated[
        Path | None, typer.Option("--config", help=t("Whose section audit holds; that of the run by default."))
    ] = None,
    workspace: WorkspacePath = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """What may be wrong beyond the figures; exit code 1 if the gate of the configuration is not passed."""
    from tuneloop import api

    found = api.audit(
        target, only=tuple(only or ()), rows=rows, config=config, workspace=workspace_root(workspace), quiet=quiet
    )
    print_json(found) if as_json else show_audit(found)
    if not found["gate"]["passed"]:
        raise typer.Exit(1)


def show_audit(found: dict[str, Any]) -> None:
    """Figures and findings of every audit, and the gate."""
    from tuneloop.audits import AUDITS
    from tuneloop.audits.gate import sentence
    from tuneloop.audits.page import SHOWN, figure_headers, figure_rows, finding_text

    for name, each in found["audits"].items():
        kind = AUDITS.get(name)
        if "skipped" in each:
            say(f"{kind.title()}: " + t("Left out: {why}", why=each["skipped"]))
            continue
        print_table(figure_headers(), figure_rows(kind, each["figures"]), title=kind.title())
        for finding in each["findings"][:SHOWN]:
            mark = t("alarm") if finding["severity"] == "alarm" else t("note")
            say(f"{mark}: {finding_text(name, finding)}")
    gate = found["gate"]
    if gate["required"]:
        for rule in gate["rules"]:
            say(f"{t('passed') if rule['passed'] else t('failed')}: {sentence(rule)}")
        say(t("The release passes its gate.") if gate["passed"] else t("The release does not pass its gate."))
    say(t("The report: {path}", path=found["report"]))
