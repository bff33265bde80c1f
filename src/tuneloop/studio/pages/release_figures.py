"""The figures of a release, and against the release before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nicegui import ui

from tuneloop.core.i18n import t
from tuneloop.evaluation.names import figure_text, metric_name, model_name
from tuneloop.evaluation.paired import UNCLEAR, sentence
from tuneloop.releases.index import Row, model_of, of_model, rows
from tuneloop.releases.listed import listed
from tuneloop.releases.read import Release
from tuneloop.studio.later import later
from tuneloop.studio.tables import table
from tuneloop.studio.view import View, facts, heading

MOST_CHANGED = 20
"""Texts with another answer than before that are shown."""


def figures(view: View, row: Row, release: Release) -> None:
    """What it is, how good it is, and what changed."""
    config = release.info["config"]
    (found,) = listed([row], view.studio.workspace)
    state = {"current": t("it answers"), "shadow": t("tried as a shadow"), "canary": t("tried as a canary")}
    facts(
        {
            t("model"): model_of(release.id),
            t("task"): config["task"]["type"],
            t("method"): config["method"]["type"],
            t("engine"): release.engine,
            t("created"): row.created[:16].replace("T", " "),
            t("deployed"): state.get(found.state, t("no")),
        }
    )
    ui.link(t("The run it was made of: {run}", run=row.run), f"/runs/{row.run}")
    later(view, lambda: _evaluation(release), _measured)
    heading(t("Against the release before"))
    before = _before(release, view)
    if before is None:
        ui.label(t("It is the first release of its model."))
        return
    later(view, lambda: _diff(before, release, view), lambda found: _differences(found, before, release.id))
    arguments = view.studio.arguments("releases", "diff", before, release.id)
    view.same(arguments, f"tl.api.diff({before!r}, {release.id!r}{view.studio.place})")


def _evaluation(release: Release) -> dict[str, Any]:
    try:
        return release.evaluation
    except (OSError, ValueError):
        return {}


def _measured(found: Mapping[str, Any]) -> None:
    if "metrics" not in found:
        ui.label(t("No figures travel with this release.")).classes("muted")
        return
    heading(t("{rows} rows of the {split} split", rows=found["rows"], split=found["split"]), 3)
    baselines = found["baselines"]
    rows_ = [
        [metric_name(name), figure_text(figure), *(figure_text(other.get(name)) for other in baselines.values())]
        for name, figure in found["metrics"].items()
    ]
    table([t("metric"), t("the model"), *map(model_name, baselines)], rows_, name=t("Figures"))
    ui.label(t("In brackets: 95 % intervals.")).classes("muted")
    for each in found["comparisons"]:
        verdict(each, sentence(each, t("The model"), model_name(each["against"])))


def verdict(found: Mapping[str, Any], text: str) -> None:
    """A comparison in words, marked by what it says; that nothing can be told is neither good nor bad."""
    outcome = found["verdict"]
    ui.label(text).classes("card " + {"better": "good", "worse": "bad"}.get(outcome, "muted"))


def _before(release: Release, view: View) -> str | None:
    made = of_model(model_of(release.id), rows(view.studio.workspace))
    number = made.index(release.id)
    return made[number - 1] if number else None


def _diff(before: str, release: Release, view: View) -> dict[str, Any]:
    from tuneloop import api

    return api.diff(before, release.id, workspace=view.studio.workspace.root)


def _differences(found: dict[str, Any], before: str, after: str) -> None:
    kinds = {"config": t("setting"), "data": t("data"), "metrics": t("metric")}
    changed = [[kinds[kind], key, *map(_short, values)] for kind in kinds for key, values in found[kind].items()]
    paired = found.get("paired")
    if paired:
        verdict(paired, paired["sentence"])
        if paired["verdict"] == UNCLEAR:
            ui.label(t("Which of the two is better cannot be told from these rows.")).classes("text")
    elif "unpaired" in found:
        ui.label(t("The two cannot be compared: {why}", why=found["unpaired"])).classes("card muted")
    else:
        ui.label(t("The two were not measured text by text, so nothing is said about which is better."))
    if changed:
        table(["", t("what"), before, after], changed, name=t("What differs"))
    else:
        ui.label(t("Settings, data and figures are the same."))
    if paired and paired["rows"]:
        _answers(paired["rows"], before, after)


def _answers(changed: list[dict[str, Any]], before: str, after: str) -> None:
    title = t("Answers that changed: {count}", count=len(changed))
    with ui.expansion(title).classes("same"):
        cells = [
            [_text(row["text"]), *(str(row[key]) for key in ("label", "a", "b"))] for row in changed[:MOST_CHANGED]
        ]
        table([t("text"), t("label"), before, after], cells, name=title)


def _text(given: Any) -> str:
    return given if isinstance(given, str) else " | ".join(map(str, given))


def _short(value: Any) -> str:
    if isinstance(value, dict) and "value" in value:
        return figure_text(value)
    return "" if value is None else str(value)[:100]
