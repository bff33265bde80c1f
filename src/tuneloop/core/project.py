"""A configuration, and the folder that its paths start from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuneloop.core.config import RunConfig, load_config, parse_config
from tuneloop.core.errors import ConfigError
from tuneloop.core.i18n import t
from tuneloop.core.paths import CONFIG_NAME, Workspace

RUN_FILE = "run.json"

Config = str | Path | Mapping[str, Any] | RunConfig


@dataclass(frozen=True)
class Project:
    """A configuration and the folder that its paths start from."""

    config: RunConfig
    base: Path

    @property
    def workspace(self) -> Workspace:
        """Where its snapshots, runs and releases are."""
        return Workspace(self.base / self.config.workspace)

    def path_of(self, file: str) -> str | None:
        """The path of a file that the configuration names; None if it names none."""
        return str(self.base / Path(file).expanduser()) if file else None


def open_project(config: Config = CONFIG_NAME, *, overrides: Mapping[str, Any] | None = None) -> Project:
    """The project of a tuneloop.yaml, of plain settings, or of a `RunConfig`.

    Args:
        config: a file, whose folder is then the base of every path, or settings with the current folder as base. That
            in a run's folder stands for the project that the run was made in.
        overrides: `{"training.epochs": 1}`-like settings on top of the file.

    Raises:
        ConfigError: if a setting is unknown or impossible; it names the line.
    """
    if isinstance(config, RunConfig):
        return _whole(config, Path.cwd())
    if isinstance(config, Mapping):
        return _whole(parse_config(config), Path.cwd())
    path = Path(config)
    found, folder = load_config(path, overrides), path.resolve().parent
    if (folder / RUN_FILE).is_file():  # the config.yaml of a run: its paths start where those of its project do
        return _whole(found, base_of(found, folder.parents[1]))
    return _whole(found, folder)


def project_of(config: RunConfig, root: Path) -> Project:
    """The project that a run or release was made in, whose workspace is `root`."""
    return Project(config, base_of(config, root))


def base_of(config: RunConfig, root: Path) -> Path:
    """The folder that the paths of a configuration start from, told from where its workspace lies.

    Args:
        root: the workspace of a run or release that was made with it.
    """
    asked, parts = Path(config.workspace), root.absolute().parts
    if asked.is_absolute():  # which says nothing of the configuration's own place
        return Path.cwd()
    before = len(parts) - len(asked.parts)
    return Path(*parts[:before]) if parts[before:] == asked.parts else root.parent


def read_schema(path: Path) -> Any:
    """What a JSON file holds.

    Raises:
        ConfigError: if it cannot be read or is not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(
            t("{path} cannot be read: {error}", path=path, error=error), t("Write the JSON schema there.")
        ) from None


def _whole(config: RunConfig, base: Path) -> Project:
    """The project, with the schema that `task.constraint.json_schema` names in the place of its path.

    So all that determines a run stands in its configuration, whatever becomes of the file.
    """
    constraint = config.task.options.get("constraint")
    if isinstance(constraint, Mapping) and isinstance(constraint.get("json_schema"), str):
        schema = read_schema(base / constraint["json_schema"])
        task = config.task.model_copy(update={"constraint": {**constraint, "json_schema": schema}})
        config = config.model_copy(update={"task": task})
    return Project(config, base)
