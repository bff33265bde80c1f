"""What an update has decided, and on what grounds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nicegui import ui

from tuneloop.core.i18n import t
from tuneloop.loop.decision_page import (
    collected,
    evidence_headers,
    evidence_rows,
    judged_headers,
    judged_rows,
    summary,
    tried_headers,
    tried_rows,
)
from tuneloop.studio.jobs import command_line
from tuneloop.studio.tables import table
from tuneloop.studio.view import View, code, heading

LOOK = {"promote": "good", "hold": "bad", "ask": ""}


def decision(view: View, found: Mapping[str, Any]) -> None:
    """The whole of a decision.json."""
    verdict, *rest = summary(found)
    with ui.element("div").classes(f"card {LOOK[found['verdict']]}").props("role=status"):
        ui.label(verdict).classes("big")
        for line in rest:
            ui.label(line).classes("text")
    _next(view, found)
    heading(t("What was tried"))
    table(tried_headers(), tried_rows(found), name=t("What was tried"))
    for each in found["tried"]:
        if "dev" in each:
            heading(t("{step} on dev", step=each["step"]), 3)
            table(evidence_headers(), evidence_rows(each["dev"]["reasons"]), name=each["step"])
    if found["judged_on"] == "test":
        heading(t("{run} on test, once", run=found["candidate"]), 3)
        table(evidence_headers(), evidence_rows(found["reasons"]), name="test")
    heading(t("New rows"))
    for line in collected(found["new_rows"]):
        ui.label(line).classes("text")
    heading(t("Rows that judged"))
    table(judged_headers(), judged_rows(found), name=t("Rows that judged"))


def _next(view: View, found: Mapping[str, Any]) -> None:
    """What a person can do now."""
    if found["release"]:
        ui.link(t("Deploy {release}", release=found["release"]), f"/update?name={found['name']}")
    elif found["verdict"] != "promote":
        words = view.studio.arguments("release", found["candidate"])
        code(t("To release it all the same"), command_line(words), "bash")
