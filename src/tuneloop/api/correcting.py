"""The part of the Python door that corrects labels: a file of corrections beside the data, and a new snapshot of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tuneloop.core.errors import ConfigError, DataError
from tuneloop.core.i18n import t
from tuneloop.core.paths import CONFIG_NAME
from tuneloop.core.project import Config, Project, open_project

if TYPE_CHECKING:
    from tuneloop.data.correcting import CorrectionFile, State
    from tuneloop.data.corrections import Correction
    from tuneloop.data.snapshot import Snapshot


@dataclass(frozen=True)
class Corrections:
    """The corrections of a project as they stand.

    Args:
        snapshot: the newest one that was made of the data; None if there is none yet.
        current: whether it is what a check or tune would make now.
        state: the lines of the file, and which of them it was made without.
    """

    snapshot: Snapshot | None
    current: bool
    state: State


def corrections(config: Config | Project = CONFIG_NAME) -> Corrections:
    """What was corrected, and whether the newest snapshot knows of it.

    Raises:
        DataError: if a line of the file is wrong; it names file and row.
    """
    from tuneloop.data.correcting import state
    from tuneloop.data.snapshot import is_current

    project = _project(config)
    lines, snapshot = _file(project).lines(), newest_snapshot(project)
    now = snapshot is not None and is_current(
        snapshot, project.config, task=_task(project), workspace=project.workspace, base=project.base
    )
    return Corrections(snapshot, now, state(lines, snapshot))


def correct(
    split: str, id: str, label: Any = None, *, leave_out: bool = False, config: Config | Project = CONFIG_NAME
) -> Correction | None:
    """Let a row get another label, or leave it out, from the next snapshot on; the data file stays as it is.

    Args:
        split: where the newest snapshot has the row: train, dev or test.
        id: its id there: that of `data.columns.id`, else its number in the file.
        label: a class; of several classes a list, or "first; second"; or a number.
        leave_out: instead leave it out.

    Returns:
        The line that was written; None if the row is again as the data has it.

    Raises:
        ConfigError: if the task has no labels that can be given so.
        DataError: if there is no such row or class, or a line of the file is wrong.
    """
    from tuneloop import api
    from tuneloop.data.browse import table_of

    if leave_out == (label is not None):
        raise ConfigError(t("A row gets a label or is left out."), t("Give one of both."))
    project = _project(config)
    snapshot = newest_snapshot(project) or api.snapshot(project, quiet=True)
    row = table_of(snapshot.path).row(split, id)
    to = None if leave_out else _read_label(project, snapshot, row.text, row.pair, label)
    return _file(project).change(row, to, snapshot)


def undo_correction(id: str = "", *, config: Config | Project = CONFIG_NAME) -> Correction:
    """Take a correction out of the file; the last one by default.

    Raises:
        DataError: if there is none of this name.
    """
    return _file(_project(config)).undo(id)


def newest_snapshot(config: Config | Project = CONFIG_NAME) -> Snapshot | None:
    """The snapshot that was made or used last of this data with these settings, whatever was corrected since."""
    from tuneloop.data.lineage import snapshots_of
    from tuneloop.data.snapshot import open_snapshot

    project = _project(config)
    found = snapshots_of(project.config, project.workspace)
    return open_snapshot(found[0]) if found else None


def _read_label(project: Project, snapshot: Snapshot, text: str, pair: str | None, raw: Any) -> Any:
    """The label as a snapshot keeps it; one that nobody else has is taken for a mistake."""
    from tuneloop.data.stored import as_label
    from tuneloop.labelling.kinds import kind_of, read_label, refuse_unknown

    task = project.config.task.type
    kind_of(task)
    try:
        label = read_label(task, text, pair, raw)
        refuse_unknown(task, label, snapshot.labels)
    except ValueError as error:
        raise DataError(
            t("The label cannot be given: {reason}.", reason=error),
            t("A new class begins in the data file, or with a line in {file}.", file=project.config.data.corrections),
        ) from None
    return as_label(label)


def _file(project: Project) -> CorrectionFile:
    from tuneloop.data.correcting import CorrectionFile
    from tuneloop.data.corrections import corrections_path

    path = corrections_path(project.config.data, project.base)
    return CorrectionFile(path, _task(project), project.workspace)


def _task(project: Project) -> Any:
    from tuneloop.tasks import task_class

    return task_class(project.config.task)


def _project(config: Config | Project) -> Project:
    return config if isinstance(config, Project) else open_project(config)
