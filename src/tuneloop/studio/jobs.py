"""Long work, each a process of the command line of its own: it outlives the page, the tab and the studio.

A job is a folder in the workspace with `job.json`, written before it starts, its `output.log`, `process.json`, which
tells its process, and `ended.json`, which it writes at the end. Whether it still runs is asked of the system by process
number and time of birth, so another process that was given the number later is not taken for it.
"""

from __future__ import annotations

import json
import os
import secrets
import shlex
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from tuneloop.core.errors import TuneloopError
from tuneloop.core.fsio import make_dir, write_json
from tuneloop.core.i18n import language, t
from tuneloop.core.paths import Workspace, check_id

TAIL_BYTES = 1 << 16
"""Of the output, at most, that a page shows."""

SAYING = (["watch"], ["update"])
"""Commands whose exit code 1 is an answer: an alarm, or that a release is held."""


@dataclass(frozen=True)
class Job:
    """One command that was started.

    Args:
        id: name of its folder, in the order of starts.
        arguments: what stands behind `tuneloop`.
        started: when, UTC.
        path: its folder.
        running: whether its process lives.
        exit_code: of an ended one; None while it runs, and of one that was killed.
    """

    id: str
    arguments: list[str]
    started: str
    path: Path
    running: bool
    exit_code: int | None

    @property
    def command(self) -> str:
        """What to type for the same."""
        return command_line(self.arguments)

    @property
    def state(self) -> str:
        """running, done, said (done, and it answered no), held (it asks a person), failed, stopped or killed."""
        if self.running:
            return "running"
        if self.exit_code == 1 and self.arguments[:1] in SAYING:
            return "said"
        names = {None: "killed", 0: "done", 3: "held", 130: "stopped"}
        return names.get(self.exit_code, "failed")

    @property
    def pid(self) -> int | None:
        """The number of its process; None before it has noted it."""
        return _read(self.path / "process.json").get("pid")

    def output(self) -> str:
        """The end of what it printed; a line that was written over is left out."""
        try:
            with (self.path / "output.log").open("rb") as file:
                file.seek(max(0, os.fstat(file.fileno()).st_size - TAIL_BYTES))
                text = file.read().decode("utf-8", "replace")
        except FileNotFoundError:
            return ""
        return "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n"))


class Jobs:
    """The jobs of a workspace.

    Args:
        workspace: where their folders lie.
        base: the folder in which commands are run, that of tuneloop.yaml.
    """

    def __init__(self, workspace: Workspace, base: Path) -> None:
        self._folder = workspace.studio / "jobs"
        self._base = base
        self._children: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, arguments: Sequence[str]) -> Job:
        """Run `tuneloop ARGUMENTS` in a process that does not end with this one."""
        now = datetime.now(UTC)
        name = f"{now:%Y%m%d-%H%M%S-%f}-{secrets.token_hex(2)}"
        path = self._folder / name
        make_dir(path)
        write_json(path / "job.json", {"arguments": list(arguments), "started": f"{now:%Y-%m-%dT%H:%M:%SZ}"})
        with (path / "output.log").open("wb") as output:
            self._children[name] = subprocess.Popen(
                [sys.executable, "-m", "tuneloop.cli.job", str(path.resolve()), *arguments],
                cwd=self._base,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env={**os.environ, "TUNELOOP_LANG": language(), "NO_COLOR": "1", "COLUMNS": "110"},
            )
        return self.open(name)

    def all(self) -> list[Job]:
        """Every job, the newest first."""
        found = [path.parent.name for path in self._folder.glob("[0-9]*/job.json")]
        return [self.open(name) for name in sorted(found, reverse=True)]

    def running(self) -> list[Job]:
        """Those that are at work; asked often, so of those that have ended nothing is read."""
        found = [path.parent for path in self._folder.glob("[0-9]*/job.json")]
        jobs = (self.open(path.name) for path in sorted(found, reverse=True) if not (path / "ended.json").exists())
        return [job for job in jobs if job.running]

    def open(self, name: str) -> Job:
        """The job as it stands now.

        Raises:
            TuneloopError: if there is none with this name.
        """
        path = self._folder / check_id(name)
        known = _read(path / "job.json")
        if not known:
            raise TuneloopError(t("There is no job {name}.", name=name), t("Open the list of jobs again."))
        running = self._lives(name, path)
        exit_code = None if running else _read(path / "ended.json").get("exit_code")
        return Job(name, known["arguments"], known["started"], path, running, exit_code)

    def stop(self, name: str) -> None:
        """Ask a running job to stop where it can go on later, as Ctrl-C does; a second time ends it at once."""
        path = self._folder / check_id(name)
        pid = _read(path / "process.json").get("pid")
        if pid and self._lives(name, path):
            os.kill(pid, signal.SIGINT)

    def _lives(self, name: str, path: Path) -> bool:
        child = self._children.get(name)
        if child is not None:  # of this studio: asked for, so that an ended one does not stay as a zombie
            return child.poll() is None
        known = _read(path / "process.json")
        try:
            process = psutil.Process(known["pid"])
            return bool(abs(process.create_time() - known["born_s"]) < 1 and process.status() != psutil.STATUS_ZOMBIE)
        except (KeyError, psutil.NoSuchProcess):
            return False


def command_line(arguments: Sequence[str]) -> str:
    """What to type for a command."""
    return shlex.join(["tuneloop", *arguments])


def _read(path: Path) -> dict[str, Any]:
    """A file of ours; empty before it was written."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
