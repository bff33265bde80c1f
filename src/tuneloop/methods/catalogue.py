"""What methods and tasks are, what they can be told, and which go together, asked of the code itself."""

from __future__ import annotations

import inspect
from typing import Any

from tuneloop.core.config import MethodConfig, TaskConfig
from tuneloop.core.i18n import language, translate
from tuneloop.core.options import Options
from tuneloop.methods import METHODS, create_method
from tuneloop.tasks import TASKS, create_task

LABELS = ["a", "b"]


def catalogue(*, task: str = "") -> list[dict[str, Any]]:
    """For each method its `name`, `summary`, `options` and `tasks`, in the language in force.

    An option has a `name`, a `default`, `needed` where there is none, and a `description`. `tasks` says of each task
    why the method makes no sense for it, or is empty where it does.

    Args:
        task: only methods that go with it.

    Raises:
        ConfigError: if there is no such task.
    """
    if task:
        TASKS.get(task)
    every = [describe(name) for name in METHODS.names()]
    return [each for each in every if not (task and each["tasks"][task])]


def describe(name: str) -> dict[str, Any]:
    """What `catalogue` says of one method.

    Raises:
        ConfigError: if there is none of that name; the nearest one is suggested.
    """
    summary = _said(inspect.getdoc(METHODS.get(name)))
    return {"name": name, "summary": summary, "options": options_of(METHODS.get(name).Options), "tasks": refusals(name)}


def refusals(method: str) -> dict[str, str]:
    """For each task why the method makes no sense for it; empty where it does."""
    chosen = create_method(MethodConfig(type=method, **METHODS.get(method).examples))
    return {name: chosen.refusal(create_task(TaskConfig(type=name), {"labels": LABELS})) for name in TASKS.names()}


def options_of(kind: type[Options]) -> list[dict[str, Any]]:
    """What `catalogue` says of the options of a method or a task; of a group, each as GROUP.OPTION."""
    plain = kind.model_construct().model_dump(mode="json", warnings=False)
    found: list[dict[str, Any]] = []
    for name, field in kind.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Options):
            found += [each | {"name": f"{name}.{each['name']}"} for each in options_of(field.annotation)]
            continue
        known = {"name": name, "default": plain.get(name), "needed": field.is_required()}
        found.append(known | {"description": _said(field.description)})
    return found


def _said(text: str | None) -> str:
    """The first line of a description."""
    return translate((text or "").strip().split("\n")[0], language())
