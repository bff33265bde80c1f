"""Charts of served answers over time, as ECharts takes them. Names of labels stand in values alone, never in keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nicegui import ui

from tuneloop.core.i18n import t
from tuneloop.studio.pages.watch_counts import Counted, Row

MOST_LABELS = 8
"""Labels that are drawn apart; the others are drawn together."""

MOST_POINTS = 2000

FEWEST = 20
"""Answers that are judged behind a point of measured accuracy."""

COLOURS = ("#4269d0", "#e07b1f", "#3ca951", "#d1495b", "#9c6ade", "#2f9fb4", "#b8860b", "#c25b9b", "#8a8f98")
TEXT = {"color": "#7d828b"}
"""Readable on white and on black."""


def draw(options: dict[str, Any], title: str) -> ui.echart:
    """A chart with its title, which is also what it is called where it cannot be seen."""
    with ui.element("figure").classes("figure"):
        with ui.element("figcaption"):
            ui.label(title)
        chart = ui.echart(options).classes("chart small").props("role=img")
    chart.props["aria-label"] = title
    return chart


def frame(series: list[dict[str, Any]], *, x: str = "time", y: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What every chart has around its series. Tips are drawn, not made of HTML."""
    lines = {"splitLine": {"lineStyle": {"color": "#8883"}}, "axisLabel": TEXT}
    return {
        "useUTC": True, "animation": False, "color": list(COLOURS),
        "grid": {"left": 8, "right": 14, "top": 34, "bottom": 6, "containLabel": True},
        "legend": {"type": "scroll", "top": 0, "textStyle": TEXT, "pageTextStyle": TEXT},
        "tooltip": {"trigger": "axis", "renderMode": "richText", "confine": True},
        "xAxis": {"type": x, **lines, "splitLine": {"show": False}, "axisLabel": {**TEXT, "hideOverlap": True}},
        "yAxis": {"type": "value", **lines, **(y or {})},
        "series": series,
    }  # fmt: skip


def answers(found: Counted) -> list[dict[str, Any]]:
    """Answers and feedback, by stretch of time."""
    return [
        _bars(t("answers"), [(row.at, row.events) for row in found.rows]),
        line(t("feedback"), [(row.at, row.said) for row in found.rows]),
    ]


def labels(found: Counted) -> list[dict[str, Any]]:
    """The share of each label among the answers."""
    most = [name for name, _ in found.labels.most_common()]
    shown, others = (most, []) if len(most) <= MOST_LABELS + 1 else (most[:MOST_LABELS], most[MOST_LABELS:])
    shown = sorted(shown)  # a colour stays with its label when others become more frequent
    drawn = [
        _bars(label_name(name), [(row.at, _share(row, [name])) for row in found.rows], stack=True) for name in shown
    ]
    if others:
        drawn.append(_bars(t("the others"), [(row.at, _share(row, others)) for row in found.rows], stack=True))
    return drawn


def latency(found: Counted) -> list[dict[str, Any]]:
    """The time within which 50, 95 and 99 % of the answers came."""
    return [
        line(name, [(row.at, row.took_ms[number]) for row in found.rows])
        for number, name in enumerate(("p50", "p95", "p99"))
    ]


def accuracy(found: Counted, watched: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """Mean confidence, what feedback measures, and what is estimated of windows."""
    drawn = [
        line(t("mean confidence"), [(row.at, _rounded(row.confidence)) for row in found.rows]),
        line(t("right by feedback"), _measured(found.rows)),
    ]  # fmt: skip
    if watched:
        windows = zip(watched["windows"], watched["accuracy_windows"], strict=False)
        points = [(1000 * when["last_at"], each.get("difference") or each.get("confidence")) for when, each in windows]
        since = found.rows[0].at if found.rows else 0.0
        drawn.append(
            line(t("estimated without labels"), [(at, each["value"]) for at, each in points if each and at >= since])
        )
    return drawn


def _measured(rows: Sequence[Row]) -> list[tuple[float, float | None]]:
    """The share of right answers, of so many stretches of time together that `FEWEST` of their answers are judged."""
    points, judged, right = [], 0, 0
    for row in rows:
        judged, right = judged + row.judged, right + row.right
        if judged >= FEWEST:
            points.append((row.at, _rounded(right / judged)))
            judged = right = 0
    return points


def line(name: str, points: Sequence[tuple[float, Any]]) -> dict[str, Any]:
    """A curve of at most `MOST_POINTS` points."""
    step = max(1, -(-len(points) // MOST_POINTS))
    return {
        "type": "line", "name": name, "data": [list(each) for each in points[::step]], "symbolSize": 7,
        "showSymbol": len(points) < 3,
    }  # fmt: skip


def label_name(name: str) -> str:
    """A label as it is shown; it comes from data and may be long."""
    return (name if len(name) <= 30 else name[:29] + "…") or t("no class")


def _bars(name: str, points: Sequence[tuple[float, Any]], *, stack: bool = False) -> dict[str, Any]:
    return {
        "type": "bar", "name": name, "data": [list(each) for each in points], "barMaxWidth": 22,
        **({"stack": "all"} if stack else {}),
    }  # fmt: skip


def _share(row: Row, names: Sequence[str]) -> float | None:
    return _rounded(sum(row.labels[name] for name in names) / row.events) if row.events else None


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
