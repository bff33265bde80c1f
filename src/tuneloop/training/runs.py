"""The runs of a workspace: what each was made with, how it stands, and how one at work is stopped."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from tuneloop.core.errors import TrainingError
from tuneloop.core.i18n import t
from tuneloop.core.lock import holder
from tuneloop.core.paths import ID_PATTERN, Workspace
from tuneloop.training.curves import DEV, curves_of
from tuneloop.training.run import Run

FINISHED, WORKING, STOPPED = "finished", "working", "stopped"


@dataclass(frozen=True)
class RunRow:
    """A run as a list shows it; only what is asked for is read.

    Args:
        run: its folder and run.json.
        pid: the process that is at it, 0 if that cannot be told; None if none is.
    """

    run: Run
    pid: int | None

    @property
    def id(self) -> str:
        """Its name."""
        return self.run.id

    @property
    def state(self) -> str:
        """finished, working, or stopped, where it can go on."""
        return FINISHED if self.run.status == "finished" else STOPPED if self.pid is None else WORKING

    @cached_property
    def settings(self) -> dict[str, Any]:
        """Its config.yaml as it is written; empty if it cannot be read."""
        path = self.run.path / "config.yaml"
        try:
            return _yaml(path, path.stat().st_mtime_ns)
        except OSError:
            return {}

    @property
    def method(self) -> str:
        """What was trained."""
        return str(self.settings.get("method", {}).get("type", ""))

    @property
    def seed(self) -> int | None:
        """Of every random choice."""
        return self.settings.get("seed")

    @property
    def data(self) -> str:
        """The source, and the beginning of the hash of what became of it."""
        return f"{self.settings.get('data', {}).get('source', '')} ({self.run.snapshot_hash[:12]})"

    @property
    def metric(self) -> str:
        """The dev figure by which its weights are chosen."""
        info = self.run.info
        return str(info.get("metric") or next(iter(info.get("best_dev", {})), ""))

    @property
    def best(self) -> float | None:
        """The best dev figure, by now."""
        if "best_dev" in self.run.info:
            return next(iter(self.run.info["best_dev"].values()), None)
        curves = curves_of(self.run.path)
        curves.read()
        return curves.best(DEV + self.metric)

    @property
    def steps(self) -> tuple[int, int | None]:
        """How many steps are done, and of how many; None where that is not known."""
        planned = self.run.info.get("planned_steps")
        if self.state == FINISHED:
            return int(self.run.info.get("steps", 0)), planned
        return curves_of(self.run.path).step, planned


def run_rows(workspace: Workspace) -> list[RunRow]:
    """Every run, the newest first; what is no run of ours is left out."""
    found = [_row(path) for path in workspace.runs.glob("*/run.json") if ID_PATTERN.match(path.parent.name)]
    return sorted(filter(None, found), key=lambda row: (str(row.run.info.get("started", "")), row.id), reverse=True)


def row_of(run: Run) -> RunRow:
    """A run as it stands now."""
    return RunRow(run, None if run.status == "finished" else holder(run.path))


def stop(run: Run) -> int:
    """Ask the process that trains a run to stop where it can go on, as Ctrl-C does; returns its number.

    Only a process of the tuneloop command is stopped: one that holds the run's lock for a program of someone's own
    might have other things to do.

    Raises:
        TrainingError: if no process is at it, or none that may be stopped from here.
    """
    pid = holder(run.path)
    if pid is None:
        raise TrainingError(
            t("No process is at the run {run}.", run=run.id),
            t("Go on with: tuneloop tune --resume --run {run}", run=run.id),
        )
    if not _is_command(pid):
        raise TrainingError(
            t(
                "The run {run} is trained by a program other than the tuneloop command (process {pid}).",
                run=run.id,
                pid=pid,
            ),
            t("Press Ctrl-C where it was started."),
        )
    _interrupt(pid, run.path)
    return pid


def _is_command(pid: int) -> bool:
    """Whether a process was started as `tuneloop ...`, `python -m tuneloop ...` or by the studio."""
    import psutil

    try:
        words: Sequence[str] = psutil.Process(pid).cmdline() if pid else ()
    except psutil.Error:
        return False
    modules = {words[place + 1] for place in range(len(words) - 1) if words[place] == "-m"}
    scripts = {Path(word).name for word in words[:2]}
    return bool(modules & {"tuneloop", "tuneloop.cli.job"}) or "tuneloop" in scripts


def _interrupt(pid: int, folder: Path) -> None:
    """SIGINT for the process that has this number now and holds the lock; its number cannot pass to another one."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        if holder(folder) == pid:
            signal.pidfd_send_signal(handle, signal.SIGINT)
    except ProcessLookupError:
        return
    except PermissionError:
        raise TrainingError(
            t("The process {pid} belongs to another user.", pid=pid), t("Press Ctrl-C where it was started.")
        ) from None
    finally:
        os.close(handle)


def _row(path: Path) -> RunRow | None:
    try:
        info = _json(path, path.stat().st_mtime_ns)
    except (OSError, ValueError):
        return None
    return row_of(Run(path.parent, info)) if "status" in info and "snapshot_hash" in info else None


@lru_cache(maxsize=4096)
def _json(path: Path, changed_ns: int) -> dict[str, Any]:
    """A JSON object, read once for each time that it changed."""
    found = json.loads(path.read_text(encoding="utf-8"))
    return found if isinstance(found, dict) else {}


@lru_cache(maxsize=4096)
def _yaml(path: Path, changed_ns: int) -> dict[str, Any]:
    """A YAML mapping, read once for each time that it changed; empty if it is none."""
    import yaml

    try:
        found = yaml.load(path.read_text(encoding="utf-8"), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (yaml.YAMLError, UnicodeDecodeError):
        return {}
    return found if isinstance(found, dict) else {}
