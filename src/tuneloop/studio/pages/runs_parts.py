"""The evaluation, the settings and the environment of a run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from nicegui import ui

from tuneloop.core.config import parse_config
from tuneloop.core.errors import ConfigError
from tuneloop.core.i18n import t
from tuneloop.evaluation.names import figure_text, metric_name, model_name
from tuneloop.evaluation.paired import sentence
from tuneloop.studio.tables import table
from tuneloop.studio.view import View, facts, heading, nothing, report
from tuneloop.training.runs import FINISHED, RunRow

OTHERS = ("comparison.", "search.")
"""Sections that no single run goes by."""


async def evaluation(view: View, row: RunRow) -> None:
    """Its figures on the test split with their intervals, and the whole report."""
    heading(t("Evaluation"))
    found = await view.thread(_read, row)
    if not found:
        hint = t("Evaluate measures it on the test split, which it has never seen.") if row.state == FINISHED else ""
        nothing(t("It was not evaluated yet."), hint)
        return
    figures = {metric_name(name): figure_text(each) for name, each in found["metrics"].items()}
    facts({name: text for name, text in figures.items() if text != "-"})
    for each in found.get("comparisons", []):
        ui.label(sentence(each, t("The model"), model_name(each["against"])))
    if (row.run.path / "report.html").is_file():
        with ui.expansion(t("The whole report"), icon="description", value=True).classes("wide"):
            report(t("Evaluation report of {run}", run=row.id), f"/report/run/{row.id}")


def _read(row: RunRow) -> dict[str, Any]:
    try:
        return dict(json.loads((row.run.path / "evaluation.json").read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


def configuration(row: RunRow) -> None:
    """Every setting that it really used; first those that are not the usual ones."""
    heading(t("Configuration"))
    settings = flat(row.settings)
    usual = _usual(settings)
    own = {name: value for name, value in settings.items() if name not in usual or usual[name] != value}
    own = {name: value for name, value in own.items() if not name.startswith(OTHERS)}
    ui.label(t("{count} of {all} settings are not as they would be by themselves.", count=len(own), all=len(settings)))
    rows = [[name, _text(value), _text(usual[name]) if name in usual else "-"] for name, value in own.items()]
    table([t("setting"), t("value"), t("by itself")], rows, name=t("Settings that were chosen"))
    with ui.expansion(t("All settings"), icon="tune").classes("wide"):
        table([t("setting"), t("value")], [[name, _text(value)] for name, value in settings.items()],
              name=t("All settings"))  # fmt: skip


def environment(info: Mapping[str, Any]) -> None:
    """The machine and the versions that trained it."""
    heading(t("Environment"))
    known = {**info.get("environment", {}), **{f"tuneloop {key}": value for key, value in info.get("code", {}).items()}}
    facts(known) if known else nothing(t("It was not noted."))


def flat(value: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings as `training.epochs`-like names."""
    found: dict[str, Any] = {}
    for key, inner in value.items():
        if isinstance(inner, Mapping) and inner:
            found |= flat(inner, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = inner
    return found


def _usual(settings: Mapping[str, Any]) -> dict[str, Any]:
    """What the settings are where none is given, for the same task and method."""
    kinds = {key: {"type": settings[f"{key}.type"]} for key in ("task", "method") if f"{key}.type" in settings}
    try:
        return flat(parse_config({"data": {"source": ""}, **kinds}).model_dump(mode="json"))
    except ConfigError:
        return {}


def _text(value: Any) -> str:
    return "" if value is None else str(value)
