"""Charts of numbers: what is drawn is also said to screen readers, and names from data are never read as markup."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from nicegui import ui

COLORS = ("#4269d0", "#e8603c", "#2f9e44", "#c98a00", "#8a4fdb", "#0e8fa8", "#9c6b4e", "#d6487e")
SYMBOLS = {
    "circle": "●",
    "rect": "■",
    "diamond": "◆",
    "triangle": "▲",
    "emptyCircle": "○",
    "emptyRect": "□",
    "emptyDiamond": "◇",
}
"""Of ECharts, and what looks like them in a text."""
DASHES = ("solid", "dashed", "dotted")
FEW = 60
"""Points of a curve that are also drawn as marks."""

Pairs = Sequence[Sequence[float]]


def lines(curves: Mapping[str, Pairs], *, x: str, y: str) -> dict[str, Any]:
    """Options of a chart of curves over one axis, each of (x, y) points."""
    return _base(x=x, y=y) | {"series": _series(curves)}


def scatter(
    places: Mapping[str, tuple[float, float, float | None, float | None]],
    *,
    front: Pairs,
    ringed: Collection[str],
    x: str,
    y: str,
    log: bool,
) -> dict[str, Any]:
    """Options of a chart of points with upright intervals.

    Args:
        places: of each point its x, its y, and the ends of the interval of y, if there is one.
        front: what a line joins.
        ringed: names of the points that stand out.
        log: whether x is shown by its factors.
    """
    series: list[dict[str, Any]] = [
        {"type": "line", "data": [list(each) for each in front], "symbol": "none", "silent": True,
         "lineStyle": {"color": "#888", "width": 1.2, "type": "dashed"}, "tooltip": {"show": False}},
    ]  # fmt: skip
    for number, (name, (across, up, low, high)) in enumerate(places.items()):
        color, symbol = look(number)
        if low is not None and high is not None:
            series.append(
                {"type": "line", "data": [[across, low], [across, high]], "symbol": "none", "silent": True,
                 "lineStyle": {"color": color, "width": 1.6, "opacity": 0.55}, "tooltip": {"show": False}}
            )  # fmt: skip
        ring = {"borderColor": "#111", "borderWidth": 2.5} if name in ringed else {}
        series.append(
            {"type": "scatter", "name": name, "data": [[across, up]], "symbol": symbol, "z": 3,
             "symbolSize": 19 if name in ringed else 13, "itemStyle": {"color": color, **ring}}
        )  # fmt: skip
    options = _base(x=x, y=y) | {"series": series}
    return options | {"xAxis": axis(x, log=log), "tooltip": options["tooltip"] | {"trigger": "item"}}


def draw(options: dict[str, Any], label: str) -> ui.echart:
    """A chart; `label` says what it shows to who does not see it."""
    chart = ui.echart(options).classes("chart").props("role=img")
    chart.props["aria-label"] = label
    return chart


def redraw(chart: ui.echart, curves: Mapping[str, Pairs]) -> None:
    """Other points in the same chart; nothing else of the page moves."""
    chart.options["series"] = _series(curves)
    chart.update()


def look(number: int) -> tuple[str, str]:
    """Colour and shape of the n-th series; no two of the first fifty-six are the same in both."""
    return COLORS[number % len(COLORS)], list(SYMBOLS)[number % len(SYMBOLS)]


def mark(number: int) -> None:
    """The mark of the n-th series, for a legend that stands in the page and belongs to several charts."""
    color, symbol = look(number)
    ui.label(SYMBOLS[symbol]).style(f"color: {color}").props("aria-hidden=true")


def axis(name: str, *, log: bool = False) -> dict[str, Any]:
    """An axis of numbers that need not begin at 0."""
    line = {"lineStyle": {"color": "#8888"}}
    return {
        "type": "log" if log else "value", "name": name, "nameLocation": "middle", "nameGap": 28, "scale": True,
        "axisLine": {"onZero": False, **line}, "splitLine": {"lineStyle": {"color": "#8883"}},
        "axisLabel": {"color": "#444", "hideOverlap": True}, "nameTextStyle": {"color": "#444"},
    }  # fmt: skip


def _base(*, x: str, y: str) -> dict[str, Any]:
    return {
        "animation": False,
        "grid": {"left": 8, "right": 16, "top": 34, "bottom": 34, "containLabel": True},
        "tooltip": {"trigger": "axis", "renderMode": "richText", "confine": True},
        "xAxis": axis(x),
        "yAxis": axis("")
        | {"name": y, "nameLocation": "end", "nameGap": 12, "nameTextStyle": {"align": "left", "color": "#444"}},
    }


def _series(curves: Mapping[str, Pairs]) -> list[dict[str, Any]]:
    found = []
    for number, (name, points) in enumerate(curves.items()):
        color, symbol = look(number)
        found.append(
            {
                "type": "line", "name": name, "data": [list(each) for each in points], "symbol": symbol,
                "symbolSize": 7, "showSymbol": len(points) <= FEW, "itemStyle": {"color": color},
                "lineStyle": {"width": 1.6, "color": color, "type": DASHES[number % len(DASHES)]},
            }
        )  # fmt: skip
    return found
