"""What the section `release.abstain` may ask of a task and of dev."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuneloop.abstaining import abstainer, conformal
from tuneloop.core.deployment import AbstainConfig
from tuneloop.core.errors import ConfigError, ReleaseError
from tuneloop.core.i18n import t

if TYPE_CHECKING:
    from tuneloop.tasks.base import Task


def suits(task: Task | type[Task]) -> bool:
    """Whether a task's answer is one class, by a softmax over all of them, for each text that the model reads."""
    return task.problem_type == "single_label_classification" and task.layout == "whole"


def check_task(config: AbstainConfig, task: type[Task]) -> None:
    """Refuse, before anything is trained, what the task cannot give.

    Raises:
        ConfigError: if the task's answers are not one class each.
    """
    if config.used and not suits(task):
        raise ConfigError(
            t("release.abstain does not go with the task {task}.", task=task.name),
            t("It is for tasks whose answer is one class: classification and pair."),
        )


def check_rows(config: AbstainConfig, rows: int) -> None:
    """Refuse promises that rest on too few rows of dev.

    Raises:
        ReleaseError: with how many there must be.
    """
    needed = 0 if config.detector == "none" else abstainer.rows_needed(config.false_alarms)
    if config.coverage is not None:
        needed = max(needed, conformal.rows_needed(config.coverage))
    if rows < needed:
        raise ReleaseError(
            t("The dev split has {rows} rows, and what release.abstain promises needs {needed}.", rows=rows,
              needed=needed),
            t("Give dev more rows, or promise less in release.abstain."),
        )  # fmt: skip
