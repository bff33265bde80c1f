"""`tuneloop init` and `tuneloop check`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tuneloop.cli.show import (
    AsJson,
    ConfigPath,
    Quiet,
    Settings,
    overrides,
    print_json,
    print_table,
    say,
)  # fmt: skip
from tuneloop.core.i18n import t
from tuneloop.core.paths import CONFIG_NAME

if TYPE_CHECKING:
    from tuneloop.data.check import CheckReport


def init(
    source: Annotated[str, typer.Argument(help=t("A data file, a datasets folder, or sample:NAME."))],
    output: Annotated[Path, typer.Option("--output", "-o", help=t("Where the configuration is written."))] = Path(
        CONFIG_NAME
    ),
    force: Annotated[bool, typer.Option("--force", help=t("Replace the file if it exists."))] = False,
) -> None:
    """Guess task and columns from the file, and write the configuration."""
    from tuneloop import api

    found = api.init(source, path=output, force=force)
    for reason in found.reasons:
        say(reason)
    say(t("Wrote {path}. Look it over, then: tuneloop check {path}", path=output))


def check(
    config: ConfigPath = Path(CONFIG_NAME),
    html: Annotated[Path | None, typer.Option("--html", help=t("Where the page is written."))] = None,
    settings: Settings = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """A table here, and a page with plots. Exit code 2 if the data has errors."""
    from tuneloop import api

    project = api.open_project(config, overrides=overrides(settings))
    report = api.check(project, quiet=quiet)
    show_check(report, html or project.workspace.root / "check.html", as_json=as_json)
    if not report.ok:
        raise typer.Exit(2)
    say(t("Next: tuneloop tune {config}", config=config))


def show_check(report: CheckReport, page: Path, *, as_json: bool = False) -> None:
    """Print the report, and write its page."""
    from tuneloop.core.fsio import write_text
    from tuneloop.data.check import summary_rows
    from tuneloop.data.check_page import check_page

    page.parent.mkdir(parents=True, exist_ok=True)
    write_text(page, check_page(report))
    if as_json:
        print_json(report.as_json())
    else:
        severity = {"error": t("error"), "warning": t("warning"), "note": t("note")}
        print_table([t("what"), t("found")], summary_rows(report))
        for problem in report.problems:
            say(f"{severity[problem.severity]}: {problem.message} {problem.hint}")
    say(t("The page with plots: {path}", path=page))
