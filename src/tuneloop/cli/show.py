"""What a command prints: data on standard output, messages on standard error."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any

import typer

from tuneloop.core.errors import ConfigError
from tuneloop.core.i18n import t
from tuneloop.core.paths import CONFIG_NAME

ConfigPath = Annotated[Path, typer.Argument(help=t("The configuration."), show_default=True)]
Settings = Annotated[
    list[str] | None, typer.Option("--set", help=t("Override a setting: --set training.epochs=1. Repeatable."))
]
WorkspacePath = Annotated[
    Path | None, typer.Option("--workspace", "-w", help=t("The workspace; that of ./tuneloop.yaml by default."))
]
AsJson = Annotated[bool, typer.Option("--json", help=t("Print JSON for programs."))]
Workers = Annotated[
    int | None, typer.Option("--workers", help=t("Processes that work together; one for each GPU by default."))
]
OnRay = Annotated[str, typer.Option("--on", help=t("ray: share the work out on a Ray cluster."))]
Address = Annotated[str, typer.Option("--address", help=t("Of a Ray cluster; RAY_ADDRESS or this machine by default."))]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help=t("Show no progress."))]


def overrides(settings: list[str] | None) -> dict[str, Any]:
    """`["training.epochs=1"]` as `{"training.epochs": 1}`; values are read as YAML.

    Raises:
        ConfigError: if there is no equals sign, or the value is not YAML.
    """
    import yaml

    found = {}
    for setting in settings or []:
        key, equals, value = setting.partition("=")
        try:
            found[key] = yaml.safe_load(value)
        except yaml.YAMLError:
            equals = ""
        if not equals or not key:
            raise ConfigError(
                t("--set {given} is not a setting.", given=setting), t("Write it as --set training.epochs=1")
            )
    return found


def workspace_root(given: Path | None) -> Path:
    """The workspace that a command works in: the one given or named by TUNELOOP_WORKSPACE, or that of ./tuneloop.yaml,
    or .tuneloop; for the URL of an object store its copy on this machine.
    """
    from tuneloop.api import DEFAULT_WORKSPACE, open_project
    from tuneloop.core.object_store import url_of

    named = given or os.environ.get("TUNELOOP_WORKSPACE")
    if named:
        url = url_of(named)
        return copy_of(url) if url else Path(named)
    return open_project().workspace.root if Path(CONFIG_NAME).is_file() else DEFAULT_WORKSPACE


def copy_of(url: str) -> Path:
    """The folder on this machine for an object store, whose releases are in its index and fetched when one is used."""
    from tuneloop.core.fsio import write_text
    from tuneloop.core.paths import REMOTE, Workspace, cache_folder
    from tuneloop.releases.remote import enter_releases

    place = Workspace(cache_folder() / "workspaces" / sha256(url.rstrip("/").encode()).hexdigest()[:16])
    if place.remote != url:
        place.root.mkdir(parents=True, exist_ok=True)
        write_text(place.root / REMOTE, url)
    enter_releases(place)
    return place.root


def print_json(value: Any) -> None:
    """`value` on standard output."""
    print(json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False))


def print_table(headers: Sequence[str], rows: Iterable[Sequence[Any]], *, title: str = "") -> None:
    """A table on standard output; numbers stand right, Chinese is as wide as it looks."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from tuneloop.core.page import number

    cells = [list(row) for row in rows]
    table = Table(box=box.SIMPLE_HEAD, title=title or None, title_justify="left", pad_edge=False)
    for column, header in enumerate(headers):
        numeric = bool(cells) and all(isinstance(row[column], int | float) for row in cells)
        table.add_column(header, justify="right" if numeric else "left", overflow="fold")
    for row in cells:
        table.add_row(*(Text(number(cell) if isinstance(cell, int | float) else str(cell)) for cell in row))
    Console(width=None if sys.stdout.isatty() else 120).print(table)


def say(message: str) -> None:
    """A message to the person, on standard error."""
    print(message, file=sys.stderr)
