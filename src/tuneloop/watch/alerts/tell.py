"""Tells alerts once each: what was told stands in a file."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tuneloop.core.drifting import AlertConfig
from tuneloop.core.errors import StorageError, TuneloopError
from tuneloop.core.fsio import storage_errors, write_json
from tuneloop.core.i18n import t
from tuneloop.core.lock import locked
from tuneloop.watch.alerts.base import Alert, AlertError, Channel
from tuneloop.watch.alerts.log import Log
from tuneloop.watch.alerts.mail import Mail
from tuneloop.watch.alerts.webhook import Webhook

TOLD = "alerts-told.json"
LOG = "alerts.jsonl"


def channels_of(config: AlertConfig, folder: Path) -> list[Channel]:
    """The ways of a configuration; the log lies in `folder`.

    Raises:
        ConfigError: if one cannot be used as it is configured.
    """
    found: list[Channel] = [Log(folder / LOG)] if config.log else []
    if config.webhook:
        found.append(Webhook(config.webhook))
    if config.mail:
        found.append(Mail(config.mail))
    return found


def tell(
    alerts: Sequence[Alert],
    channels: Sequence[Channel],
    folder: Path,
    *,
    cooldown_s: float,
    lasting: str = "",
    clock: Callable[[], float] = time.time,
) -> list[TuneloopError]:
    """Tell what was not told yet, by each way once; two commands at a time wait for each other.

    A way that fails is tried again by the next call, the others are not. Within the cool-down after an alert nothing
    more is told about the same figure of the same slice; what is held back so is told afterwards, if it is still found.

    Args:
        alerts: all that are found now, told or not.
        folder: where it is kept what was told; it is made if it is not there.
        lasting: how `about` begins of alarms that are found as long as they last, of which `alerts` has all: one that
            was told and is gone is told again when it comes back.
        cooldown_s: by `clock`. A clock that was set back does not silence alerts: a moment to come counts as now.

    Returns:
        What went wrong, one error for each alert and way.
    """
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    errors: list[TuneloopError] = []
    with locked(folder):
        told = _read(folder / TOLD)
        if lasting:
            here = {f"{channel.name} {alert.about}" for alert in alerts for channel in channels}
            told["lasting"] = {about: each for about, each in told["lasting"].items() if about in here}
        for alert in alerts:
            for channel in channels:
                key = f"{channel.name} {alert.id}"
                about = f"{channel.name} {alert.about}"
                before = told["lasting"].get(about)
                if before and key not in told["alerts"] and alert.details.get("since_at", alert.at) <= before["at"]:
                    told["alerts"][key] = before["told"]  # windows begin elsewhere where old events are pruned
                if key in told["alerts"] or _is_cooling(told["last"].get(about), clock(), cooldown_s):
                    continue
                try:
                    channel.send(alert)
                except (AlertError, StorageError) as error:
                    errors.append(error)
                    continue
                told["alerts"][key] = told["last"][about] = clock()
                if lasting and alert.about.startswith(lasting):
                    told["lasting"][about] = {"at": alert.at, "told": told["alerts"][key]}
                write_json(folder / TOLD, told)  # after each: a crash repeats one alert at most
        if lasting:
            write_json(folder / TOLD, told)
    return errors


def _is_cooling(last: float | None, now: float, cooldown_s: float) -> bool:
    return last is not None and 0 <= now - last < cooldown_s


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {"alerts": {}, "last": {}, "lasting": {}}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return {"alerts": dict(found["alerts"]), "last": dict(found["last"]), "lasting": dict(found.get("lasting", {}))}
    except (OSError, KeyError, TypeError, ValueError):
        raise AlertError(
            t("{path} is damaged, so nobody knows what was told.", path=path),
            t("Delete it; alerts that were told are told once more."),
        ) from None
