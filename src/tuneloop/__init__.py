"""tuneloop: the whole life of a fine-tuned model. `tuneloop.api` says what each name does."""

from __future__ import annotations

from importlib import import_module
from typing import Any

__all__ = [
    "audit",
    "bench",
    "cascade",
    "check",
    "compare",
    "compare_runs",
    "correct",
    "corrections",
    "deploy",
    "deployments",
    "effect",
    "evaluate",
    "event_series",
    "events",
    "feedback",
    "init",
    "label_export",
    "label_import",
    "label_next",
    "label_status",
    "list_methods",
    "load",
    "open_knowledge",
    "open_project",
    "plan",
    "pretrain",
    "pull",
    "push",
    "release",
    "rollback",
    "runs",
    "search",
    "serve",
    "snapshot",
    "stop_run",
    "tune",
    "undo_correction",
    "update",
    "updates",
    "verify_trail",
    "weak_label",
    "weak_table",
    "why",
]


def __getattr__(name: str) -> Any:
    # names are imported when they are used, so that `import tuneloop` stays instant
    if name == "api":  # all of it: some names there are those of packages here
        return import_module("tuneloop.api")
    if name == "open_knowledge":
        return import_module("tuneloop.releases.knowledge").open_knowledge
    if name in ("verify_trail", "why"):
        return getattr(import_module("tuneloop.api.trail"), name)
    if name in ("event_series", "events", "feedback"):
        return getattr(import_module("tuneloop.api.events"), name)
    if name in __all__:
        return getattr(import_module("tuneloop.api"), name)
    raise AttributeError(f"module 'tuneloop' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
