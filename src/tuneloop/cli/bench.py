"""`tuneloop bench`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tuneloop.cli.show import AsJson, Quiet, Settings, overrides, print_json, print_table, say
from tuneloop.core.errors import ConfigError
from tuneloop.core.i18n import t

if TYPE_CHECKING:
    from tuneloop.core.project import Project


def bench(
    suite: Annotated[str, typer.Argument(help=t("glue or clue."))],
    data: Annotated[Path, typer.Option("--data", help=t("The folder with the official files, one folder per task."))],
    tasks: Annotated[str, typer.Option("--tasks", help=t("Names with commas between; all tasks by default."))] = "",
    config: Annotated[
        Path | None, typer.Option("--config", help=t("A tuneloop.yaml for model, method and training."))
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help=t("Where the table and the submission go."))
    ] = None,
    settings: Settings = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Official splits, official figures, the file that the server takes. Stopped, the same command goes on."""
    from tuneloop import api

    names = [name.strip() for name in tasks.split(",") if name.strip()]
    project = _project(suite, config, overrides(settings))
    found = api.bench(suite, data, tasks=names, config=project, output=output, quiet=quiet)
    print_json(found) if as_json else show(found)


def show(found: dict[str, Any]) -> None:
    """The table, what is missing from it, and where the submission is."""
    from tuneloop.suites.words import headers, rows

    print_table(headers(), rows(found))
    for task, why in found["missing"].items():
        say(t("Not in the table: {task}. {why}", task=task, why=why))
    for task, why in found["unanswered"].items():
        say(t("Not in the submission: {task}. {why}", task=task, why=why))
    say(t("The figures: {path}", path=found["results"]))
    if found["submission"]:
        say(t("To submit: {path}", path=found["submission"]))


def _project(suite: str, config: Path | None, given: dict[str, Any]) -> Project:
    """The settings for every task.

    Raises:
        ConfigError: if a setting would change the data or the tasks of the suite.
    """
    from tuneloop.core.config import put_setting
    from tuneloop.core.project import open_project

    own = next((key for key in given if key.split(".")[0] in ("data", "task", "name")), None)
    if own is not None:
        raise ConfigError(
            t("{key} cannot be set here: the suite says which data and tasks there are.", key=own),
            t("Set model, method, training, evaluation or seed."),
        )
    if config is not None:
        return open_project(config, overrides=given)
    plain: dict[str, Any] = {"data": {"source": suite}}
    for key, value in given.items():
        put_setting(plain, key, value)
    return open_project(plain)
