"""A configuration, and the folder that its paths start from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuneloop.core.config import RunConfig, load_config, parse_config
from tuneloop.core.paths import CONFIG_NAME, Workspace

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


def open_project(config: Config = CONFIG_NAME, *, overrides: Mapping[str, Any] | None = None) -> Project:
    """The project of a tuneloop.yaml, of plain settings, or of a `RunConfig`.

    Args:
        config: a file, whose folder is then the base of every path, or settings with the current folder as base.
        overrides: `{"training.epochs": 1}`-like settings on top of the file.

    Raises:
        ConfigError: if a setting is unknown or impossible; it names the line.
    """
    if isinstance(config, RunConfig):
        return Project(config, Path.cwd())
    if isinstance(config, Mapping):
        return Project(parse_config(config), Path.cwd())
    path = Path(config)
    return Project(load_config(path, overrides), path.resolve().parent)
