"""What all pages of a studio look at: one project, its workspace, its jobs, and the release that is open."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuneloop.core.paths import CONFIG_NAME, Workspace
from tuneloop.core.project import Project, open_project
from tuneloop.studio.jobs import Jobs

if TYPE_CHECKING:
    from tuneloop.api.answers import Answering


@dataclass
class Studio:
    """One project as its pages see it; everything lies on disk, and is read again for each page.

    Args:
        config: the tuneloop.yaml, which need not be there yet.
        root: the workspace; that of the configuration by default.
        shared: what a page keeps for all its tabs, by its name; losing it loses time alone.
    """

    config: Path = Path(CONFIG_NAME)
    root: Path | None = None
    shared: dict[str, Any] = field(default_factory=dict, repr=False)
    _opened: Answering | None = field(default=None, repr=False)
    _opening: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def project(self) -> Project | None:
        """The project as it is written now; None where there is no file yet.

        Raises:
            ConfigError: if a setting is unknown or impossible; it names the line.
        """
        return open_project(self.config) if self.config.is_file() else None

    @cached_property
    def workspace(self) -> Workspace:
        """Where snapshots, runs and releases are."""
        if self.root is not None:
            return Workspace(self.root.resolve())
        project = self.project
        return project.workspace if project else Workspace(self.base / ".tuneloop")

    @property
    def base(self) -> Path:
        """The folder that commands are run in."""
        return self.config.resolve().parent

    @cached_property
    def jobs(self) -> Jobs:
        """What was started here."""
        return Jobs(self.workspace, self.base)

    def arguments(self, *words: str, config: bool = False) -> list[str]:
        """Words of a command, with what is needed for this project where it is not the usual one.

        Args:
            config: whether the command takes the configuration; else it takes the workspace.
        """
        if config:
            usual = self.config.name == CONFIG_NAME
            return [*words] if usual else [*words, self.config.name]
        return [*words] if self.root is None else [*words, "--workspace", str(self.workspace.root)]

    @property
    def place(self) -> str:
        """What a call of the Python door needs at its end where the workspace is not the usual one."""
        return "" if self.root is None else f", workspace={str(self.workspace.root)!r}"

    def opened(self, name: str) -> Answering:
        """A release, ready to be asked; one stays open, whichever tab asks for it.

        Raises:
            ReleaseError: if there is none, or a file is damaged.
        """
        from tuneloop.api.answers import answering
        from tuneloop.releases.index import newest

        with self._opening:
            if self._opened is None or self._opened.release.id != newest(name, self.workspace):
                # the one before is not closed: who still asks it has its answer, then it goes
                self._opened = answering(name, workspace=self.workspace.root)
            return self._opened
