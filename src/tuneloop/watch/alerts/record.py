"""What was told of a release's alarms: which, by which ways, and when."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from tuneloop.watch.alerts.base import Alert
from tuneloop.watch.alerts.tell import LOG, TOLD
from tuneloop.watch.drift.page import alarm_sentence
from tuneloop.watch.early.rules import Warned


def told_alerts(folder: Path, found: Sequence[Alert] = ()) -> list[dict[str, Any]]:
    """Alerts of a release, the newest first: those of its log, and those that were found and stand in none.

    Args:
        folder: of the release, in `Workspace.watched`.
        found: alarms of its watch.json.

    Returns:
        Each as `Alert.to_json`, its sentence in the language in force, with `told`: the moment, seconds since 1970,
        UTC, by the name of each way that it was told by.
    """
    alerts = {each.id: each.to_json() for each in found} | {each["id"]: each for each in _logged(folder / LOG)}
    told = _told(folder / TOLD)
    known = [each | {"sentence": _sentence(each), "told": told.get(each["id"], {})} for each in alerts.values()]
    return sorted(known, key=lambda each: -float(each["at"]))


def _sentence(alert: Mapping[str, Any]) -> str:
    """The log keeps the language of who watched."""
    kind, details = str(alert["about"]).partition(" ")[0], alert["details"]
    with suppress(KeyError, TypeError, ValueError):
        if kind == "drift":
            return alarm_sentence(details)
        if kind == "warning":
            return Warned.sentence(details)
    return str(alert["sentence"])


def _logged(path: Path) -> list[dict[str, Any]]:
    """The log's alerts; a line that a crash has cut is left out."""
    found = []
    with suppress(FileNotFoundError):
        for line in path.read_text(encoding="utf-8").split("\n"):
            with suppress(ValueError):
                found.append(json.loads(line))
    return [
        each for each in found if isinstance(each, dict) and {"id", "at", "about", "sentence", "details"} <= set(each)
    ]


def _told(path: Path) -> dict[str, dict[str, float]]:
    """When each alert was told, by its id and the way; nothing where the file is damaged, which `tell` says."""
    by_id: dict[str, dict[str, float]] = {}
    with suppress(OSError, ValueError, KeyError, AttributeError):
        for key, at in json.loads(path.read_text(encoding="utf-8"))["alerts"].items():
            way, _, alert = key.partition(" ")
            by_id.setdefault(alert, {})[way] = float(at)
    return by_id
