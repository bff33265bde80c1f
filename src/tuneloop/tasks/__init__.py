"""What is predicted: one file per task. A task knows nothing of methods."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tuneloop.core.config import TaskConfig, parse_options
from tuneloop.core.registry import Registry

if TYPE_CHECKING:
    from tuneloop.tasks.base import Task

TASKS: Registry[type[Task]] = Registry(
    "task",
    "tuneloop.tasks",
    {
        "classification": "tuneloop.tasks.classification:Classification",
        "multilabel": "tuneloop.tasks.multilabel:MultiLabel",
        "pair": "tuneloop.tasks.pair:PairClassification",
        "regression": "tuneloop.tasks.regression:Regression",
        "pair_regression": "tuneloop.tasks.pair_regression:PairRegression",
        "tagging": "tuneloop.tasks.tagging:Tagging",
        "qa": "tuneloop.tasks.qa:ExtractiveQA",
        "similarity": "tuneloop.tasks.similarity:Similarity",
        "retrieval": "tuneloop.tasks.retrieval:Retrieval",
        "generation": "tuneloop.tasks.generation:Generation",
        "multiple_choice": "tuneloop.tasks.multiple_choice:MultipleChoice",
    },
)


def task_class(config: TaskConfig) -> type[Task]:
    """The class of the task that a configuration names.

    Raises:
        ConfigError: if there is no such task.
    """
    return TASKS.get(config.type)


def create_task(config: TaskConfig, state: Mapping[str, Any]) -> Task:
    """The task with its options and what it learnt from the training labels.

    Args:
        config: the type and its options.
        state: `Task.state` of an earlier instance, or `{"labels": [...]}` from a snapshot.

    Raises:
        ConfigError: if there is no such task or it has no such option.
    """
    kind = TASKS.get(config.type)
    return kind(parse_options(kind.Options, config.options, where=f"task {config.type}"), state)
