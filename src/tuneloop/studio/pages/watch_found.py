"""The part of Watch that a `tuneloop watch` has found: alerts, drift, accuracy, slices, texts, and its page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from nicegui import ui

from tuneloop.core.i18n import t
from tuneloop.studio.pages import watch_charts as charts
from tuneloop.studio.tables import table
from tuneloop.studio.view import heading, nothing
from tuneloop.watch.drift import DETECTORS
from tuneloop.watch.drift.page import accuracy_headers, accuracy_rows, moment, promise
from tuneloop.watch.early.rules import Warned

SHOWN_ALERTS, MOST_ALERTS = 6, 200
MILLION = 1_000_000


def alerts(found: Sequence[Mapping[str, Any]]) -> None:
    """What was told, the newest first, and by which ways."""
    heading(t("Alerts"))
    if not found:
        ui.label(t("Nothing was told of this release.")).classes("muted")
        return
    _alerts(found[:SHOWN_ALERTS])
    if len(found) > SHOWN_ALERTS:
        with ui.expansion(t("{count} earlier ones", count=len(found) - SHOWN_ALERTS)).classes("numbers"):
            _alerts(found[SHOWN_ALERTS:MOST_ALERTS])


def _alerts(found: Sequence[Mapping[str, Any]]) -> None:
    rows = [[moment(each["at"]), each["sentence"], _told(each["told"])] for each in found]
    table([t("when (UTC)"), t("what"), t("told by")], rows, name=t("Alerts"))


def _told(told: Mapping[str, float]) -> str:
    names = {"log": t("the log"), "webhook": t("webhook"), "mail": t("e-mail")}
    ways = [f"{names.get(way, way)} {moment(at)}" for way, at in sorted(told.items(), key=lambda each: each[1])]
    return "\n".join(ways) or t("nobody yet")


def findings(found: Mapping[str, Any] | None, *, texts_kept: bool | None) -> None:
    """All of a watch.json.

    Args:
        found: its content; None before the release was watched.
        texts_kept: whether the newest event holds its text; None where that is not known.
    """
    heading(t("Drift"))
    if found is None:
        nothing(
            t("This release was not watched yet."),
            t("Start tuneloop watch below: it compares what was served with what the release was measured on."),
        )
        return
    told = t(
        "{events} events, {windows} windows of {size}; watched {when}.",
        events=found["events"], windows=len(found["windows"]), size=found["window"],
        when=found["created"].replace("T", " ")[:16],
    )  # fmt: skip
    ui.label(told)
    ui.label(promise(found)).classes("muted")
    _detectors(found["detectors"])
    _evidence(found["detectors"])
    _accuracy(found)
    _slices(found)
    _warnings(found)
    _texts(found, texts_kept=texts_kept)


def _detectors(detectors: Mapping[str, Any]) -> None:
    rows = [
        [DETECTORS.get(name).title(), _capital(each), f"{each['threshold']:,.0f}", _state(name, each)]
        for name, each in detectors.items()
    ]
    headers = [t("figure"), t("highest evidence"), t("alarm at"), t("state")]
    table(headers, rows, name=t("Drift"))


def _capital(told: Mapping[str, Any]) -> str:
    capitals = [each["capital"] for each in told["windows"] if each["p"] is not None]
    return "–" if not capitals else f"{max(capitals):.3g}" if max(capitals) < MILLION else f"> {MILLION:,}"


def _state(name: str, told: Mapping[str, Any]) -> str:
    kind, alarm = DETECTORS.get(name), told["alarm"]
    if told["skipped"]:
        return t("not watched: the events do not tell it")
    if alarm is None:
        tested = any(each["p"] is not None for each in told["windows"])
        return t("quiet") if tested else t("no window to test yet")
    said = kind.sentence(alarm["effect"]) if alarm["effect"] else kind.title()
    return t("alarm") + ": " + t("Since {since}{where}: {said}", since=moment(alarm["since_at"]), where="", said=said)


def _evidence(detectors: Mapping[str, Any]) -> None:
    """The capital of each detector, window by window, against the bar."""
    shown = {name: each for name, each in detectors.items() if any(row["p"] is not None for row in each["windows"])}
    if not shown:
        return
    series = []
    for name, each in shown.items():
        points = [(number + 1, _log(row["capital"])) for number, row in enumerate(each["windows"])]
        series.append(charts.line(DETECTORS.get(name).title(), points))
    bar = _log(next(iter(shown.values()))["threshold"])
    series[0]["markLine"] = {
        "silent": True, "symbol": "none", "lineStyle": {"color": "#d1495b", "type": "dashed"},
        "label": {"formatter": t("alarm"), "position": "insideStartTop", "color": "#d1495b"}, "data": [{"yAxis": bar}],
    }  # fmt: skip
    options = charts.frame(series, x="value", y={"name": "log10", "max": math.ceil(max(bar, _top(series)) + 0.5)})
    options["xAxis"]["minInterval"] = 1
    charts.draw(options, t("Evidence of a change, window by window; the numbers stand in the table above"))


def _top(series: Sequence[Mapping[str, Any]]) -> float:
    return max(float(point[1]) for each in series for point in each["data"])


def _log(value: float) -> float:
    return round(math.log10(max(value, 1e-6)), 3)


def _accuracy(found: Mapping[str, Any]) -> None:
    if found["accuracy"]:
        heading(t("Accuracy"), 3)
        table(accuracy_headers(), accuracy_rows(found), name=t("Accuracy"))


def _slices(found: Mapping[str, Any]) -> None:
    heading(t("Slices"), 3)
    if not found["slices"]:
        ui.label(t("No slices are watched: name some in watch.drift.slices.")).classes("muted")
        return
    rows = []
    for each in found["slices"]:
        raised = [_state(name, told) for name, told in each["detectors"].items() if told["alarm"]]
        rows.append([f"{each['by']}={each['value']}", each["events"], len(each["windows"]), "\n".join(raised) or "–"])
    table([t("slice"), t("events"), t("windows"), t("alarms")], rows, name=t("Slices"))


def _warnings(found: Mapping[str, Any]) -> None:
    if not found.get("warnings"):
        return
    heading(t("Early warnings"), 3)
    rows = [[moment(each["since"]), moment(each["at"]), Warned.sentence(each)] for each in found["warnings"]]
    table([t("since"), t("seen"), t("what")], rows, name=t("Early warnings"))


def _texts(found: Mapping[str, Any], *, texts_kept: bool | None) -> None:
    heading(t("The most typical new texts"), 3)
    if found["new_texts"]:
        rows = [[_item(each), each["label"] or "–", each["event"]] for each in found["new_texts"]]
        table([t("text"), t("answer"), t("event")], rows, name=t("The most typical new texts"))
        note = t("watch.json lists {count} texts that are worth labelling.", count=len(found["to_label"]))
    elif texts_kept is False:
        note = t("Which texts have changed cannot be told, as texts are not kept: set watch.events: texts.")
    elif any(each["alarm"] for each in found["detectors"].values()):
        note = t("No texts are kept of the newest events.")
    else:
        note = t("No figure raised an alarm, so no texts are named.")
    ui.label(note).classes("muted")


def _item(text: Mapping[str, Any]) -> str:
    return "\n".join(part for part in (text["text"], text.get("pair")) if part)
