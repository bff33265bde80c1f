"""The part of the Python door that labels texts by functions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tuneloop.core.fsio import write_json, write_text
from tuneloop.core.paths import CONFIG_NAME
from tuneloop.core.project import Config, Project, open_project


def weak_table(config: Config | Project = CONFIG_NAME, *, quiet: bool = False) -> dict[str, Any]:
    """What the labelling functions of the section `weak` say, and what that is worth.

    Functions in Python are run, which is said on standard error.

    Returns:
        Coverage, overlap, conflict and accuracy of each function, near-duplicates, and the label model with its figures
        on dev; also kept in the workspace as weak/table.json, with the path of the page as `report`.

    Raises:
        ConfigError: if a function is wrong; it names file, line and field.
        DataError: if texts cannot be read.
    """
    from tuneloop.weak.page import report
    from tuneloop.weak.study import study

    project = config if isinstance(config, Project) else open_project(config)
    found = study(project.config, base=project.base, workspace=project.workspace, quiet=quiet).to_json()
    return _kept(project, found, report(found))


def weak_label(config: Config | Project = CONFIG_NAME, *, to: str | Path, quiet: bool = False) -> dict[str, Any]:
    """Write a row for each text of which a function speaks: text, label, probabilities, functions.

    Train on it with `data.source`, `task.probabilities: probabilities`, and `data.dev` and `data.test` of people.

    Args:
        to: the file of JSON lines, .jsonl; it is replaced.

    Returns:
        What `weak_table` does, with `written`: path, rows, texts left out, rows of each class.

    Raises:
        ConfigError: if a function is wrong, or `to` has another ending.
        DataError: if texts cannot be read.
    """
    from tuneloop.core.errors import ConfigError
    from tuneloop.core.i18n import t
    from tuneloop.weak.page import report
    from tuneloop.weak.study import study, write_rows

    if Path(to).suffix != ".jsonl":
        raise ConfigError(t("{path} is no name of a file of JSON lines.", path=to), t("Name it NAME.jsonl."))
    project = config if isinstance(config, Project) else open_project(config)
    made = study(project.config, base=project.base, workspace=project.workspace, quiet=quiet)
    found = made.to_json()
    written = write_rows(made, Path(to))
    return _kept(project, found, report(found)) | {"written": written}


def _kept(project: Project, found: dict[str, Any], html: str) -> dict[str, Any]:
    folder = project.workspace.root / "weak"
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "table.json", found)
    write_text(folder / "table.html", html)
    return found | {"report": str(folder / "table.html")}
