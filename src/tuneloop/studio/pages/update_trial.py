"""What is being tried beside the current release: both sides in figures, and the evidence against the bar."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from nicegui import ui

from tuneloop.core.i18n import t
from tuneloop.releases.deployment_words import criteria, shadow_lines, verdicts
from tuneloop.studio.tables import table
from tuneloop.studio.view import heading

MILLION = 1_000_000


def trial(found: Mapping[str, Any]) -> None:
    """The figures of each server that tries a candidate, and of all together.

    Args:
        found: of `api.deployments`.
    """
    tried = found["candidate"]
    if tried is None:
        return
    heading(t("What is being tried"), 3)
    if not found["figures"]:
        ui.label(t("No server has counted anything of {release} yet.", release=tried["release"])).props("role=status")
    headers = [
        t("share of"), found["current"], tried["release"], t("evidence that it is worse"),
        t("evidence that it is not worse"), t("what can be said"),
    ]  # fmt: skip
    if found["together"]:
        count = len(found["figures"])
        ui.label(t("{release} on all {count} servers", release=tried["release"], count=count)).classes("muted")
        table(headers, [_row(name, each) for name, each in found["together"].items()], name=tried["release"])
    for server, figures in found["figures"].items():
        ui.label(t("{release} on {server}", release=tried["release"], server=server)).classes("muted")
        if figures["shadow"]:
            for line in shadow_lines(figures["shadow"]):
                ui.label(line)
        else:
            table(headers, [_row(name, each) for name, each in figures["criteria"].items()], name=tried["release"])
        ui.label(_medians(found["current"], tried["release"], figures["median_ms"])).classes("muted")
    ui.label(t("Servers judge a canary and write these figures every 2 seconds.")).classes("muted")


def _row(name: str, each: Mapping[str, Any]) -> list[str]:
    sides = [each["current"], each["candidate"]]
    evidence = each.get("evidence")  # servers of an earlier version write none
    told = [_evidence(evidence[claim], evidence["bar"]) if evidence else "–" for claim in ("worse", "not_worse")]
    known = all(side["asked"] for side in sides)
    return [
        criteria().get(name, name), *map(_share, sides), *told,
        verdicts()[each["verdict"]] if known else t("no data"),
    ]  # fmt: skip


def _share(side: Mapping[str, Any]) -> str:
    return t("{share:.1%} of {count}", share=side["share"], count=side["asked"]) if side["asked"] else "–"


def _evidence(log_capital: float, log_bar: float) -> str:
    """Capital and the bar at which it is for certain."""
    capital = f"> {MILLION:,}" if log_capital > math.log(MILLION) else f"{math.exp(log_capital):,.2f}"
    return t("{capital} of {bar:.0f}", capital=capital, bar=math.exp(log_bar))


def _medians(current: str, candidate: str, times: Mapping[str, float | None]) -> str:
    shown = {side: "–" if value is None else f"{value:.1f}" for side, value in times.items()}
    return t("Median time: {current} {before} ms, {candidate} {after} ms.", current=current, candidate=candidate,
             before=shown["current"], after=shown["candidate"])  # fmt: skip
