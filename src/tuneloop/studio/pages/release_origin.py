"""Where a release comes from and what became of it: drawn, and as a list."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from nicegui import ui
from nicegui.events import EChartPointClickEventArguments

from tuneloop.core.i18n import t
from tuneloop.releases.lineage import lineage_of
from tuneloop.releases.read import Release
from tuneloop.studio.later import later
from tuneloop.studio.view import View, facts, heading

if TYPE_CHECKING:
    from tuneloop.loop.origin import Node, Origin

WIDTH, HEIGHT = 160, 58
"""Of a box, in pixels."""
BOX = "path://M6,0 L154,0 Q160,0 160,6 L160,52 Q160,58 154,58 L6,58 Q0,58 0,52 L0,6 Q0,0 6,0 Z"
COLUMN, LINE = 196, 72
"""From one box to the next."""
COLOURS = {
    "file": "#5b616b", "data": "#2f57c4", "run": "#7a3fb0", "update": "#8a5a00", "release": "#1f7a33",
    "deployment": "#00707a", "events": "#a8325f", "feedback": "#a8325f",
}  # fmt: skip
"""Grounds on which white letters can be read, in light and in dark; the words in the boxes say the same."""
DRAWN = 8
"""Boxes of one column; the list has them all."""


def came_from(view: View, release: Release) -> None:
    """The graph of a release."""
    from tuneloop import api

    project = view.studio.project
    store = "" if project is None else project.config.watch.store

    def read() -> Origin:
        return api.origin(release.id, store=store, workspace=view.studio.workspace.root)

    later(view, read, lambda found: show(found, release))
    _hashes(release)
    view.same(
        view.studio.arguments("releases", "show", release.id), f"tl.api.origin({release.id!r}{view.studio.place})"
    )


def show(found: Origin, release: Release) -> None:
    """The picture, and the same as a list."""
    with ui.element("div").classes("wide").props("tabindex=0"):
        draw(found, release)
    heading(t("The same as a list"))
    names = {node.id: f"{kind_text(node)} {node.name}" for node in found.nodes}
    with ui.element("ul").classes("origin"):
        for node in found.nodes:
            with ui.element("li"):
                _entry(node, [names[one] for one, other in found.edges if other == node.id])


def _entry(node: Node, before: list[str]) -> None:
    with ui.element("span").classes("row"):
        ui.label(kind_text(node)).classes("muted")
        ui.link(node.name, way_to(node))
        ui.label(note_text(node)).classes("muted")
        if not node.there:
            ui.label(t("not in the workspace any more")).classes("bad")
        if before:
            ui.label(t("from: {names}", names=", ".join(before))).classes("muted")


def kind_text(node: Node) -> str:
    """What a node is, in words."""
    return {
        "file": t("file"), "data": t("data"), "run": t("run"), "update": t("update"), "release": t("release"),
        "deployment": t("change"), "events": t("answers of"), "feedback": t("feedback on"),
    }[node.kind]  # fmt: skip


def note_text(node: Node) -> str:
    """What is known of it, in words."""
    facts_: Mapping[str, Any] = node.facts
    if node.kind == "file":
        return t("{rows} rows", rows=facts_["rows"]) if facts_["rows"] is not None else ""
    if node.kind == "release":
        return str(facts_["created"])[:10]
    if node.kind == "update":
        return str(facts_["verdict"])
    if node.kind == "deployment":
        at = datetime.fromtimestamp(facts_["at"], UTC)
        return f"{change_text(facts_['kind'])}, {at:%Y-%m-%d %H:%M} UTC, {facts_['who']}"
    if node.kind in ("events", "feedback"):
        return t("more than {count}", count=facts_["count"]) if facts_["more"] else str(facts_["count"])
    return ""


def change_text(kind: str) -> str:
    """A change of what is deployed, in words."""
    return {
        "promote": t("deployed"), "shadow": t("tried as a shadow"), "canary": t("tried as a canary"),
        "abort": t("taken out"), "rollback": t("gone back to"), "failed": t("could not be opened"),
    }.get(kind, kind)  # fmt: skip


def way_to(node: Node) -> str:
    """The page of a node."""
    ways = {
        "data": "/data", "run": f"/runs/{node.name}", "update": f"/update/{node.name}", "deployment": "/update",
        "events": "/watch", "feedback": "/watch", "file": "/data",
    }  # fmt: skip
    if node.kind == "release":
        return f"/release/{node.name}"
    return ways[node.kind]


def draw(found: Origin, release: Release) -> None:
    """Boxes in columns, from files on the left to feedback on the right, with lines between them."""
    places = _places(found)
    width = max(x for x, _ in places.values()) + WIDTH + 20
    height = max(y for _, y in places.values()) + HEIGHT + 20
    nodes = [_box(node, places[node.id], main=node.name == release.id) for node in found.nodes if node.id in places]
    links = [{"source": one, "target": other} for one, other in found.edges if one in places and other in places]
    series = {
        "type": "graph", "layout": "none", "data": nodes, "links": links, "symbol": BOX, "roam": False,
        "symbolSize": [WIDTH, HEIGHT],
        "left": WIDTH / 2 + 8, "right": WIDTH / 2 + 8, "top": HEIGHT / 2 + 8, "bottom": HEIGHT / 2 + 8,
        "lineStyle": {"color": "#8a8f98", "width": 2}, "emphasis": {"disabled": True},
    }  # fmt: skip
    chart = ui.echart({"series": [series], "animation": False}, on_point_click=_follow).classes("drawing")
    chart.style(f"width:{width}px;height:{height}px").props("role=img")
    chart.props["aria-label"] = t(
        "From files and data to the release and what became of it; the list below says the same."
    )


def _follow(event: EChartPointClickEventArguments) -> None:
    path = event.data.get("path") if isinstance(event.data, dict) else None
    if isinstance(path, str) and path.startswith("/") and not path.startswith("//"):
        ui.navigate.to(path)


def _places(found: Origin) -> dict[str, tuple[int, int]]:
    """Where the boxes stand, x and y of their corner in pixels; releases and runs before others take columns."""
    columns: dict[int, list[str]] = {}
    depth = _depths(found)
    for node in found.nodes:
        columns.setdefault(depth[node.id], []).append(node.id)
    most = min(DRAWN, max(map(len, columns.values())))
    places: dict[str, tuple[int, int]] = {}
    for x, names in enumerate(columns[key] for key in sorted(columns)):
        shown = names[:DRAWN]
        above = (most - len(shown)) * LINE // 2
        places |= {name: (x * COLUMN, above + y * LINE) for y, name in enumerate(shown)}
    return places


def _depths(found: Origin) -> dict[str, int]:
    """How many steps led to each node, the longest way counted."""
    depth = {node.id: 0 for node in found.nodes}
    for _ in found.nodes:  # a way is never longer than there are nodes
        moved = False
        for one, other in found.edges:
            if depth[other] < depth[one] + 1 <= len(depth):
                depth[other], moved = depth[one] + 1, True
        if not moved:
            break
    return depth


def _box(node: Node, at: tuple[int, int], *, main: bool) -> dict[str, Any]:
    head = [kind_text(node), node.name] if node.kind != "deployment" else []
    note = note_text(node).split(", ") if node.kind == "deployment" else [note_text(node)]
    label = {
        "show": True, "color": "#ffffff", "width": WIDTH - 14, "overflow": "truncate", "fontSize": 12, "lineHeight": 16,
        "formatter": _escaped("\n".join(filter(None, [*head, *note]))),
    }  # fmt: skip
    border = {"borderColor": "#ffd54a", "borderWidth": 4} if main and node.kind == "release" else {}
    style = {"color": COLOURS[node.kind], "opacity": 1 if node.there else 0.55, **border}
    x, y = at
    return {"id": node.id, "name": node.id, "x": x, "y": y, "itemStyle": style, "label": label, "path": way_to(node)}


def _escaped(text: str) -> str:
    """A text of which echarts fills in nothing: it knows {a}, {b}, {c} and {@name} as places for values."""
    return text.replace("{", "\u2774").replace("}", "\u2775")


def _hashes(release: Release) -> None:
    """What else its lineage says, for those who want to make it again."""
    known = lineage_of(release.info)
    heading(t("What it was made with"))
    shown = {
        t("data hash"): known["data"]["hash"],
        t("settings"): known.get("config_hash", ""),
        t("seed"): known["seed"],
    }
    for key, title in (("trained", t("trained with")), ("released", t("released with"))):
        code, around = known[key].get("code", {}), known[key].get("environment", {})
        words = [f"tuneloop {code['version']}"] if "version" in code else []
        shown[title] = ", ".join([*words, *(f"{name} {value}" for name, value in around.items())])
    facts({name: value for name, value in shown.items() if value not in ("", None)})
